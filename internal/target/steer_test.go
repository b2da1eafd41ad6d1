package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/scaling"
)

// web makes a Deployment of ready pods, and returns it at rest.
func (b *bench) web(t *testing.T, replicas int) State {
	t.Helper()
	b.create(t, deployment(b.ns, "web", int32(replicas)))
	b.see(t, deploymentRef(b.ns, "web"), settled(replicas))
	b.rest(t)
	return b.look(t, deploymentRef(b.ns, "web"))
}

func (b *bench) look(t *testing.T, ref Ref) State {
	t.Helper()
	s, err := b.Observe(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mark steers and waits until the marks are seen.
func (b *bench) mark(t *testing.T, s State, names ...string) State {
	t.Helper()
	if _, err := b.Steer(t.Context(), s, names); err != nil {
		t.Fatal(err)
	}
	return b.see(t, s.Ref, marking(names...))
}

// marking wants exactly these pods to carry marks.
func marking(names ...string) func(State, error) error {
	return func(s State, err error) error {
		var marked []string
		for _, p := range s.Pods {
			if p.Marked && !p.Leaving {
				marked = append(marked, p.Name)
			}
		}
		if err != nil || !slices.Equal(marked, names) {
			return fmt.Errorf("marked: %v, error %v; want %v", marked, err, names)
		}
		return nil
	}
}

func (b *bench) annotations(t *testing.T, pod string) map[string]string {
	t.Helper()
	var p corev1.Pod
	if err := b.admin.Get(t.Context(), types.NamespacedName{Namespace: b.ns, Name: pod}, &p); err != nil {
		t.Fatal(err)
	}
	return p.Annotations
}

// wantCosts looks at both annotations in the cluster itself; an empty one is to be absent.
func (b *bench) wantCosts(t *testing.T, pod, cost, mark string) {
	t.Helper()
	if a := b.annotations(t, pod); a[corev1.PodDeletionCost] != cost || a[markAnnotation] != mark {
		t.Errorf("pod %s has %v, want cost %q and mark %q", pod, a, cost, mark)
	}
}

func podNames(s State) []string {
	return strings.Fields(names(s.Pods))
}

// Of six pods any two could go, of four any two: that the marked go by chance
// happens once in ninety times.
func TestTheMarkedGo(t *testing.T) {
	b := newBench(t, benchOptions{})
	s := b.web(t, 6)
	for _, left := range []int{4, 2} {
		all := podNames(s)
		victims, want := all[1:3], slices.Delete(slices.Clone(all), 1, 3)
		before := b.requests.Load()
		if wait, err := b.Steer(t.Context(), s, victims); wait != settle || err != nil {
			t.Fatalf("steer: wait %s, error %v; want %s", wait, err, settle)
		}
		if n := b.requests.Load() - before; n != 2 {
			t.Errorf("%d requests to mark two pods, want one for each", n)
		}
		b.see(t, s.Ref, marking(victims...))
		b.settle(t, s.Ref, victims)
		b.wantCosts(t, victims[0], "-1", "-1")
		b.shrinkTo(t, s.Ref, left)
		s = b.see(t, s.Ref, settled(left))
		if got := podNames(s); !slices.Equal(got, want) {
			t.Fatalf("left: %v, want %v, as %v were marked", got, want, victims)
		}
	}
}

// settle waits as Steer says, and wants no request for it.
func (b *bench) settle(t *testing.T, ref Ref, mark []string) {
	t.Helper()
	before := b.requests.Load()
	clustertest.Eventually(t, patience, func() error {
		wait, err := b.Steer(t.Context(), b.look(t, ref), mark)
		if err == nil && wait > 0 {
			err = fmt.Errorf("wait %s", wait)
		}
		return err
	})
	if n := b.requests.Load() - before; n != 0 {
		t.Errorf("%d requests to steer where all is as wanted, want none", n)
	}
}

func (b *bench) shrinkTo(t *testing.T, ref Ref, replicas int) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		return b.Scale(t.Context(), b.look(t, ref), int32(replicas))
	})
}

func TestMarksThatAreNotWantedGo(t *testing.T) {
	b := newBench(t, benchOptions{})
	s := b.web(t, 3)
	all := podNames(s)
	s = b.mark(t, s, all[0], all[1])

	before := b.requests.Load()
	s = b.mark(t, s, all[1], all[2])
	if n := b.requests.Load() - before; n != 2 {
		t.Errorf("%d requests to move one mark, want two", n)
	}
	b.wantCosts(t, all[0], "", "")
	b.wantCosts(t, all[2], "-1", "-1")

	b.mark(t, s)
	for _, name := range all {
		b.wantCosts(t, name, "", "")
	}
}

