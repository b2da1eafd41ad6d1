package target

import (
	"context"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/scaling"
)

// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments/scale,verbs=get;update

var deploymentKind = appsv1.SchemeGroupVersion.WithKind("Deployment")

func (t *Targets) observeDeployment(ctx context.Context, ref Ref) (State, error) {
	var d appsv1.Deployment
	err := t.cache.Get(ctx, ref.key(), &d, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return State{}, missing(ref)
	}
	if err != nil {
		return State{}, err
	}
	if err := present(ref, &d); err != nil {
		return State{}, err
	}
	if err := t.caughtUp(ref, &d); err != nil {
		return State{}, err
	}
	if err := acknowledged(&d); err != nil {
		return State{}, err
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return State{}, fmt.Errorf("%w: its selector: %w", ErrNoScale, err)
	}
	pods, err := t.podsOf(ctx, family{ref: ref, uid: d.UID, selector: selector})
	if err != nil {
		return State{}, err
	}
	c, err := t.deploymentChoice(ctx, ref, &d, pods)
	if err != nil {
		return State{}, err
	}
	seen := t.scalingPods(ctx, pods)
	t.date(ctx, &d, pods, seen)
	return State{
		Ref:             ref,
		UID:             d.UID,
		ResourceVersion: d.ResourceVersion,
		Replicas:        ptr.Deref(d.Spec.Replicas, 1),
		Pods:            seen,
		Order:           c.order,
		Unsteerable:     c.by,
		pods:            pods,
	}, nil
}

func (t *Targets) deploymentChoice(ctx context.Context, ref Ref, d *appsv1.Deployment, pods []*corev1.Pod) (choice, error) {
	if by := rollout(d, liveReplicaSets(pods)); by != "" {
		return choice{scaling.OrderUnknown, by}, nil
	}
	return t.byReplicaSet(ctx, ref, pods)
}

// revisionAnnotation is where Deployment controllers count a Deployment's
// templates, on the Deployment and on each of its ReplicaSets.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// revision is 0 where there is none.
func revision(o metav1.Object) int64 {
	n, err := strconv.ParseInt(o.GetAnnotations()[revisionAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// date says of pods, which seen holds in the same order, whether they are of an
// older template than the Deployment's newest.
func (t *Targets) date(ctx context.Context, d *appsv1.Deployment, pods []*corev1.Pod, seen []scaling.Pod) {
	outdated := map[types.UID]bool{}
	for i, p := range pods {
		owner := metav1.GetControllerOfNoCopy(p)
		if owner == nil {
			continue
		}
		if _, asked := outdated[owner.UID]; !asked {
			outdated[owner.UID] = t.outdated(ctx, d, owner)
		}
		seen[i].Outdated = outdated[owner.UID]
	}
}

// outdated reports whether a ReplicaSet is known to be of an older revision.
func (t *Targets) outdated(ctx context.Context, d *appsv1.Deployment, owner *metav1.OwnerReference) bool {
	set := partial(replicaSetKind)
	key := client.ObjectKey{Namespace: d.Namespace, Name: owner.Name}
	if err := t.cache.Get(ctx, key, set, client.UnsafeDisableDeepCopy); err != nil || set.UID != owner.UID {
		return false
	}
	return revision(set) > 0 && revision(set) < revision(d)
}

// acknowledged fails with ErrBehind while the Deployment's controller has not
// looked at its newest spec. Until then its pods are those of the spec before,
// and neither their number nor their ReplicaSets say anything about this one.
func acknowledged(d *appsv1.Deployment) error {
	if d.Generation == d.Status.ObservedGeneration {
		return nil
	}
	return fmt.Errorf("%w: the Deployment controller has seen generation %d, not yet %d", ErrBehind, d.Status.ObservedGeneration, d.Generation)
}

// rollout says who chooses the pods while a Deployment has more than one
// ReplicaSet: its controller spreads a scale-in over all of them in proportion,
// and deletion costs only count within each.
func rollout(d *appsv1.Deployment, live int) string {
	switch {
	case live > 1:
		return fmt.Sprintf("a rollout with %d live ReplicaSets", live)
	case d.Status.UpdatedReplicas < d.Status.Replicas:
		return fmt.Sprintf("a rollout that updated %d of %d replicas", d.Status.UpdatedReplicas, d.Status.Replicas)
	}
	return ""
}

// liveReplicaSets counts the owners of pods that are not leaving.
func liveReplicaSets(pods []*corev1.Pod) int {
	live := map[types.UID]bool{}
	for _, p := range pods {
		owner := metav1.GetControllerOfNoCopy(p)
		if owner != nil && !leaving(p) {
			live[owner.UID] = true
		}
	}
	return len(live)
}
