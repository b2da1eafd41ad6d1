package target

import (
	"context"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// chainLimit ends a walk along owner references that somebody bent into a
// ring. Pod, ReplicaSet, Deployment and an operator's resource make three steps.
const chainLimit = 5

// A family is a target and how its pods are found. Labels alone would not do:
// two Deployments with overlapping selectors would each count the other's pods.
type family struct {
	ref      Ref
	uid      types.UID
	selector labels.Selector
}

// podsOf returns the family's pods. They are the cache's own: do not change them.
func (t *Targets) podsOf(ctx context.Context, f family) ([]*corev1.Pod, error) {
	t.remember(f.ref, func(m *memory) { m.uid, m.selector = f.uid, f.selector })
	if strings.Contains(f.ref.gvk().Group, ".") {
		return t.selected(ctx, f)
	}
	owners, err := t.ownersBelow(ctx, f)
	if err != nil {
		return nil, err
	}
	var own []*corev1.Pod
	for _, uid := range owners {
		pods, err := t.selected(ctx, f, client.MatchingFields{byController: string(uid)})
		if err != nil {
			return nil, err
		}
		own = append(own, pods...)
	}
	return own, nil
}

// selected returns the family's among the pods that its selector, and what else
// is asked for, matches.
func (t *Targets) selected(ctx context.Context, f family, more ...client.ListOption) ([]*corev1.Pod, error) {
	var all corev1.PodList
	err := t.cache.List(ctx, &all, append(more, client.InNamespace(f.ref.Namespace), client.MatchingLabelsSelector{Selector: f.selector}, client.UnsafeDisableDeepCopy)...)
	if err != nil {
		return nil, err
	}
	var own []*corev1.Pod
	for i := range all.Items {
		if t.belongs(ctx, f, &all.Items[i]) {
			own = append(own, &all.Items[i])
		}
	}
	return own, nil
}

// ownersBelow returns who may own pods of a target of one of Kubernetes' own
// kinds: itself, and its ReplicaSets. By them its pods are found at once; to
// look for a selector among all pods of a namespace takes milliseconds where
// there are thousands, and every target is looked at every few seconds.
func (t *Targets) ownersBelow(ctx context.Context, f family) ([]types.UID, error) {
	sets := &metav1.PartialObjectMetadataList{}
	sets.SetGroupVersionKind(replicaSetKind)
	err := t.cache.List(ctx, sets, client.InNamespace(f.ref.Namespace), client.MatchingFields{byController: string(f.uid)}, client.UnsafeDisableDeepCopy)
	owners := []types.UID{f.uid}
	for i := range sets.Items {
		owners = append(owners, sets.Items[i].UID)
	}
	return owners, err
}

// byController is the index of pods and ReplicaSets by their controller's UID.
const byController = "controller"

func indexByController(o client.Object) []string {
	uid := controller(o)
	if uid == "" {
		return nil
	}
	return []string{string(uid)}
}

// belongs climbs from a pod, by controller references, to the target. Where
// the climb ends at a kind that is not watched, as below an operator with
// intermediate kinds of its own, the selector has to be believed; but not for
// Kubernetes' own kinds, which never have such pods.
func (t *Targets) belongs(ctx context.Context, f family, pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	for range chainLimit {
		if owner == nil {
			return false
		}
		if owner.UID == f.uid {
			return true
		}
		kind := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind()
		if kind == f.ref.gvk().GroupKind() {
			return false // A sibling's pod.
		}
		next, watched := t.ownerOf(ctx, pod.Namespace, owner)
		if !watched {
			return strings.Contains(f.ref.gvk().Group, ".") // Kubernetes' own workloads are in groups without a dot.
		}
		owner = next
	}
	return false
}

// ownerOf returns the controller of an owner, nil when it has none or is
// gone, and whether owners of its kind are watched at all. Kinds that are
// watched only because some target is of that kind do not count: who owns a
// pod must not depend on who else is scaled.
func (t *Targets) ownerOf(ctx context.Context, namespace string, owner *metav1.OwnerReference) (next *metav1.OwnerReference, watched bool) {
	var object client.Object
	switch schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind() {
	case replicaSetKind.GroupKind():
		object = partial(replicaSetKind)
	case deploymentKind.GroupKind():
		object = &appsv1.Deployment{}
	default:
		return nil, false
	}
	key := client.ObjectKey{Namespace: namespace, Name: owner.Name}
	if err := t.cache.Get(ctx, key, object, client.UnsafeDisableDeepCopy); err != nil || object.GetUID() != owner.UID {
		return nil, true
	}
	return metav1.GetControllerOfNoCopy(object), true
}
