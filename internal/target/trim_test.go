package target

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"cusme.dev/cusme/internal/elastic"
)

func trimmed[T any](t *testing.T, object T) T {
	t.Helper()
	kept, err := Trim(object)
	if err != nil {
		t.Fatal(err)
	}
	return kept.(T)
}

func TestTrimKeepsWhatScalingSees(t *testing.T) {
	for name, c := range podCases(t) {
		once := trimmed(t, c.Pod.DeepCopy())
		if got, want := podOf(once, false), podOf(&c.Pod, false); got != want {
			t.Errorf("%s: %s\n got %+v\nwant %+v", name, c.Why, got, want)
		}
		if got, want := podOf(trimmed(t, once), false), podOf(&c.Pod, false); got != want {
			t.Errorf("%s: trimmed twice: got %+v, want %+v", name, got, want)
		}
	}
}

func TestTrimDropsTheRest(t *testing.T) {
	pod := podCases(t)["ready"].Pod
	pod.Labels = map[string]string{"app": "web"}
	text, err := yaml.Marshal(trimmed(t, &pod))
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"secret", "managedFields", "kept away", "image: model", "startedAt", "PodScheduled"} {
		if strings.Contains(string(text), gone) {
			t.Errorf("%q is still there:\n%s", gone, text)
		}
	}
	if !strings.Contains(string(text), "app: web") {
		t.Errorf("labels are gone, by which pods are found:\n%s", text)
	}
}

func TestTrimOfOtherKinds(t *testing.T) {
	managed := metav1.ObjectMeta{Name: "x", Namespace: "ns", UID: "u", ResourceVersion: "7", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}},
		Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}, OwnerReferences: []metav1.OwnerReference{{UID: "o", Controller: ptr.To(true)}}}

	node := trimmed(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"type": "virtual-kubelet"}}, Status: corev1.NodeStatus{Phase: "x"}})
	if _, ok := elastic.Known().Of(node); !ok || node.Status.Phase != "" {
		t.Errorf("node %+v: want its labels and nothing of its status", node)
	}
	d := trimmed(t, &appsv1.Deployment{ObjectMeta: managed, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](3), Paused: true}, Status: appsv1.DeploymentStatus{Replicas: 4, UpdatedReplicas: 2, ObservedGeneration: 9, ReadyReplicas: 1}})
	if *d.Spec.Replicas != 3 || d.Spec.Paused || vitalsOf(d) != (vitals{uid: "u", owner: "o", observed: 9, replicas: 4, updated: 2}) {
		t.Errorf("deployment %+v: want replicas, owner and status counters, and nothing else", d)
	}
	rs := trimmed(t, &metav1.PartialObjectMetadata{ObjectMeta: managed})
	for _, o := range []client.Object{d, rs} {
		if o.GetManagedFields() != nil || o.GetAnnotations() != nil || controller(o) != "o" || o.GetResourceVersion() != "7" {
			t.Errorf("metadata %+v: want version and owner, and neither annotations nor managed fields", o)
		}
	}
}

func TestTrimLeavesStrangersAlone(t *testing.T) {
	secret := &corev1.Secret{Data: map[string][]byte{"token": []byte("t")}}
	secret.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "m"}}
	if got := trimmed(t, secret); string(got.Data["token"]) != "t" || got.ManagedFields != nil {
		t.Errorf("secret %+v: want it whole but for the managed fields", got)
	}
	tombstone := toolscache.DeletedFinalStateUnknown{Key: "ns/x"}
	if got := trimmed(t, tombstone); got != tombstone {
		t.Errorf("tombstone became %+v", got)
	}
}
