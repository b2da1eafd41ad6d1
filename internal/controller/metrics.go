package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"cusme.dev/cusme/internal/scaling"
)

// Metrics, one series per LoadScaler (and load), dropped when it goes.
var (
	replicasGauge = gauge("cusme_replicas", "Replicas by what is counted: asked (before the decision), desired (by it), existing, ready, starting, late, elastic.", "count")
	loadGauge     = gauge("cusme_load", "Last good value of a load.", "load")
	ageGauge      = gauge("cusme_load_observed_timestamp_seconds", "When the last good value of a load was true, as Unix time.", "load")
	freshGauge    = gauge("cusme_load_fresh", "1 when the newest reading of a load may move replicas, else 0.", "load")
	decisions     = counter("cusme_decisions_total", "Decisions made.")
	moves         = counter("cusme_moves_total", "Writes of replicas that were accepted, by direction.", "direction")
	refusals      = counter("cusme_refusals_total", "Moves that were decided and not made: refused by the API server, or a dry run.")

	elasticSeconds   = counter("cusme_elastic_pod_seconds_total", "Time for which elastic pods were billed, of all pods together.")
	protectedSeconds = counter("cusme_protected_seconds_total", "Time for which pods younger than minPodAge held back a scale-in.")
	removedPods      = counter("cusme_removed_pods_total", "Pods that cusme's scale-ins took, by whether they were the ones chosen: chosen, missed.", "which")
	youngPods        = counter("cusme_young_pods_removed_total", "Pods that went before minPodAge, by what: cusme, rollout, eviction, outside.", "by")
	soldOutGauge     = gauge("cusme_elastic_sold_out", "1 while the elastic provider has no stock for the pods asked for, else 0.")

	// perScaler are all of them. A series is dropped by its own labels: a search
	// by namespace and name would look at those of all LoadScalers.
	perScaler = []family{
		{vec: replicasGauge, values: replicaCounts},
		{vec: loadGauge, byLoad: true},
		{vec: ageGauge, byLoad: true},
		{vec: freshGauge, byLoad: true},
		{vec: soldOutGauge},
		{vec: decisions, counts: true},
		{vec: moves, counts: true, values: []string{"up", "down"}},
		{vec: refusals, counts: true},
		{vec: elasticSeconds, counts: true},
		{vec: protectedSeconds, counts: true},
		{vec: removedPods, counts: true, values: []string{"chosen", "missed"}},
		{vec: youngPods, counts: true, values: causes()},
	}
)

// replicaCounts are what replicas are counted by.
var replicaCounts = []string{"asked", "desired", "existing", "ready", "starting", "late", "elastic"}

// youngCauses are by what young pods go.
var youngCauses = []scaling.Cause{scaling.ByCusme, scaling.ByRollout, scaling.ByEviction, scaling.ByOutside}

func causes() (names []string) {
	for _, by := range youngCauses {
		names = append(names, string(by))
	}
	return names
}

// A family is the series of one metric.
type family struct {
	vec interface {
		DeleteLabelValues(...string) bool
		Reset()
	}
	counts bool     // it is a counter
	byLoad bool     // it has a series for each load
	values []string // of its label beside namespace and scaler, where it has one
}

// forget drops a LoadScaler's series.
func (f family) forget(key types.NamespacedName, loads []string) {
	values := f.values
	if f.byLoad {
		values = loads
	}
	for _, v := range values {
		f.vec.DeleteLabelValues(key.Namespace, key.Name, v)
	}
	if !f.byLoad && f.values == nil {
		f.vec.DeleteLabelValues(key.Namespace, key.Name)
	}
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"namespace", "scaler"}, labels...))
	metrics.Registry.MustRegister(g)
	return g
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"namespace", "scaler"}, labels...))
	metrics.Registry.MustRegister(c)
	return c
}

func observeMetrics(key types.NamespacedName, tick scaling.Tick) {
	d := tick.Decision
	for i, n := range []int32{tick.Observation.Replicas, d.Replicas, d.Pods.Existing, d.Pods.Ready, d.Pods.Starting, d.Pods.Late, d.Pods.Elastic} {
		replicasGauge.WithLabelValues(key.Namespace, key.Name, replicaCounts[i]).Set(float64(n))
	}
	for _, v := range d.Loads {
		fresh := 0.0
		if v.State == scaling.Fresh {
			fresh = 1
		}
		freshGauge.WithLabelValues(key.Namespace, key.Name, v.Load).Set(fresh)
		if !v.At.IsZero() {
			loadGauge.WithLabelValues(key.Namespace, key.Name, v.Load).Set(v.Value)
			ageGauge.WithLabelValues(key.Namespace, key.Name, v.Load).Set(float64(v.At.UnixMilli()) / 1000)
		}
	}
	soldOut := 0.0
	if d.Stock.Out() {
		soldOut = 1
	}
	soldOutGauge.WithLabelValues(key.Namespace, key.Name).Set(soldOut)
	decisions.WithLabelValues(key.Namespace, key.Name).Inc()
	switch {
	case tick.Outcome.Refused != "":
		refusals.WithLabelValues(key.Namespace, key.Name).Inc()
	case tick.Outcome.Wrote && d.Replicas > tick.Observation.Replicas:
		moves.WithLabelValues(key.Namespace, key.Name, "up").Inc()
	case tick.Outcome.Wrote:
		moves.WithLabelValues(key.Namespace, key.Name, "down").Inc()
	}
}

// countAccount adds to the counters what an account grew by.
func countAccount(key types.NamespacedName, was, is scaling.Account) {
	elasticSeconds.WithLabelValues(key.Namespace, key.Name).Add((is.Elastic - was.Elastic).Seconds())
	protectedSeconds.WithLabelValues(key.Namespace, key.Name).Add((is.Waited - was.Waited).Seconds())
	missed := is.Missed - was.Missed
	removedPods.WithLabelValues(key.Namespace, key.Name, "missed").Add(float64(missed))
	removedPods.WithLabelValues(key.Namespace, key.Name, "chosen").Add(float64(is.Removed - was.Removed - missed))
	for _, by := range youngCauses {
		youngPods.WithLabelValues(key.Namespace, key.Name, string(by)).Add(float64(is.Young[by] - was.Young[by]))
	}
}

// forgetGauges drops what is no longer true of a LoadScaler and its loads: they may have
// other names now, or nothing may be known. Counters go on.
func forgetGauges(key types.NamespacedName, loads []string) {
	for _, f := range perScaler {
		if !f.counts {
			f.forget(key, loads)
		}
	}
}

func forgetMetrics(key types.NamespacedName, loads []string) {
	for _, f := range perScaler {
		f.forget(key, loads)
	}
}

func forgetAllMetrics() {
	for _, f := range perScaler {
		f.vec.Reset()
	}
}
