package target

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"cusme.dev/cusme/internal/clustertest"
)

// A set that begins to count at 3, as one that was moved from another cluster.
func TestStatefulSetsShrinkFromTheTop(t *testing.T) {
	b := newBench(t, benchOptions{})
	set := statefulSet(b.ns, "web", 4).(*appsv1.StatefulSet)
	set.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
	set.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 3}
	b.create(t, set)
	ref := Ref{"apps/v1", "StatefulSet", b.ns, "web"}
	s := b.see(t, ref, settled(4))
	if got := ordinals(s); !slices.Equal(got, []string{"web-3=0", "web-4=1", "web-5=2", "web-6=3"}) {
		t.Errorf("ordinals %v, want them counted from web-3", got)
	}
	clustertest.Eventually(t, patience, func() error {
		s, err := b.Observe(t.Context(), ref)
		return errors.Join(err, b.Scale(t.Context(), s, 2))
	})
	s = b.see(t, ref, settled(2))
	if got := ordinals(s); !slices.Equal(got, []string{"web-3=0", "web-4=1"}) {
		t.Errorf("left: %v, want the lowest", got)
	}
	b.update(t, set, func() { set.Spec.Ordinals = nil })
	b.see(t, ref, func(s State, err error) error {
		if got := ordinals(s); err != nil || !slices.Equal(got, []string{"web-0=0", "web-1=1"}) {
			return fmt.Errorf("pods %v, error %v; want those from web-0 on", got, err)
		}
		return nil
	})
}

// Only with OnDelete do pods of an old template stay for as long as a test looks.
func TestPodsOfASetsOldTemplate(t *testing.T) {
	b := newBench(t, benchOptions{})
	set := statefulSet(b.ns, "web", 2).(*appsv1.StatefulSet)
	set.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
	b.create(t, set)
	ref := Ref{"apps/v1", "StatefulSet", b.ns, "web"}
	b.see(t, ref, outdated())

	b.update(t, set, func() { set.Spec.Template.Labels["model"] = "new" })
	b.see(t, ref, outdated("web-0", "web-1"))
	if err := b.admin.Delete(t.Context(), &corev1.Pod{ObjectMeta: named(b.ns, "web-1")}); err != nil {
		t.Fatal(err)
	}
	b.see(t, ref, outdated("web-0"))
	// Rolled back, the old template is the newest.
	b.update(t, set, func() { delete(set.Spec.Template.Labels, "model") })
	b.see(t, ref, outdated("web-1"))
}

// outdated wants two pods, of which exactly these are of an old template.
func outdated(names ...string) func(State, error) error {
	return func(s State, err error) error {
		var old []string
		for _, p := range s.Pods {
			if p.Outdated {
				old = append(old, p.Name)
			}
		}
		if err := settled(2)(s, err); err != nil || !slices.Equal(old, names) {
			return fmt.Errorf("outdated: %v, error %v; want %v", old, err, names)
		}
		return nil
	}
}

// A set whose controller is away is read again when it moved, and only then.
func TestSetsAreReadAgainUntilTheirControllerLooked(t *testing.T) {
	behind := setFacts{uid: "u", version: "7", generation: 3, observed: 2}
	for name, c := range map[string]struct {
		facts      setFacts
		generation int64
		version    string
		want       bool
	}{
		"never read":                {setFacts{}, 3, "7", false},
		"another of its name":       {setFacts{uid: "v", generation: 3, observed: 3}, 3, "7", false},
		"acknowledged":              {setFacts{uid: "u", version: "7", generation: 3, observed: 3}, 3, "9", true},
		"a newer generation":        {setFacts{uid: "u", version: "7", generation: 3, observed: 3}, 4, "9", false},
		"behind, and did not move":  {behind, 3, "7", true},
		"behind, and the watch too": {behind, 3, "6", true},
		"behind, and moved":         {behind, 3, "8", false},
	} {
		seen := partial(statefulSetKind)
		seen.UID, seen.Generation, seen.ResourceVersion = "u", c.generation, c.version
		if got := c.facts.covers(seen); got != c.want {
			t.Errorf("%s: covered %t, want %t", name, got, c.want)
		}
	}
}

func ordinals(s State) []string {
	var all []string
	for _, p := range s.Pods {
		all = append(all, fmt.Sprintf("%s=%d", p.Name, p.Ordinal))
	}
	return all
}

func TestOrdinal(t *testing.T) {
	for name, c := range map[string]struct {
		pod, label string
		want       int64
	}{
		"by label":       {"web-7", "8", 8},
		"by name":        {"web-7", "", 7},
		"dashes":         {"my-web-12", "", 12},
		"no number":      {"web", "", 0},
		"a hash":         {"web-7f9c", "", 0},
		"beyond numbers": {"web-99999999999", "", 0},
	} {
		pod := &corev1.Pod{}
		pod.Name = c.pod
		if c.label != "" {
			pod.Labels = map[string]string{appsv1.PodIndexLabel: c.label}
		}
		if got := ordinal(pod); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
