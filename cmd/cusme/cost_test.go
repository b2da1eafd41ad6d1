package main

import (
	"fmt"
	"testing"
)

// A scale-in of k pods costs at most k marks, and one write each of the scale,
// the event and the status. Nothing is to be cleaned up: marks vanish with their pods.
func TestWhatAScaleInCosts(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "10"), newDeployment(t, 10)
	d.isReady(t, 10)
	d.cluster.InstallCRD(t)
	newTotalScaler(t, d, b)
	startController(t, d)
	d.hasStatus(t, `{.status.conditions[?(@.type=="ReadingsFresh")].status}`, "True")

	left := 10
	for _, pods := range []int{1, 3, 5} {
		mark := d.cluster.Mark(t)
		left -= pods
		b.reports(fmt.Sprint(left))
		d.isReady(t, int32(left))
		d.hasStatus(t, "{.status.currentReplicas}/{.status.desiredReplicas}", fmt.Sprintf("%d/%[1]d", left))
		b.isAskedAgain(t, 3)
		d.cost(t, mark, map[string][2]int{"pods": {1, pods}, "deployments/scale": {1, 1}, "events": {1, 1}, "loadscalers/status": {1, 1}})
	}
}
