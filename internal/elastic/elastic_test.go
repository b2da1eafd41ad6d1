package elastic

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// wanted is the verdict a testdata file asks for in its comment.
var wanted = regexp.MustCompile(`(?m)^# want: (\S+)$`)

func TestOfNodes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("testdata has %d nodes (%v), want all ten", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := wanted.FindSubmatch(text)
			if want == nil {
				t.Fatalf("%s has no line \"# want: <provider or none>\"", file)
			}
			var node corev1.Node
			if err := yaml.UnmarshalStrict(text, &node); err != nil {
				t.Fatal(err)
			}
			if got := verdict(&node); got != string(want[1]) {
				t.Errorf("verdict %s, want %s", got, want[1])
			}
		})
	}
}

func verdict(node *corev1.Node) string {
	provider, ok := Of(node)
	if !ok {
		return "none" + provider
	}
	return provider
}

func TestOfNoNode(t *testing.T) {
	if provider, ok := Of(nil); ok || provider != "" {
		t.Errorf("Of(nil) = %q, %v; want nothing", provider, ok)
	}
}

// Each mark must be able to decide alone: a provider with a slip in one of its
// marks would otherwise hide behind the others.
func TestEveryMarkIsEnough(t *testing.T) {
	for _, p := range providers {
		for _, l := range p.Labels {
			node := corev1.Node{}
			node.Labels = map[string]string{l.Key: l.Value}
			if got := verdict(&node); got != p.Name {
				t.Errorf("label %v: verdict %s, want %s", l, got, p.Name)
			}
		}
		for _, key := range p.Taints {
			node := corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: key}}}}
			if got := verdict(&node); got != p.Name {
				t.Errorf("taint %s: verdict %s, want %s", key, got, p.Name)
			}
		}
		for _, pattern := range p.Names {
			if _, err := path.Match(pattern, "node"); err != nil {
				t.Errorf("%s: name pattern %q: %v", p.Name, pattern, err)
			}
		}
	}
}
