package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Three pods, of which two tell their load and one never does: what the two say
// adds replicas and takes none away, until the third speaks.
func TestLoadOfPods(t *testing.T) {
	t.Parallel()
	const silent = "127.0.78.2" // where nobody listens
	b, d := newBackend(t, "5"), newDeployment(t, 2, heldBack, addressAnnotation+": "+silent)
	port := "0"
	for _, pod := range d.unready(t, 2) {
		port = answerBy(t, d, pod, b, port)
	}
	d.letGo(t)
	d.isReady(t, 2)
	d.cluster.InstallCRD(t)
	d.cluster.Apply(t, fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  maxReplicas: 3
  interval: 1s
  loads: [{name: running, low: 2, high: 8, pods: {port: %[3]s, value: body.data.load_balance}}]
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
`, d.name, d.namespace, port))
	startController(t, d)
	d.hasStatus(t, `{.status.conditions[?(@.type=="ReadingsFresh")].status}`, "True")
	d.staysAt(t, 2, b, 6)

	b.reports("20")
	d.reaches(t, 3)
	d.unready(t, 1)
	d.letGo(t)
	d.isReady(t, 3)
	b.reports("0.5")
	d.eventually(t, func() error {
		time.Sleep(200 * time.Millisecond) // kubectl is a process
		said, err := d.cluster.Kubectl(t, "get", "loadscaler", d.name, "-n", d.namespace, "-o", "jsonpath={.status.loads[0].message}")
		if want := "1 of 3 ready pods gave no number, such as "; err != nil || !strings.HasPrefix(said, want) || !strings.Contains(said, "connection refused") {
			return fmt.Errorf("expected the status to say %q and why, got %q (%v)", want, said, err)
		}
		return nil
	})
	d.staysAt(t, 3, b, 10)
}
