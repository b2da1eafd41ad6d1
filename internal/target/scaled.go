package target

import (
	"context"
	"fmt"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/scaling"
)

// syncPatience is how long the first look at a kind waits for its watch. A
// list takes well under a second; one that is forbidden would take for ever.
const syncPatience = 3 * time.Second

// observeScaled looks at a target of any kind with a scale subresource. The
// object itself is watched by its metadata, because nothing else of an unknown
// kind can be understood; its replicas and selector are asked for when that moved.
func (t *Targets) observeScaled(ctx context.Context, ref Ref) (State, error) {
	seen, err := t.metadata(ctx, ref)
	if err != nil {
		return State{}, err
	}
	if err := present(ref, seen); err != nil {
		return State{}, err
	}
	if err := t.caughtUp(ref, seen); err != nil {
		return State{}, err
	}
	scale, err := t.scaleOf(ctx, ref, seen)
	if err != nil {
		return State{}, err
	}
	selector, err := selectorOf(scale)
	if err != nil {
		return State{}, err
	}
	pods, err := t.podsOf(ctx, family{ref: ref, uid: scale.UID, selector: selector})
	if err != nil {
		return State{}, err
	}
	c, err := t.chooser(ctx, ref, pods)
	if err != nil {
		return State{}, err
	}
	own := t.scalingPods(ctx, pods)
	if ref.gvk().GroupKind() == statefulSetKind.GroupKind() {
		set, err := t.setOf(ctx, ref, seen)
		if err != nil {
			return State{}, err
		}
		set.tell(pods, own)
	}
	return State{
		Ref:             ref,
		UID:             scale.UID,
		ResourceVersion: scale.ResourceVersion,
		Replicas:        scale.Spec.Replicas,
		Pods:            own,
		Order:           c.order,
		Unsteerable:     c.by,
		pods:            pods,
	}, nil
}

// chooser says how, and by whom, the pods to remove are chosen.
func (t *Targets) chooser(ctx context.Context, ref Ref, pods []*corev1.Pod) (choice, error) {
	switch ref.gvk().GroupKind() {
	case replicaSetKind.GroupKind():
		return t.byReplicaSet(ctx, ref, pods)
	case statefulSetKind.GroupKind():
		return choice{scaling.OrderOrdinal, "a StatefulSet (highest ordinals first)"}, nil
	}
	return choice{scaling.OrderUnknown, fmt.Sprintf("the controller of kind %s, by rules of its own,", ref.Kind)}, nil
}

// metadata returns the target as its kind's watch shows it. The first call for
// a kind starts the watch.
func (t *Targets) metadata(ctx context.Context, ref Ref) (*metav1.PartialObjectMetadata, error) {
	watched, err := t.watchKind(ctx, ref.gvk())
	if err != nil {
		return nil, err
	}
	if !watched.synced(ctx) {
		return nil, fmt.Errorf("%w: the watch of kind %s has not begun; if this stays, %s", ErrUnseen, ref.Kind, t.missingRule(ref, "", "get", "list", "watch"))
	}
	object := partial(ref.gvk())
	err = t.cache.Get(ctx, ref.key(), object, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return nil, missing(ref)
	}
	return object, err
}

// watchedKind is the watch of a kind, and until when looks wait for it to begin.
// Later ones do not: a kind that may not be read would hold up a worker at every look.
type watchedKind struct {
	cache.Informer
	patience time.Time
}

func (w watchedKind) synced(ctx context.Context) bool {
	if w.HasSynced() {
		return true
	}
	ctx, cancel := context.WithDeadline(ctx, w.patience)
	defer cancel()
	return ctx.Err() == nil && toolscache.WaitForCacheSync(ctx.Done(), w.HasSynced)
}

func partial(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(gvk)
	return object
}

// watchKind returns the metadata watch of a kind, and starts it if need be.
func (t *Targets) watchKind(ctx context.Context, gvk schema.GroupVersionKind) (watchedKind, error) {
	t.kindsMu.Lock()
	defer t.kindsMu.Unlock()
	if watched, found := t.kinds[gvk]; found {
		return watched, nil
	}
	mapping, err := t.client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return watchedKind{}, fmt.Errorf("%w: the cluster knows no kind %s in %s; correct the scaleTargetRef, or install its CustomResourceDefinition", ErrNoScale, gvk.Kind, gvk.GroupVersion())
	}
	if err != nil {
		return watchedKind{}, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return watchedKind{}, fmt.Errorf("%w: a %s belongs to no namespace, its pods cannot be told from others", ErrNoScale, gvk.Kind)
	}
	informer, err := t.watch(ctx, partial(gvk), t.ownerChanges(gvk))
	if err != nil {
		return watchedKind{}, err
	}
	t.kinds[gvk] = watchedKind{Informer: informer, patience: time.Now().Add(syncPatience)}
	return t.kinds[gvk], nil
}

// scaleOf returns the target's scale, asking for it only when the target is
// not the one, or not in the version, for which it was last asked or written.
func (t *Targets) scaleOf(ctx context.Context, ref Ref, seen *metav1.PartialObjectMetadata) (*autoscalingv1.Scale, error) {
	var scale *autoscalingv1.Scale
	t.remember(ref, func(m *memory) {
		if m.scale != nil && m.scale.UID == seen.UID && (seen.ResourceVersion == m.seen || seen.ResourceVersion == m.scale.ResourceVersion) {
			scale = m.scale
		}
	})
	if scale != nil {
		return scale, nil
	}
	scale, err := t.getScale(ctx, ref)
	if err != nil {
		return nil, err
	}
	t.remember(ref, func(m *memory) { m.scale, m.seen = scale, seen.ResourceVersion })
	return scale, nil
}

// selectorOf refuses an empty selector: it would claim every pod of the namespace.
func selectorOf(scale *autoscalingv1.Scale) (labels.Selector, error) {
	if scale.Status.Selector == "" {
		return nil, fmt.Errorf("%w: its scale subresource shows no status.selector, so its pods cannot be found; the kind's controller has to fill it", ErrNoScale)
	}
	selector, err := labels.Parse(scale.Status.Selector)
	if err != nil {
		return nil, fmt.Errorf("%w: the status.selector of its scale subresource: %w", ErrNoScale, err)
	}
	return selector, nil
}
