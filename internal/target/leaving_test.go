package target

import (
	"context"
	"errors"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/scaling"
)

// pod wants one pod of the target to be in some way.
func pod(name string, is func(scaling.Pod) bool) func(State, error) error {
	return func(s State, err error) error {
		for _, p := range s.Pods {
			if p.Name == name && is(p) {
				return nil
			}
		}
		return errors.Join(fmt.Errorf("pod %s is not so: %+v", name, s.Pods), err)
	}
}

// A finalizer keeps the pod for long enough to be looked at.
func TestDrainedPods(t *testing.T) {
	b := newBench(t, benchOptions{})
	d := deployment(b.ns, "web", 1).(*appsv1.Deployment)
	d.Spec.Template.Finalizers = []string{"test.cusme.dev/keep"}
	b.create(t, d)
	ref := deploymentRef(b.ns, "web")
	s := b.see(t, ref, settled(1))
	name := s.Pods[0].Name
	drained := &corev1.Pod{ObjectMeta: named(b.ns, name)}
	t.Cleanup(func() { b.letGo(t, ref.Name) })

	status := client.RawPatch("application/strategic-merge-patch+json", []byte(
		`{"status":{"conditions":[{"type":"DisruptionTarget","status":"True","reason":"PreemptionByScheduler"}]}}`))
	if err := b.admin.Status().Patch(t.Context(), drained, status); err != nil {
		t.Fatal(err)
	}
	b.see(t, ref, pod(name, func(p scaling.Pod) bool { return p.Doomed == "being evicted (PreemptionByScheduler)" && !p.Leaving }))

	if err := b.admin.SubResource("eviction").Create(t.Context(), drained, &policyv1.Eviction{}); err != nil {
		t.Fatal(err)
	}
	b.see(t, ref, pod(name, func(p scaling.Pod) bool { return p.Leaving && p.Doomed == "being evicted (EvictionByEvictionAPI)" }))
}

// letGo takes the finalizers from pods, so that their namespace can go.
func (b *bench) letGo(t *testing.T, app string) {
	ctx := context.Background()
	if err := b.admin.Delete(ctx, &appsv1.Deployment{ObjectMeta: named(b.ns, app)}); err != nil {
		t.Error(err)
	}
	clustertest.Eventually(t, patience, func() error {
		var pods corev1.PodList
		if err := b.admin.List(ctx, &pods, client.InNamespace(b.ns)); err != nil || len(pods.Items) == 0 {
			return err
		}
		for _, p := range pods.Items {
			if err := b.admin.Patch(ctx, &p, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
		return fmt.Errorf("%d pods are left", len(pods.Items))
	})
}

func TestPodsOfAnOldTemplate(t *testing.T) {
	b := newBench(t, benchOptions{})
	d := deployment(b.ns, "web", 2).(*appsv1.Deployment)
	b.create(t, d)
	ref := deploymentRef(b.ns, "web")
	s := b.see(t, ref, settled(2))
	old := map[string]bool{s.Pods[0].Name: true, s.Pods[1].Name: true}

	b.update(t, d, func() { d.Spec.Template.Spec.NodeSelector = map[string]string{"no": "such"} })
	b.see(t, ref, func(s State, err error) error {
		if err != nil || len(s.Pods) != 3 {
			return fmt.Errorf("%d pods, error %v; want two old and one new", len(s.Pods), err)
		}
		for _, p := range s.Pods {
			if p.Outdated != old[p.Name] {
				return fmt.Errorf("pod %s outdated: %v, want %v", p.Name, p.Outdated, old[p.Name])
			}
		}
		return nil
	})
	// Rolled back, the old template is the newest.
	b.update(t, d, func() { d.Spec.Template.Spec.NodeSelector = nil })
	b.see(t, ref, func(s State, err error) error {
		if err := settled(2)(s, err); err != nil {
			return err
		}
		for _, p := range s.Pods {
			if p.Outdated || !old[p.Name] {
				return fmt.Errorf("pod %+v, want an old one that is not outdated any more", p)
			}
		}
		return nil
	})
}
