package controller

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"cusme.dev/cusme/internal/scaling"
)

// Metrics, one series per LoadScaler (and load), dropped when it goes.
var (
	replicasGauge = describe("cusme_replicas", "Replicas by what is counted: asked (before the decision), desired (by it), existing, ready, starting, late, elastic.", "count")
	loadGauge     = describe("cusme_load", "Last good value of a load.", "load")
	ageGauge      = describe("cusme_load_observed_timestamp_seconds", "When the last good value of a load was true, as Unix time.", "load")
	freshGauge    = describe("cusme_load_fresh", "1 when the newest reading of a load may move replicas, else 0.", "load")
	startP50Gauge = describe("cusme_startup_p50_seconds", "Time from creation to readiness within which half of the last starts were over, by nodes: ordinary, elastic.", "nodes")
	startP95Gauge = describe("cusme_startup_p95_seconds", "Time from creation to readiness within which 95 % of the last starts were over, by nodes: ordinary, elastic.", "nodes")
	soldOutGauge  = describe("cusme_elastic_sold_out", "1 while the elastic provider has no stock for the pods asked for, else 0.")

	decisions        = describe("cusme_decisions_total", "Decisions made.")
	moves            = describe("cusme_moves_total", "Writes of replicas that were accepted, by direction.", "direction")
	refusals         = describe("cusme_refusals_total", "Moves that were decided and not made: refused by the API server, or a dry run.")
	elasticSeconds   = describe("cusme_elastic_pod_seconds_total", "Time for which elastic pods were billed, of all pods together.")
	protectedSeconds = describe("cusme_protected_seconds_total", "Time for which pods younger than minPodAge held back a scale-in.")
	removedPods      = describe("cusme_removed_pods_total", "Pods that cusme's scale-ins took, by whether they were the ones chosen: chosen, missed.", "which")
	youngPods        = describe("cusme_young_pods_removed_total", "Pods that went before minPodAge, by what: cusme, rollout, eviction, outside.", "by")
)

// A description says what a metric is.
type description struct {
	*prometheus.Desc
	label *string // the name of the label beside namespace and scaler; nil where there is none
}

func describe(name, help string, label ...string) description {
	d := description{Desc: prometheus.NewDesc(name, help, append([]string{"namespace", "scaler"}, label...), nil)}
	if len(label) > 0 {
		d.label = &label[0]
	}
	return d
}

// figures are the numbers behind one LoadScaler's series.
type figures struct {
	known    bool // whether the gauges are true
	replicas [len(replicaCounts)]float64
	loads    []loadFigures
	soldOut  float64
	starts   [len(nodeKinds)]scaling.StartUp

	decisions, up, down, refusals float64
	counted                       bool // whether the account's counters are
	elastic, protected            float64
	chosen, missed                float64
	young                         [len(youngCauses)]float64
}

type loadFigures struct {
	name             string
	fresh, value, at float64
	ever             bool // whether there ever was a good value
}

// replicaCounts are what replicas are counted by.
var replicaCounts = [...]string{"asked", "desired", "existing", "ready", "starting", "late", "elastic"}

// nodeKinds are what starts are told apart by.
var nodeKinds = [...]string{"ordinary", "elastic"}

// youngCauses are by what young pods go.
var youngCauses = [...]scaling.Cause{scaling.ByCusme, scaling.ByRollout, scaling.ByEviction, scaling.ByOutside}

// A ledger keeps the figures of all LoadScalers, and makes series of them when it
// is asked. Kept as series, ten thousand LoadScalers would take 100 MB.
type ledger struct {
	mu  sync.Mutex
	all map[types.NamespacedName]*figures
}

var book = newLedger()

func newLedger() *ledger {
	l := &ledger{all: map[types.NamespacedName]*figures{}}
	metrics.Registry.MustRegister(l)
	return l
}

// of lets change look at, and change, a LoadScaler's figures.
func (l *ledger) of(key types.NamespacedName, change func(*figures)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.all[key]
	if f == nil {
		f = &figures{}
		l.all[key] = f
	}
	change(f)
}

