package target

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"cusme.dev/cusme/internal/elastic"
	"cusme.dev/cusme/internal/scaling"
)

// podCase is a file of testdata/pods.
type podCase struct {
	Why string `json:"why"`
	// Node is the elastic node it runs on; none for an ordinary one.
	Node *corev1.Node `json:"node"`
	Pod  corev1.Pod   `json:"pod"`
	Want scaling.Pod  `json:"want"`
}

func (c podCase) host(t *testing.T) host {
	t.Helper()
	if c.Node == nil {
		return host{}
	}
	provider, ok := elastic.Known().Of(c.Node)
	if !ok {
		t.Fatalf("nobody knows the elastic node %s", c.Node.Name)
	}
	return host{elastic: true, provider: provider}
}

func podCases(t *testing.T) map[string]podCase {
	t.Helper()
	files, err := filepath.Glob("testdata/pods/*.yaml")
	if err != nil || len(files) < 21 {
		t.Fatalf("testdata/pods has %d pods (%v), want all twenty-one", len(files), err)
	}
	cases := map[string]podCase{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c podCase
		if err := yaml.UnmarshalStrict(text, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		cases[strings.TrimSuffix(filepath.Base(file), ".yaml")] = c
	}
	return cases
}

// utc makes times comparable: which zone they are in depends on who decoded them.
func utc(p scaling.Pod) scaling.Pod {
	for _, at := range []*time.Time{&p.ReadySince, &p.UnreadySince, &p.Created} {
		*at = at.UTC()
	}
	return p
}

func TestPodOf(t *testing.T) {
	for name, c := range podCases(t) {
		t.Run(name, func(t *testing.T) {
			if got := utc(podOf(&c.Pod, c.host(t))); got != utc(c.Want) {
				t.Errorf("%s\n got %+v\nwant %+v", c.Why, got, c.Want)
			}
			if !podOf(&c.Pod, host{elastic: true}).Elastic {
				t.Error("a pod on an elastic node is not elastic")
			}
		})
	}
}

// The other cases of the cost are the API server's to refuse, and it does; but
// it lets old invalid values stand.
func TestCostIsReadAsReplicaSetsReadIt(t *testing.T) {
	for text, want := range map[string]int32{
		"":            0,
		"0":           0,
		"10":          10,
		"-10":         -10,
		"2147483647":  2147483647,
		"-2147483648": -2147483648,
		"2147483648":  0,
		"+10":         0,
		"007":         0,
		"-007":        -7,
		"high":        0,
		"1.5":         0,
	} {
		pod := &corev1.Pod{}
		pod.Annotations = map[string]string{corev1.PodDeletionCost: text}
		if got := cost(pod); got != want {
			t.Errorf("cost %q read as %d, want %d", text, got, want)
		}
	}
}
