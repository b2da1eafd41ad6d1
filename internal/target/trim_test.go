package target

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"cusme.dev/cusme/internal/elastic"
)

func trimmed[T any](t *testing.T, object T) T {
	t.Helper()
	kept, err := Trim(nil)(object)
	if err != nil {
		t.Fatal(err)
	}
	return kept.(T)
}

func TestTrimKeepsWhatScalingSees(t *testing.T) {
	for name, c := range podCases(t) {
		once := trimmed(t, c.Pod.DeepCopy())
		if got, want := podOf(once, c.host(t)), podOf(&c.Pod, c.host(t)); got != want {
			t.Errorf("%s: %s\n got %+v\nwant %+v", name, c.Why, got, want)
		}
		if got, want := podOf(trimmed(t, once), c.host(t)), podOf(&c.Pod, c.host(t)); got != want {
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
	for _, gone := range []string{"secret", "managedFields", "kept away", "image: model", "2026-11-01T10:01:00Z", "PodScheduled"} {
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
		Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", revisionAnnotation: "3"}, OwnerReferences: []metav1.OwnerReference{{UID: "o", Controller: ptr.To(true)}}}

	node := trimmed(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"type": "virtual-kubelet"}}, Status: corev1.NodeStatus{Phase: "x"}})
	if _, ok := elastic.Known().Of(node); !ok || node.Status.Phase != "" {
		t.Errorf("node %+v: want its labels and nothing of its status", node)
	}
	d := trimmed(t, &appsv1.Deployment{ObjectMeta: managed, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](3), Paused: true}, Status: appsv1.DeploymentStatus{Replicas: 4, UpdatedReplicas: 2, ObservedGeneration: 9, ReadyReplicas: 1}})
	if *d.Spec.Replicas != 3 || d.Spec.Paused || vitalsOf(d) != (vitals{uid: "u", owner: "o", observed: 9, replicas: 4, updated: 2, revision: 3}) {
		t.Errorf("deployment %+v: want replicas, owner and status counters, and nothing else", d)
	}
	rs := trimmed(t, &metav1.PartialObjectMetadata{ObjectMeta: managed})
	for _, o := range []client.Object{d, rs} {
		if o.GetManagedFields() != nil || len(o.GetAnnotations()) != 1 || revision(o) != 3 || controller(o) != "o" || o.GetResourceVersion() != "7" {
			t.Errorf("metadata %+v: want version, owner and revision, and neither other annotations nor managed fields", o)
		}
	}
}

// A spread's status counts pods, and changes with each.
func TestTrimOfForeignOwners(t *testing.T) {
	spread := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps.kruise.io/v1alpha1", "kind": "WorkloadSpread",
		"metadata": map[string]any{"name": "spread", "namespace": "ns", "uid": "u", "resourceVersion": "7", "annotations": map[string]any{"x": "y"}},
		"spec":     map[string]any{"targetRef": map[string]any{"name": "web"}},
		"status":   map[string]any{"observedGeneration": int64(1)},
	}}
	kept := trimmed(t, spread)
	if kept.GetKind() != "WorkloadSpread" || kept.GetName() != "spread" || kept.GetNamespace() != "ns" || kept.GetResourceVersion() != "7" || specOf(kept) == nil {
		t.Errorf("kept %v: want name, version and spec", kept)
	}
	if kept.Object["status"] != nil || kept.GetAnnotations() != nil {
		t.Errorf("kept %v: want neither status nor annotations", kept)
	}
	spread.SetKind("CloneSet")
	if other := trimmed(t, spread); other.Object["status"] == nil {
		t.Errorf("kept of another kind: %v, want all of it", other)
	}
}

// A sign that only the user's rules know.
func TestTrimForTheRulesOfTheUser(t *testing.T) {
	rules, err := elastic.Known().With("burst:label=example.com/burst", "burst:sold-out=NothingLeft")
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
		{Type: "Placed", Status: corev1.ConditionFalse, Reason: "NothingLeft", Message: "come back tomorrow"},
	}}}
	kept, err := Trim(rules)(pod.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	if got := soldOut(kept.(*corev1.Pod), host{elastic: true, provider: rules[0]}); got != "come back tomorrow" {
		t.Errorf("trimmed for the rules the pod says %q", got)
	}
	if got := soldOut(trimmed(t, pod), host{elastic: true, provider: rules[0]}); got != "" {
		t.Errorf("trimmed for the built-in providers it says %q: want the condition dropped", got)
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
