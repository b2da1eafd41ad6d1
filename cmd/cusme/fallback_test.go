package main

import (
	"fmt"
	"testing"
)

// A fallback begins when it is due, although no reading comes that could tell: the next is an hour away.
func TestFallbackComesBetweenReadings(t *testing.T) {
	t.Parallel()
	d := newDeployment(t, 2)
	d.isReady(t, 2)
	d.cluster.InstallCRD(t)
	d.cluster.Apply(t, fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui, namespace: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}
  maxReplicas: 10
  interval: 1h
  loads: [{name: backend, http: {url: "http://127.0.0.1:1/", value: body}}]
  fallback: {after: 2s, replicas: 4}
`, d.namespace))
	startController(t, d)
	d.reaches(t, 4)
	d.hasStatus(t, `{.status.conditions[?(@.type=="ScalingActive")].reason}`, "Fallback")
}
