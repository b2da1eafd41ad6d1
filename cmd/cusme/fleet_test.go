package main

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"cusme.dev/cusme/internal/clustertest"
)

const (
	startupAnnotation = "localcluster.cusme.dev/startup"
	faultAnnotation   = "localcluster.cusme.dev/fault"
	addressAnnotation = "localcluster.cusme.dev/pod-ip"
)

// A fleet is a Deployment to be made, on nodes of its own if it names any.
type fleet struct {
	name     string
	replicas int
	// nodes is the value of the label fleet on the nodes that it may use; empty for those of everybody.
	nodes string
	// elastic pins its pods to localcluster's virtual node.
	elastic bool
	// template are annotations of its pods.
	template map[string]string
}

// create makes the Deployment in the namespace of another one.
func (f fleet) create(t testing.TB, beside *deployment) *deployment {
	t.Helper()
	var annotations []string
	for key, value := range f.template {
		annotations = append(annotations, fmt.Sprintf("%s: %q", key, value))
	}
	where := ""
	switch {
	case f.elastic:
		where = "nodeSelector: {type: virtual-kubelet}, tolerations: [{key: vci.vke.volcengine.com/node-type, operator: Exists}]"
	case f.nodes != "":
		where = fmt.Sprintf("nodeSelector: {fleet: %[1]s}, tolerations: [{key: fleet, value: %[1]s}, {key: vci.vke.volcengine.com/node-type, operator: Exists}]", f.nodes)
	}
	beside.cluster.Apply(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  replicas: %[3]d
  selector: {matchLabels: {part: %[1]s}}
  template:
    metadata: {labels: {part: %[1]s}, annotations: {%[4]s}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: painter, image: painter}], %[5]s}
`, f.name, beside.namespace, f.replicas, strings.Join(annotations, ", "), where))
	d := *beside
	d.name = f.name
	return &d
}

// newNamespace returns a namespace to make Deployments in.
func newNamespace(t testing.TB, c *clustertest.Cluster) *deployment {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return &deployment{cluster: c, client: client, namespace: c.Namespace(t)}
}

// newNodes makes an ordinary and an elastic node that only the fleets of that
// name may use. localcluster plays every node there is.
func newNodes(t testing.TB, c *clustertest.Cluster, fleet string) {
	t.Helper()
	c.Apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Node
metadata: {name: ordinary-%[1]s, labels: {fleet: %[1]s}}
spec: {taints: [{key: fleet, value: %[1]s, effect: NoSchedule}]}
---
apiVersion: v1
kind: Node
metadata: {name: elastic-%[1]s, labels: {fleet: %[1]s, type: virtual-kubelet}}
spec:
  taints:
  - {key: fleet, value: %[1]s, effect: NoSchedule}
  - {key: vci.vke.volcengine.com/node-type, value: vci, effect: NoSchedule}
`, fleet))
	t.Cleanup(func() {
		if _, err := c.Kubectl(t, "delete", "nodes", "--wait=false", "-l", "fleet="+fleet); err != nil {
			t.Log(err)
		}
	})
}

// onElastic reports whether a pod's node is one of newNodes' elastic ones.
func onElastic(node string) bool { return strings.HasPrefix(node, "elastic-") }

// fill lets new pods of a fleet go to its elastic node only, or to its ordinary one only.
func (d *deployment) fill(t testing.TB, fleet string, elastic bool) {
	t.Helper()
	for node, closed := range map[string]bool{"ordinary-" + fleet: elastic, "elastic-" + fleet: !elastic} {
		patch := fmt.Sprintf(`{"spec":{"unschedulable":%t}}`, closed)
		if _, err := d.client.CoreV1().Nodes().Patch(t.Context(), node, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// annotate sets an annotation of a pod, or with no value takes it away. A pod that is gone is none to annotate.
func (d *deployment) annotate(t testing.TB, pod, key, value string) {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, key, value)
	if value == "" {
		patch = fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, key)
	}
	_, err := d.client.CoreV1().Pods(d.namespace).Patch(t.Context(), pod, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil && !strings.Contains(err.Error(), "not found") {
		t.Error(err)
	}
}

// rollOut changes a Deployment's template.
func (d *deployment) rollOut(t testing.TB, version string) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"version":%q}}}}}`, version)
	if _, err := d.client.AppsV1().Deployments(d.namespace).Patch(t.Context(), d.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// newTotalScaler gives a Deployment a LoadScaler of its own name whose back end
// reports how many replicas are wanted. More are lines of its spec.
func newTotalScaler(t testing.TB, d *deployment, b *backend, more ...string) {
	t.Helper()
	d.cluster.Apply(t, fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  maxReplicas: 30
  interval: 1s
  loads: [{name: wanted, type: Total, low: "0.97", high: "1.03", target: 1, http: {url: %[3]q, value: body.data.load_balance}}]
  behavior:
    scaleUp: {policies: [{type: Pods, value: 30, periodSeconds: 1}]}
    scaleDown: {stabilizationWindowSeconds: 0}
  %[4]s
`, d.name, d.namespace, b.URL, strings.Join(more, "\n  ")))
}