func TestForeignCosts(t *testing.T) {
	b := newBench(t, benchOptions{})
	s := b.web(t, 2)
	all := podNames(s)
	foreign := &corev1.Pod{ObjectMeta: named(b.ns, all[1])}
	b.annotate(t, foreign, corev1.PodDeletionCost, "5")
	s = b.see(t, s.Ref, chosen(scaling.OrderUnknown, "whoever set the deletion cost of pod "+all[1]))

	before := b.requests.Load()
	_, err := b.Steer(t.Context(), s, all)
	if err == nil || !strings.Contains(err.Error(), "pod "+all[1]+" has a deletion cost of 5 that is not cusme's own") {
		t.Errorf("steer a pod with a foreign cost: %v, want a refusal that names it", err)
	}
	if n := b.requests.Load() - before; n != 0 {
		t.Errorf("%d requests, want none: all or nothing", n)
	}
	// Taken over after it was marked: the cost is theirs, whatever stands beside it.
	b.annotate(t, foreign, markAnnotation, "-1")
	b.annotate(t, foreign, corev1.PodDeletionCost, "7")
	if err := b.Release(t.Context(), s.Ref); err != nil {
		t.Error(err)
	}
	b.wantCosts(t, all[1], "7", "-1")

	b.annotate(t, foreign, corev1.PodDeletionCost, "-1")
	b.see(t, s.Ref, chosen(scaling.OrderCost, ""))
}

// chosen wants a way in which pods are chosen, and by whom.
func chosen(order scaling.Order, by string) func(State, error) error {
	return func(s State, err error) error {
		if err != nil || s.Order != order || s.Unsteerable != by {
			return fmt.Errorf("order %q by %q, error %v; want %q by %q", s.Order, s.Unsteerable, err, order, by)
		}
		return nil
	}
}

func TestNothingIsSeenBeforeThePatchesAre(t *testing.T) {
	b := newBench(t, benchOptions{})
	s := b.web(t, 3)
	all := podNames(s)
	b.watches.shut()
	if _, err := b.Steer(t.Context(), s, all[:2]); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Observe(t.Context(), s.Ref); !errors.Is(err, ErrBehind) {
		t.Errorf("observe before the watch saw the patches: %v, want ErrBehind", err)
	}
	if err := b.Release(t.Context(), s.Ref); !errors.Is(err, ErrBehind) {
		t.Errorf("release before the watch saw the patches: %v, want ErrBehind: the marks would stay", err)
	}
	// One of the two never shows its patch: it is gone.
	if err := b.admin.Delete(t.Context(), &corev1.Pod{ObjectMeta: named(b.ns, all[0])}); err != nil {
		t.Fatal(err)
	}
	b.watches.open()
	b.see(t, s.Ref, marking(all[1]))
}

func TestSteerOnTopOfThePast(t *testing.T) {
	b := newBench(t, benchOptions{})
	s := b.web(t, 3)
	all := podNames(s)
	b.watches.shut()
	b.annotate(t, &corev1.Pod{ObjectMeta: named(b.ns, all[0])}, "example.com/seen", "no")
	if err := b.admin.Delete(t.Context(), &corev1.Pod{ObjectMeta: named(b.ns, all[1])}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Steer(t.Context(), s, all[:1]); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), all[0]) {
		t.Errorf("steer a pod that changed: %v, want ErrConflict with its name", err)
	}
	b.wantCosts(t, all[0], "", "")
	if _, err := b.Steer(t.Context(), s, all[1:2]); err != nil {
		t.Errorf("steer a pod that is gone: %v, want it taken for done", err)
	}
	if _, err := b.Steer(t.Context(), s, []string{"stranger"}); err == nil || !strings.Contains(err.Error(), "stranger is not among the pods") {
		t.Errorf("steer a pod that was not observed: %v, want a refusal", err)
	}
	b.watches.open()
	b.see(t, s.Ref, settled(3))
}

