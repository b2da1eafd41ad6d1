package target

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"cusme.dev/cusme/internal/clustertest"
)

func TestRelease(t *testing.T) {
	b := newBench(t, benchOptions{})
	s := b.web(t, 2)
	all := podNames(s)
	b.mark(t, s, all...)
	if err := b.Release(t.Context(), s.Ref); err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		b.wantCosts(t, name, "", "")
	}
	if _, known := b.familyOf(s.Ref); known {
		t.Error("the target is still known")
	}
	if err := b.Release(t.Context(), s.Ref); err != nil {
		t.Errorf("release what is not known: %v", err)
	}
}

// A LoadScaler that turns to another target just after it marked pods of the
// first leaves nobody who observes that one.
func TestReleaseThatWasBehind(t *testing.T) {
	b := newBench(t, benchOptions{})
	s := b.web(t, 2)
	all := podNames(s)
	b.watches.shut()
	if _, err := b.Steer(t.Context(), s, all[:1]); err != nil {
		t.Fatal(err)
	}
	if err := b.Release(t.Context(), s.Ref); !errors.Is(err, ErrBehind) {
		t.Errorf("release before the watch saw the mark: %v, want ErrBehind", err)
	}
	b.watches.open()
	clustertest.Eventually(t, patience, func() error { return b.Release(t.Context(), s.Ref) })
	b.wantCosts(t, all[0], "", "")
}

// A cusme that ended between marking and scaling leaves marks behind. Those
// of targets that are still scaled are left for Steer to judge.
func TestSweep(t *testing.T) {
	b := newBench(t, benchOptions{})
	pods := map[string]string{"bare": "bare", "foreign": "foreign"}
	for _, name := range []string{"claimed", "left"} {
		b.create(t, deployment(b.ns, name, 1))
		pods[name] = b.see(t, deploymentRef(b.ns, name), settled(1)).Pods[0].Name
	}
	for _, name := range []string{"bare", "foreign"} {
		b.create(t, &corev1.Pod{ObjectMeta: named(b.ns, name), Spec: podTemplate(name).Spec})
	}
	for name, pod := range pods {
		o := &corev1.Pod{ObjectMeta: named(b.ns, pod)}
		b.annotate(t, o, corev1.PodDeletionCost, "-1")
		if name != "foreign" {
			b.annotate(t, o, markAnnotation, "-1")
		}
	}
	clustertest.Eventually(t, patience, func() error {
		// A conflict says that the watch has not seen the annotations yet; seen late, they are not swept at all.
		err := b.Sweep(t.Context(), func(r Ref) bool { return r == deploymentRef(b.ns, "claimed") })
		if n := len(b.annotations(t, pods["left"])) + len(b.annotations(t, pods["bare"])); err == nil && n > 0 {
			err = fmt.Errorf("%d annotations are left", n)
		}
		return err
	})
	b.wantCosts(t, pods["claimed"], "-1", "-1")
	b.wantCosts(t, pods["foreign"], "-1", "")
}
