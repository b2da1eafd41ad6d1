package main

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"cusme.dev/cusme/internal/clustertest"
)

// deployment is a real Deployment in a namespace of its own.
type deployment struct {
	cluster   *clustertest.Cluster
	client    kubernetes.Interface
	namespace string
	name      string
}

// newDeployment creates one whose pods do not carry the label app=webui, by
// which the original looked for them. Annotations are the pods'.
func newDeployment(t testing.TB, replicas int, annotations ...string) *deployment {
	t.Helper()
	c := clustertest.Shared(t)
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{cluster: c, client: client, namespace: c.Namespace(t), name: "webui"}
	c.Apply(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: webui, namespace: %s}
spec:
  replicas: %d
  selector: {matchLabels: {part: painter}}
  template:
    metadata: {labels: {part: painter}, annotations: {%s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: painter, image: painter}]
`, d.namespace, replicas, strings.Join(annotations, ", ")))
	return d
}

func (d *deployment) get(t testing.TB) *appsv1.Deployment {
	t.Helper()
	got, err := d.client.AppsV1().Deployments(d.namespace).Get(t.Context(), d.name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (d *deployment) replicas(t testing.TB) int32 { return *d.get(t).Spec.Replicas }

// reaches waits until so many replicas are asked for.
func (d *deployment) reaches(t testing.TB, replicas int32) {
	t.Helper()
	d.eventually(t, func() error {
		if got := d.replicas(t); got != replicas {
			return fmt.Errorf("expected %d replicas asked for, got %d", replicas, got)
		}
		return nil
	})
}

// isReady waits until so many pods are ready, and no others exist.
func (d *deployment) isReady(t testing.TB, pods int32) {
	t.Helper()
	d.eventually(t, func() error {
		if s := d.get(t).Status; s.ReadyReplicas != pods || s.Replicas != pods {
			return fmt.Errorf("expected %d replicas, all ready, got %d of %d", pods, s.ReadyReplicas, s.Replicas)
		}
		return nil
	})
}

func (d *deployment) eventually(t testing.TB, ask func() error) {
	t.Helper()
	clustertest.Eventually(t, patience, ask)
}

// staysAt fails when replicas leave the number while the back end is read so often.
func (d *deployment) staysAt(t testing.TB, replicas int32, b *backend, reads int64) {
	t.Helper()
	for range reads {
		b.isAskedAgain(t, 1)
		if got := d.replicas(t); got != replicas {
			t.Fatalf("expected to stay at %d replicas, got %d", replicas, got)
		}
	}
}

func (d *deployment) scale(t testing.TB, replicas int32) {
	t.Helper()
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: d.name}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	if _, err := d.client.AppsV1().Deployments(d.namespace).UpdateScale(t.Context(), d.name, scale, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// writes returns the accepted writes of the scale since a mark.
func (d *deployment) writes(t testing.TB, since clustertest.Mark) []clustertest.Request {
	t.Helper()
	var accepted []clustertest.Request
	for _, r := range d.cluster.Requests(t, since, clustertest.Filter{UserAgent: "cusme/", Resource: "deployments/scale", Verbs: []string{"update"}, Namespace: d.namespace}) {
		if r.Code == 200 {
			accepted = append(accepted, r)
		}
	}
	return accepted
}

// dropIn starts cusme with the original's command line for the Deployment.
func (d *deployment) dropIn(t testing.TB, url string, flags ...string) *process {
	t.Helper()
	args := append([]string{"-n", d.namespace, "-d", d.name, "-t", "1s"}, flags...)
	return start(t, []string{"ThirdUrl=" + url, "KUBECONFIG_PATH=" + d.cluster.Kubeconfig}, args...)
}

// pods returns the Deployment's pods.
func (d *deployment) pods(t testing.TB) []corev1.Pod {
	t.Helper()
	list, err := d.client.CoreV1().Pods(d.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}
