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

	perScaler = []interface {
		DeletePartialMatch(prometheus.Labels) int
		Reset()
	}{replicasGauge, loadGauge, ageGauge, freshGauge, decisions, moves, refusals, elasticSeconds, protectedSeconds, removedPods, youngPods, soldOutGauge}
)

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
	for count, n := range map[string]int32{
		"asked": tick.Observation.Replicas, "desired": d.Replicas, "existing": d.Pods.Existing,
		"ready": d.Pods.Ready, "starting": d.Pods.Starting, "late": d.Pods.Late, "elastic": d.Pods.Elastic,
	} {
		replicasGauge.WithLabelValues(key.Namespace, key.Name, count).Set(float64(n))
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
	for _, by := range []scaling.Cause{scaling.ByCusme, scaling.ByRollout, scaling.ByEviction, scaling.ByOutside} {
		youngPods.WithLabelValues(key.Namespace, key.Name, string(by)).Add(float64(is.Young[by] - was.Young[by]))
	}
}

// forgetGauges drops what is no longer true of a LoadScaler: its loads may have
// other names now, or nothing may be known. Counters go on.
func forgetGauges(key types.NamespacedName) {
	for _, g := range []*prometheus.GaugeVec{replicasGauge, loadGauge, ageGauge, freshGauge, soldOutGauge} {
		g.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "scaler": key.Name})
	}
}

func forgetMetrics(key types.NamespacedName) {
	for _, m := range perScaler {
		m.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "scaler": key.Name})
	}
}

func forgetAllMetrics() {
	for _, m := range perScaler {
		m.Reset()
	}
}
