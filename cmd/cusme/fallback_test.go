package main

import (
	"testing"
)

// A fallback begins when it is due, although no reading comes that could tell: the next is an hour away.
func TestFallbackComesBetweenReadings(t *testing.T) {
	t.Parallel()
	d := newDeployment(t, 2)
	d.isReady(t, 2)
	putScaler(t, d, itsDeployment, "interval: 1h",
		`loads: [{name: backend, http: {url: "http://127.0.0.1:1/", value: body}}]`,
		"fallback: {after: 2s, replicas: 4}")
	startController(t, d)
	d.reaches(t, 4)
	d.hasStatus(t, `{.status.conditions[?(@.type=="ScalingActive")].reason}`, "Fallback")
}
