package elastic

import (
	"path"
	"regexp"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// wanted is the verdict a testdata file asks for in its comment.
var wanted = regexp.MustCompile(`(?m)^# want: (\S+)$`)

func TestOfNodes(t *testing.T) {
	for name, c := range examples(t) {
		t.Run(name, func(t *testing.T) {
			if got := verdict(&c.node); got != c.want {
				t.Errorf("verdict %s, want %s", got, c.want)
			}
		})
	}
}

// Every provider has a whole node of its own in testdata, named after it: marks
// that decide alone may still lose to a provider that is asked earlier.
func TestEveryProviderHasAnExample(t *testing.T) {
	all := examples(t)
	for _, p := range Known() {
		if got := all[p.Name].want; got != p.Name {
			t.Errorf("testdata/%s.yaml wants %q, want a node of %s", p.Name, got, p.Name)
		}
	}
}

type example struct {
	node corev1.Node
	want string
}

// examples are the nodes of testdata by the names of their files.
func examples(t *testing.T) map[string]example {
	t.Helper()
	all := map[string]example{}
	for name, text := range files(t, "testdata") {
		want := wanted.FindSubmatch(text)
		if want == nil {
			t.Fatalf("%s has no line \"# want: <provider or none>\"", name)
		}
		var node corev1.Node
		if err := yaml.UnmarshalStrict(text, &node); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = example{node, string(want[1])}
	}
	if len(all) != 26 {
		t.Fatalf("testdata has %d nodes, want all 26", len(all))
	}
	return all
}

func verdict(node *corev1.Node) string {
	provider, ok := Known().Of(node)
	if !ok {
		return "none" + provider.Name
	}
	return provider.Name
}

func TestOfNoNode(t *testing.T) {
	if provider, ok := Known().Of(nil); ok || provider.Name != "" {
		t.Errorf("Of(nil) = %q, %v; want nothing", provider.Name, ok)
	}
}

// Each mark must be able to decide alone: a provider with a slip in one of its
// marks would otherwise hide behind the others. A name pattern needs a node of
// testdata that has nothing else.
func TestEveryMarkIsEnough(t *testing.T) {
	all := examples(t)
	for _, p := range Known() {
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
			if !bare(t, all, pattern, p.Name) {
				t.Errorf("%s: no node of testdata has a name like %q and no other mark", p.Name, pattern)
			}
		}
	}
}

// bare reports whether one of the nodes has nothing but a name, which the
// pattern matches and which the provider is to be known by.
func bare(t *testing.T, all map[string]example, pattern, provider string) bool {
	t.Helper()
	for _, c := range all {
		ok, err := path.Match(pattern, c.node.Name)
		if err != nil {
			t.Fatalf("%s: name pattern %q: %v", provider, pattern, err)
		}
		if ok && c.want == provider && len(c.node.Labels) == 0 && len(c.node.Spec.Taints) == 0 {
			return true
		}
	}
	return false
}
