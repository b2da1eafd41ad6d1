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
