package target

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Release removes cusme's marks from the pods of a target that nobody scales
// any more, and forgets the target. On an error it forgets nothing, so that it
// can be called again: soon for ErrConflict and for ErrBehind, which OnChange
// may end without anybody listening.
func (t *Targets) Release(ctx context.Context, ref Ref) error {
	if err := t.release(ctx, ref); err != nil {
		return fmt.Errorf("release %s: %w", ref, err)
	}
	t.Forget(ref)
	return nil
}

func (t *Targets) release(ctx context.Context, ref Ref) error {
	f, observed := t.familyOf(ref)
	if !observed || !t.steers {
		return nil
	}
	if err := t.patchesSeen(ctx, ref); err != nil {
		return err
	}
	pods, err := t.podsOf(ctx, f)
	if err != nil {
		return err
	}
	_, err = t.patchPods(ctx, unmark(pods))
	return err
}

// Sweep removes the marks that an earlier cusme left on pods which nobody has
// scaled since: those with no owner, of any generation, that claimed knows.
// It is meant for the start, and waits for the watches to begin. On an error
// some marks may be left; it can be called again, soon for ErrConflict.
func (t *Targets) Sweep(ctx context.Context, claimed func(Ref) bool) error {
	if !t.steers {
		return nil
	}
	var all corev1.PodList
	if err := t.cache.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("sweep marks: %w", err)
	}
	var unclaimed []*corev1.Pod
	for i := range all.Items {
		if p := &all.Items[i]; marked(p) && !t.claimed(ctx, p, claimed) {
			unclaimed = append(unclaimed, p)
		}
	}
	if _, err := t.patchPods(ctx, unmark(unclaimed)); err != nil {
		return fmt.Errorf("sweep marks: %w", err)
	}
	return nil
}

// claimed climbs from a pod along its controllers, as far as they are watched.
func (t *Targets) claimed(ctx context.Context, pod *corev1.Pod, by func(Ref) bool) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	for range chainLimit {
		if owner == nil {
			return false
		}
		if by(Ref{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: pod.Namespace, Name: owner.Name}) {
			return true
		}
		owner, _ = t.ownerOf(ctx, pod.Namespace, owner)
	}
	return false
}