// A StatefulSet makes pods of the same names again and again.
func TestSteerDoesNotTakeOnePodForAnother(t *testing.T) {
	b := newBench(t, benchOptions{})
	b.create(t, statefulSet(b.ns, "web", 1))
	s := b.see(t, Ref{"apps/v1", "StatefulSet", b.ns, "web"}, settled(1))
	b.watches.shut()
	pod := &corev1.Pod{ObjectMeta: named(b.ns, "web-0")}
	if err := b.admin.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	clustertest.Eventually(t, patience, func() error {
		err := b.admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod)
		if err == nil && string(pod.UID) == s.Pods[0].UID {
			err = errors.New("still the old web-0")
		}
		return err
	})
	if _, err := b.Steer(t.Context(), s, []string{"web-0"}); !errors.Is(err, ErrConflict) {
		t.Errorf("steer the new web-0 for the old: %v, want ErrConflict", err)
	}
	b.wantCosts(t, "web-0", "", "")
}

// ruleToPatch is the right that marks take.
const ruleToPatch = `{apiGroups: [""], resources: ["pods"], verbs: ["patch"]}`

func TestSteerWithoutTheRight(t *testing.T) {
	b := newBench(t, benchOptions{without: "patch pods", chained: true})
	s := b.web(t, 1)
	b.see(t, s.Ref, chosen(scaling.OrderRank, "the ReplicaSet controller, as cusme may not patch pods,"))
	before := b.requests.Load()
	_, err := b.Steer(t.Context(), s, podNames(s))
	wantRule(t, err, ruleToPatch)
	if _, err := b.Steer(t.Context(), s, nil); err != nil {
		t.Errorf("steer no pod: %v", err)
	}
	if n := b.requests.Load() - before; n != 0 {
		t.Errorf("%d requests, want none: they would be refused", n)
	}
}

// crowd is a client that answers no patch until its door is opened.
type crowd struct {
	client.Client
	inside atomic.Int64
	door   chan struct{}
}

func (c *crowd) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	c.inside.Add(1)
	<-c.door
	return nil
}

func TestPatchesGoSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{door: make(chan struct{})}
		patches := make([]podPatch, 2*patchesAtOnce)
		for i := range patches {
			patches[i].pod = &corev1.Pod{ObjectMeta: named("ns", fmt.Sprintf("web-%d", i))}
		}
		go func() {
			written, err := (&Targets{client: c}).patchPods(t.Context(), patches)
			if err != nil || len(written) != len(patches) {
				t.Errorf("%d patches made, error %v; want all %d", len(written), err, len(patches))
			}
		}()
		synctest.Wait()
		if n := c.inside.Load(); n != patchesAtOnce {
			t.Errorf("%d patches at a time, want %d", n, patchesAtOnce)
		}
		close(c.door)
	})
}

func TestSettling(t *testing.T) {
	var clock atomic.Int64
	b := newBench(t, benchOptions{now: func() time.Time { return time.Unix(0, clock.Load()) }})
	after := func(d time.Duration) { clock.Add(int64(d)) }
	after(time.Hour)
	s := b.web(t, 3)
	all := podNames(s)
	b.wantWait(t, s, nil, 0)
	s = b.mark(t, s, all[0])
	b.wantWait(t, s, all[:1], settle)
	after(settle / 2)
	b.wantWait(t, b.look(t, s.Ref), all[:1], settle/2)
	after(settle)
	b.wantWait(t, s, all[:1], 0)

	s = b.mark(t, s, all[:2]...)
	b.wantWait(t, s, all[:2], settle)
	s = b.mark(t, s)
	b.wantWait(t, s, nil, 0)
}

func (b *bench) wantWait(t *testing.T, s State, mark []string, want time.Duration) {
	t.Helper()
	if wait, err := b.Steer(t.Context(), s, mark); wait != want || err != nil {
		t.Errorf("steer %v: wait %s, error %v; want %s", mark, wait, err, want)
	}
}

func TestAddresses(t *testing.T) {
	b := newBench(t, benchOptions{})
	s := b.web(t, 1)
	var pod corev1.Pod
	if err := b.admin.Get(t.Context(), types.NamespacedName{Namespace: b.ns, Name: s.Pods[0].Name}, &pod); err != nil {
		t.Fatal(err)
	}
	if got := s.Addresses(); len(got) != 1 || got[s.Pods[0].UID] == "" || got[s.Pods[0].UID] != pod.Status.PodIP {
		t.Errorf("addresses %v, want the pod's own, %q", got, pod.Status.PodIP)
	}
}
