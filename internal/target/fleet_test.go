package target

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/clustertest"
)

// Fleet is a kind of somebody else's: a scale subresource, and a controller
// that makes its pods itself.
const fleetDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: fleets.test.cusme.dev}
spec:
  group: test.cusme.dev
  scope: Namespaced
  names: {kind: Fleet, listKind: FleetList, plural: fleets, singular: fleet}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {replicas: {type: integer}}}
          status: {type: object, properties: {replicas: {type: integer}, selector: {type: string}}}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}
`

func installFleet(t *testing.T) {
	t.Helper()
	c := clustertest.Shared(t)
	c.Apply(t, fleetDefinition)
	// The definition is accepted a little before its API is served.
	clustertest.Eventually(t, patience, func() error {
		_, err := c.Kubectl(t, "get", "fleets.test.cusme.dev", "--all-namespaces")
		return err
	})
}

func fleet(ns, name string, replicas int32) client.Object {
	f := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": int64(replicas)}}}
	f.SetAPIVersion("test.cusme.dev/v1")
	f.SetKind("Fleet")
	f.SetNamespace(ns)
	f.SetName(name)
	return f
}

// playFleet is the fleets' controller, for as long as the fleet or the test lasts.
func playFleet(t *testing.T, b *bench, name string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var playing sync.WaitGroup
	playing.Go(func() {
		for ctx.Err() == nil {
			err := playOnce(ctx, b, name)
			switch {
			case apierrors.IsNotFound(err):
				return
			case err != nil && !apierrors.IsConflict(err) && !errors.Is(err, context.Canceled):
				t.Errorf("play the fleet's controller: %v", err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() {
		stop()
		playing.Wait()
	})
}

// playOnce makes the pods that are missing, or removes those of the highest
// number, and tells the status.
func playOnce(ctx context.Context, b *bench, name string) error {
	f := fleet(b.ns, name, 0).(*unstructured.Unstructured)
	if err := b.admin.Get(ctx, client.ObjectKeyFromObject(f), f); err != nil {
		return err
	}
	var pods corev1.PodList
	if err := b.admin.List(ctx, &pods, client.InNamespace(b.ns), client.MatchingLabels{"fleet-uid": string(f.GetUID())}); err != nil {
		return err
	}
	want, _, err := unstructured.NestedInt64(f.Object, "spec", "replicas")
	if err != nil {
		return err
	}
	have := int64(len(pods.Items))
	if told, _, _ := unstructured.NestedInt64(f.Object, "status", "replicas"); told != have || f.Object["status"] == nil {
		f.Object["status"] = map[string]any{"replicas": have, "selector": "app=" + name}
		if err := b.admin.Status().Update(ctx, f); err != nil {
			return err
		}
	}
	if have < want {
		return b.admin.Create(ctx, fleetPod(f, have))
	}
	if have > want {
		return client.IgnoreNotFound(b.admin.Delete(ctx, &pods.Items[have-1], client.GracePeriodSeconds(0)))
	}
	return nil
}

func fleetPod(f *unstructured.Unstructured, i int64) *corev1.Pod {
	pod := &corev1.Pod{Spec: podTemplate(f.GetName()).Spec}
	pod.Namespace = f.GetNamespace()
	pod.GenerateName = fmt.Sprintf("%s-%d-", f.GetName(), i)
	pod.Labels = map[string]string{"app": f.GetName(), "fleet-uid": string(f.GetUID())}
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(f, f.GroupVersionKind())}
	return pod
}
