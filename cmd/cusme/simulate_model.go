package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

// mostWarm bounds --warm, each of which is a pod in memory.
const mostWarm = 100_000

// youngAge is the age below which removals count as young for a LoadScaler that protects no pod: the start-up of a model
// with a large image and a little use of it.
const youngAge = 10 * time.Minute

// worldFlags are what the command line says of the world.
type worldFlags struct {
	startUp                 startUp
	drain, busy             bool
	grace, limit, interval  time.Duration
	warm                    int32
	seed                    uint64
	missing, frozen, broken spans
	lag                     time.Duration
	noise                   float64
	given                   func(flag string) bool
}

func (m *worldFlags) flags(f *pflag.FlagSet) {
	m.startUp = startUp{Median: time.Minute, P99: 150 * time.Second}
	f.Var(&m.startUp, "startup", "how long pods take to become ready: `median,p99`")
	f.BoolVar(&m.drain, "drain", false, "pods that are removed finish their request, for however long")
	f.DurationVar(&m.grace, "grace", 30*time.Second, "how long pods that are removed may go on; then their request starts anew elsewhere")
	f.BoolVar(&m.busy, "busy", false, "pods say whether they are busy; default whether the LoadScaler asks")
	f.DurationVar(&m.limit, "limit", 30*time.Second, "a wait beyond it is too long; that of the first LoadScaler's objective, where it has one")
	f.DurationVar(&m.interval, "interval", 0, "time between two readings; default the LoadScaler's")
	f.Int32Var(&m.warm, "warm", 1, "pods ready at the beginning; the LoadScaler's minReplicas, where it has one")
	f.Uint64Var(&m.seed, "seed", 1, "draws start-up times and what a trace leaves open")
	f.Var(&m.missing, "missing", "the load gives no answer: `from..to`, such as 9h..9h30m; may be repeated, as the next two")
	f.Var(&m.frozen, "frozen", "the load repeats its last value as if it were new: `from..to`")
	f.Var(&m.broken, "broken", "the load is not a number: `from..to`")
	f.DurationVar(&m.lag, "lag", 0, "how much older the load is than it says")
	f.Float64Var(&m.noise, "noise", 0, "standard deviation of the load's error, as a fraction of it")
}

func (m *worldFlags) check() error {
	switch {
	case m.grace < 0:
		return fmt.Errorf("--grace: expected 0s or more, got %s", m.grace)
	case m.drain && m.given("grace"):
		return errors.New("--grace: with --drain pods finish for however long; leave one of the two out")
	case m.limit < 0:
		return fmt.Errorf("--limit: expected 0s or more, got %s", m.limit)
	case m.given("interval") && m.interval < time.Second:
		return fmt.Errorf("--interval: expected at least 1s, got %s", m.interval)
	case m.warm < 0 || m.warm > mostWarm:
		return fmt.Errorf("--warm: expected 0 to %d, got %d", mostWarm, m.warm)
	case m.lag < 0:
		return fmt.Errorf("--lag: expected 0s or more, got %s", m.lag)
	case !(m.noise >= 0 && m.noise <= 1):
		return fmt.Errorf("--noise: expected 0 to 1, got %v", m.noise)
	}
	return nil
}

// within refuses faults that no trace is long enough for: they would go unseen.
func (m *worldFlags) within(traces ...simulate.Trace) error {
	longest := slices.MaxFunc(traces, func(a, b simulate.Trace) int { return cmp.Compare(a.Span, b.Span) }).Span
	for _, one := range slices.Concat(m.missing, m.frozen, m.broken) {
		if one.From > longest {
			return fmt.Errorf("--missing, --frozen, --broken: expected a time within the trace, which ends after %s, got %s", brief(longest), &spans{one})
		}
	}
	return nil
}

// world is the one that a LoadScaler lives in, by the given one of its loads.
func (m *worldFlags) world(spec v1alpha1.LoadScalerSpec, p scaling.Policy) simulate.World {
	w := simulate.World{
		Interval: cmp.Or(m.interval, controller.IntervalOf(spec)),
		Start:    simulate.StartUp(m.startUp),
		Drain:    m.drain,
		Grace:    m.grace,
		Min:      p.Min,
		Max:      p.Max,
		Warm:     p.Min,
		Total:    p.Loads[0].Total,
		TellBusy: p.AskBusy || m.busy,
		Faults:   simulate.Faults{Missing: m.missing, Frozen: m.frozen, Broken: m.broken, Lag: m.lag, Noise: m.noise},
		Limit:    m.limit,
		YoungAge: cmp.Or(p.MinPodAge, youngAge),
		Seed:     m.seed,
	}
	if m.given("warm") {
		w.Warm = m.warm
	}
	if p.Objective != nil && !m.given("limit") {
		w.Limit = p.Objective.Wait
	}
	if m.given("busy") {
		w.TellBusy = m.busy
	}
	return w
}

// startUp is --startup.
type startUp simulate.StartUp

// String implements pflag.Value.
func (s *startUp) String() string { return s.Median.String() + "," + s.P99.String() }

// Type implements pflag.Value.
func (s *startUp) Type() string { return "median,p99" }

// Set implements pflag.Value. One duration alone makes all starts alike.
func (s *startUp) Set(text string) error {
	median, p99, both := strings.Cut(text, ",")
	if !both {
		p99 = median
	}
	m, errM := time.ParseDuration(median)
	p, errP := time.ParseDuration(p99)
	if errM != nil || errP != nil || m <= 0 || p < m {
		return errors.New("expected two durations, the second not shorter, such as 60s,150s")
	}
	s.Median, s.P99 = m, p
	return nil
}

// A beginning is --begin; zero unless given.
type beginning struct{ time.Time }

// String implements pflag.Value.
func (b *beginning) String() string {
	if b.IsZero() {
		return ""
	}
	return b.Format(time.RFC3339)
}

// Type implements pflag.Value.
func (b *beginning) Type() string { return "time" }

// Set implements pflag.Value.
func (b *beginning) Set(text string) (err error) {
	if b.Time, err = time.Parse(time.RFC3339, text); err != nil || b.IsZero() {
		return errors.New("expected a time such as 2026-11-23T00:00:00Z or 2026-11-23T00:00:00+08:00")
	}
	return nil
}

// spans are flags such as --missing.
type spans []simulate.Span

// String implements pflag.Value.
func (s *spans) String() string {
	var all []string
	for _, one := range *s {
		all = append(all, one.From.String()+".."+one.To.String())
	}
	return strings.Join(all, ",")
}

// Type implements pflag.Value.
func (s *spans) Type() string { return "from..to" }

// Set implements pflag.Value. It adds to the spans there are.
func (s *spans) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		from, to, _ := strings.Cut(one, "..")
		f, errF := time.ParseDuration(from)
		t, errT := time.ParseDuration(to)
		if errF != nil || errT != nil || f < 0 || t <= f {
			return errors.New("expected two times since the beginning of the trace, such as 9h..9h30m")
		}
		*s = append(*s, simulate.Span{From: f, To: t})
	}
	return nil
}