func observeMetrics(key types.NamespacedName, tick scaling.Tick) {
	book.of(key, func(f *figures) { f.observe(tick) })
}

// observe notes one turn of the crank.
func (f *figures) observe(tick scaling.Tick) {
	d := tick.Decision
	f.known = true
	for i, n := range []int32{tick.Observation.Replicas, d.Replicas, d.Pods.Existing, d.Pods.Ready, d.Pods.Starting, d.Pods.Late, d.Pods.Elastic} {
		f.replicas[i] = float64(n)
	}
	for _, v := range d.Loads {
		l := f.load(v.Load)
		l.fresh = oneIf(v.State == scaling.Fresh)
		if !v.At.IsZero() {
			l.value, l.at, l.ever = v.Value, float64(v.At.UnixMilli())/1000, true
		}
	}
	f.soldOut = oneIf(d.Stock.Out())
	f.starts = [...]scaling.StartUp{d.Learned.Ordinary.StartUp, d.Learned.Elastic.StartUp}
	f.decisions++
	switch {
	case tick.Outcome.Refused != "":
		f.refusals++
	case tick.Outcome.Wrote && d.Replicas > tick.Observation.Replicas:
		f.up++
	case tick.Outcome.Wrote:
		f.down++
	}
}

func (f *figures) load(name string) *loadFigures {
	i := slices.IndexFunc(f.loads, func(l loadFigures) bool { return l.name == name })
	if i < 0 {
		i = len(f.loads)
		f.loads = append(f.loads, loadFigures{name: name})
	}
	return &f.loads[i]
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// countAccount adds to the counters what an account grew by.
func countAccount(key types.NamespacedName, was, is scaling.Account) {
	book.of(key, func(f *figures) {
		f.counted = true
		f.elastic += (is.Elastic - was.Elastic).Seconds()
		f.protected += (is.Waited - was.Waited).Seconds()
		missed := float64(is.Missed - was.Missed)
		f.missed += missed
		f.chosen += float64(is.Removed-was.Removed) - missed
		for i, by := range youngCauses {
			f.young[i] += float64(is.Young[by] - was.Young[by])
		}
	})
}

// forgetGauges drops what is no longer true of a LoadScaler: its loads may have
// other names now, or nothing may be known. Counters go on.
func forgetGauges(key types.NamespacedName) {
	book.of(key, func(f *figures) { f.known, f.loads = false, nil })
}

func forgetMetrics(key types.NamespacedName) {
	book.mu.Lock()
	defer book.mu.Unlock()
	delete(book.all, key)
}

func forgetAllMetrics() {
	book.mu.Lock()
	defer book.mu.Unlock()
	clear(book.all)
}

// Describe leaves the descriptions to Collect, where they come with their series.
func (l *ledger) Describe(chan<- *prometheus.Desc) {}

// Collect hands out the series of all LoadScalers.
func (l *ledger) Collect(out chan<- prometheus.Metric) {
	for _, s := range l.series() {
		out <- s
	}
}

// series are those of all LoadScalers, at one moment.
func (l *ledger) series() []series {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all scribe
	for key, f := range l.all {
		all.about(key)
		f.write(&all)
	}
	return all.series
}

func (f *figures) write(s *scribe) {
	if f.known {
		for i, n := range f.replicas {
			s.gauge(replicasGauge, n, replicaCounts[i])
		}
		for _, l := range f.loads {
			s.load(l)
		}
		s.gauge(soldOutGauge, f.soldOut)
		for i, start := range f.starts {
			s.start(start, nodeKinds[i])
		}
	}
	if f.decisions > 0 {
		s.counter(decisions, f.decisions)
		s.counter(moves, f.up, "up")
		s.counter(moves, f.down, "down")
		s.counter(refusals, f.refusals)
	}
	if f.counted {
		s.counter(elasticSeconds, f.elastic)
		s.counter(protectedSeconds, f.protected)
		s.counter(removedPods, f.chosen, "chosen")
		s.counter(removedPods, f.missed, "missed")
		for i, n := range f.young {
			s.counter(youngPods, n, string(youngCauses[i]))
		}
	}
}
