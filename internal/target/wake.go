package target

import (
	"context"
	"fmt"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// watch starts watching a kind, unless it is watched already, and does not
// wait for it: a kind that may not be read would never come.
func (t *Targets) watch(ctx context.Context, object client.Object, handler toolscache.ResourceEventHandler) (cache.Informer, error) {
	informer, err := t.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch %T: %w", object, err)
	}
	if handler == nil {
		return informer, nil
	}
	if _, err := informer.AddEventHandler(handler); err != nil {
		return nil, fmt.Errorf("watch %T: %w", object, err)
	}
	return informer, nil
}

// changes hands on those events of a watch that Observe would show.
type changes struct {
	matter func(was, is client.Object) bool
	wake   func(versions ...client.Object)
}

var _ toolscache.ResourceEventHandler = changes{}

// OnAdd is called for every object that is new to the watch.
func (c changes) OnAdd(obj any, _ bool) {
	if o, ok := obj.(client.Object); ok {
		c.wake(o)
	}
}

// OnUpdate is called for every new version, most of which are heartbeats.
func (c changes) OnUpdate(was, is any) {
	w, ok := was.(client.Object)
	i, same := is.(client.Object)
	if ok && same && c.matter(w, i) {
		c.wake(w, i)
	}
}

// OnDelete is called with the last version known.
func (c changes) OnDelete(obj any) {
	if last, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	c.OnAdd(obj, false)
}

// podChanges wakes the targets a pod belongs to, or did before the change.
func (t *Targets) podChanges() changes {
	return changes{matter: t.podMatters, wake: func(versions ...client.Object) {
		woken := map[Ref]bool{}
		for _, v := range versions {
			if pod, ok := v.(*corev1.Pod); ok {
				t.wakeFamilies(pod, woken)
			}
		}
	}}
}

// podMatters compares pods by what scaling sees of them, on whosever node they
// may be, and by what decides whose they are.
func (t *Targets) podMatters(was, is client.Object) bool {
	w, ok := was.(*corev1.Pod)
	i, same := is.(*corev1.Pod)
	if !ok || !same {
		return false
	}
	if podOf(w, host{}) != podOf(i, host{}) {
		return true
	}
	for _, p := range t.rules {
		if on := (host{elastic: true, provider: p}); soldOut(w, on) != soldOut(i, on) || doomed(w, on) != doomed(i, on) {
			return true
		}
	}
	return controller(w) != controller(i) || !maps.Equal(w.Labels, i.Labels)
}

func (t *Targets) wakeFamilies(pod *corev1.Pod, woken map[Ref]bool) {
	families := t.families(pod)
	if len(families) == 0 {
		return
	}
	// A watch's handler has no context, and must not wait for another watch: if
	// that one has not begun yet, its first event wakes the target in any case.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, f := range families {
		if !woken[f.ref] && t.belongs(ctx, f, pod) {
			woken[f.ref] = true
			t.onChange(f.ref)
		}
	}
}

// families returns the known targets whose selector matches the pod.
func (t *Targets) families(pod *corev1.Pod) []family {
	t.mu.Lock()
	defer t.mu.Unlock()
	var matching []family
	for ref, m := range t.known[pod.Namespace] {
		if m.selector != nil && m.selector.Matches(labels.Set(pod.Labels)) {
			matching = append(matching, family{ref: ref, uid: m.uid, selector: m.selector})
		}
	}
	return matching
}

// ownerChanges wakes a target of the given kind itself, and the target that
// owns it: a pod may be seen before the ReplicaSet that leads to its Deployment.
func (t *Targets) ownerChanges(gvk schema.GroupVersionKind) changes {
	refTo := func(o client.Object) Ref {
		return Ref{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}
	}
	matter := func(was, is client.Object) bool {
		return vitalsOf(was) != vitalsOf(is) || t.unseen(refTo(is))
	}
	return changes{matter: matter, wake: func(versions ...client.Object) {
		last := versions[len(versions)-1]
		t.wakeKnown(refTo(last))
		if owner := metav1.GetControllerOfNoCopy(last); owner != nil {
			t.wakeKnown(Ref{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: last.GetNamespace(), Name: owner.Name})
		}
	}}
}

func (t *Targets) wakeKnown(ref Ref) {
	t.mu.Lock()
	_, known := t.known[ref.Namespace][ref]
	t.mu.Unlock()
	if known {
		t.onChange(ref)
	}
}

// unseen reports whether a target was asked for, but could not be observed so
// far, or not since its spec changed. A kind's controller may fill the status
// that leads to the pods late, and of a status only the version can be seen to move.
func (t *Targets) unseen(ref Ref) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, known := t.known[ref.Namespace][ref]
	return known && (m.selector == nil || m.awaited)
}

// vitals are what Observe reads of a target, or of an owner below it, apart from its pods.
type vitals struct {
	uid, owner           types.UID
	generation, observed int64
	leaving              bool
	replicas, updated    int32
	revision             int64
}

func vitalsOf(o client.Object) vitals {
	v := vitals{
		uid:        o.GetUID(),
		owner:      controller(o),
		generation: o.GetGeneration(),
		leaving:    o.GetDeletionTimestamp() != nil,
		revision:   revision(o),
	}
	if d, ok := o.(*appsv1.Deployment); ok {
		v.observed, v.replicas, v.updated = d.Status.ObservedGeneration, d.Status.Replicas, d.Status.UpdatedReplicas
	}
	return v
}

func controller(o metav1.Object) types.UID {
	if owner := metav1.GetControllerOfNoCopy(o); owner != nil {
		return owner.UID
	}
	return ""
}
