package simulate

import (
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

const day = 24 * time.Hour

// demand is a trace of so many days that keeps so many pods at work, by the time since it began, 40 at most; each request takes 40 s.
func demand(name string, days int, busy func(time.Duration) float64) Trace {
	const service, most = 40 * sec, 40.0
	return Trace{Name: name, Requests: func(seed uint64) iter.Seq2[Request, error] {
		return func(yield func(Request, error) bool) {
			random := rand.New(rand.NewPCG(seed, 7))
			for at := time.Duration(0); at < time.Duration(days)*day; at += time.Duration(random.ExpFloat64() / most * float64(service)) {
				if random.Float64()*most < busy(at) && !yield(Request{at, service}, nil) {
					return
				}
			}
		}
	}}
}

// office is busy from 9:00 to 18:00.
func office(at time.Duration) float64 {
	if hour := at % day; hour >= 9*time.Hour && hour < 18*time.Hour {
		return 12
	}
	return 1
}

// walk is a demand that wanders with the hours and knows no day.
func walk(seed uint64, days int) func(time.Duration) float64 {
	random, now := rand.New(rand.NewPCG(seed, 3)), 8.0
	levels := make([]float64, days*48)
	for i := range levels {
		now = max(1, min(20, now+random.NormFloat64()))
		levels[i] = now
	}
	return func(at time.Duration) float64 { return levels[min(int(at/(30*time.Minute)), len(levels)-1)] }
}

// foretold replays a trace with starts of five minutes, with and without a forecast. It returns both, and the days on which
// the forecast ordered pods.
func foretold(t *testing.T, trace Trace) (without, with Result, acted []int) {
	t.Helper()
	w := plain(1, 2)
	w.Max, w.Start = 60, StartUp{Median: 5 * time.Minute, P99: 6 * time.Minute}
	run := func(zone *time.Location) Result {
		w.Observe = func(m *Moment) {
			for _, r := range m.Decision.Reasons {
				on := int(m.At / day)
				if r.Step == scaling.Forecast && r.To > r.From && (len(acted) == 0 || acted[len(acted)-1] != on) {
					acted = append(acted, on)
				}
			}
		}
		p := scaling.Policy{
			Min: w.Min, Max: w.Max, StartDeadline: 20 * time.Minute, Loads: []scaling.Load{{Name: "load", StaleAfter: 45 * sec}},
			Objective: &scaling.Objective{Wait: 30 * sec, Percentile: 95, Zone: zone},
		}
		r, err := w.Run(t.Context(), trace, Cusme("objective", p))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s, forecast %t: ratio %.3f, waits mean %s p99 %s, %.2f %% over 30 s, %d started", trace.Name, zone != nil, r.Ratio(), r.Waits.Mean, r.Waits.P99, 100*r.Waits.Over, r.Started)
		return r
	}
	without = run(nil)
	with = run(time.UTC)
	t.Logf("ordered pods on days %v", acted)
	return without, with, acted
}

func TestAForecastOfOfficeHours(t *testing.T) {
	t.Parallel()
	without, with, acted := foretold(t, demand("office hours", 24, office))
	if len(acted) == 0 || acted[0] < 14 {
		t.Errorf("it ordered pods on days %v, want some from the third week on", acted)
	}
	if with.Waits.Over > 0.9*without.Waits.Over || with.Ratio() > without.Ratio() {
		t.Errorf("%.2f %% waited too long for %.3f, without %.2f %% for %.3f", 100*with.Waits.Over, with.Ratio(), 100*without.Waits.Over, without.Ratio())
	}
}

func TestAForecastStandsAsideWhenTheHoursChange(t *testing.T) {
	t.Parallel()
	without, with, acted := foretold(t, demand("six hours later from day 17", 24, func(at time.Duration) float64 {
		if at >= 17*day {
			return office(at - 6*time.Hour)
		}
		return office(at)
	}))
	if len(acted) == 0 || acted[len(acted)-1] != 17 {
		t.Errorf("it ordered pods on days %v, want day 17 to be the last", acted)
	}
	if with.Ratio() > 1.03*without.Ratio() {
		t.Errorf("a ratio of %.3f, without %.3f", with.Ratio(), without.Ratio())
	}
}

func TestAForecastOfWhatKnowsNoDay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		if _, _, acted := foretold(t, demand("a random walk", 21, walk(seed, 21))); len(acted) > 0 {
			t.Errorf("seed %d: it ordered pods on days %v", seed, acted)
		}
	}
}
