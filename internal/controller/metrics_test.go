package controller

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"cusme.dev/cusme/internal/scaling"
)

// Whatever a LoadScaler has series of goes with it, and nobody else's.
func TestMetricsGoWithTheirLoadScaler(t *testing.T) {
	t.Cleanup(forgetAllMetrics)
	gone, stays := types.NamespacedName{Namespace: "prod", Name: "gone"}, types.NamespacedName{Namespace: "prod", Name: "stays"}
	for _, key := range []types.NamespacedName{gone, stays} {
		tick := scaling.Tick{Observation: scaling.Observation{Replicas: 2}, Decision: scaling.Decision{
			Replicas: 3, Learned: scaling.Learned{Elastic: seconds(60, 90)}, Loads: []scaling.Verdict{{Reading: scaling.Reading{Load: "queue", At: time.Unix(1, 0)}, State: scaling.Fresh}},
		}}
		for _, outcome := range []scaling.Outcome{{Wrote: true}, {Refused: "no"}} {
			tick.Outcome = outcome
			observeMetrics(key, tick)
		}
		tick.Decision.Replicas, tick.Outcome = 1, scaling.Outcome{Wrote: true}
		observeMetrics(key, tick)
		countAccount(key, scaling.Account{}, scaling.Account{Elastic: time.Hour, Waited: time.Hour, Removed: 2, Missed: 1})
	}
	if before := seriesOf(t, gone.Name); before != 13+12 || before != seriesOf(t, stays.Name) {
		t.Fatalf("%d series of one, %d of the other: expected 13 gauges and 12 counters of each", before, seriesOf(t, stays.Name))
	}
	forgetGauges(gone)
	if left := seriesOf(t, gone.Name); left != 4+8 {
		t.Errorf("%d series are left beside the gauges, expected 12 counters", left)
	}
	forgetMetrics(gone)
	if left := seriesOf(t, gone.Name); left > 0 {
		t.Errorf("%d series are left of a LoadScaler that has gone", left)
	}
	if seriesOf(t, stays.Name) == 0 {
		t.Error("the other one's series have gone too")
	}
}

func seriesOf(t *testing.T, scaler string) int {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "scaler" && l.GetValue() == scaler {
					n++
				}
			}
		}
	}
	return n
}
