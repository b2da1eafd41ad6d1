package simulate

import (
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// hours is a demand of so many pods at work, by the time since the trace began; each request takes 20 s.
func hours(name string, days int, busy func(time.Duration) float64) Trace {
	const service, most = 20 * time.Second, 60.0
	return Trace{Name: name, Requests: func(seed uint64) iter.Seq2[Request, error] {
		return func(yield func(Request, error) bool) {
			random := rand.New(rand.NewPCG(seed, 7))
			end := time.Duration(days) * 24 * time.Hour
			for at := time.Duration(0); ; {
				at += time.Duration(random.ExpFloat64() / most * float64(service))
				if at >= end {
					return
				}
				if random.Float64()*most < busy(at) && !yield(Request{at, service}, nil) {
					return
				}
			}
		}
	}}
}

// office is busy from 9:00 to 18:00, shifted.
func office(at, shift time.Duration) float64 {
	if h := (at - shift + 24*time.Hour) % (24 * time.Hour); h >= 9*time.Hour && h < 18*time.Hour {
		return 20
	}
	return 2
}

type tally struct {
	Result
	acted, aside int
	lastActed    time.Duration
	why          map[string]int
}

func slowWorld(t *testing.T) World {
	w := plain(1, 1)
	w.Max, w.Min, w.Warm = 60, 1, 2
	w.Start = StartUp{Median: 5 * time.Minute, P99: 6 * time.Minute}
	w.Interval, w.Limit, w.Drain = 15*time.Second, 30*time.Second, true
	return w
}

func forecasts(t *testing.T, w World, trace Trace, zone *time.Location) tally {
	t.Helper()
	out := tally{why: map[string]int{}}
	w.Observe = func(m *Moment) {
		for _, r := range m.Decision.Reasons {
			if r.Step == scaling.Forecast {
				if r.To > r.From {
					out.acted++
					out.lastActed = m.At
				} else {
					out.aside++
				}
				if out.why[r.Why]++; out.why[r.Why] == 1 {
					t.Logf("%s: %d -> %d: %s", m.Now.Format("2 Jan 15:04"), r.From, r.To, r.Why)
				}
			}
		}
	}
	p := scaling.Policy{Min: w.Min, Max: w.Max, StartDeadline: 20 * time.Minute, Objective: &scaling.Objective{Wait: 30 * time.Second, Percentile: 95, Zone: zone},
		Loads: []scaling.Load{{Name: "load", StaleAfter: 45 * time.Second}}}
	r, err := w.Run(t.Context(), trace, Cusme("objective", p))
	if err != nil {
		t.Fatal(err)
	}
	out.Result = r
	t.Logf("%s: ratio %.3f, mean %s p95 %s p99 %s over %.2f %%, %d started, acted %d aside %d", trace.Name, r.Ratio(), r.Waits.Mean, r.Waits.P95, r.Waits.P99, 100*r.Waits.Over, r.Started, out.acted, out.aside)
	return out
}

func TestForecast(t *testing.T) {
	for name, busy := range map[string]func(time.Duration) float64{
		"steps": func(at time.Duration) float64 { return office(at, 0) },
	} {
		trace := hours(name, 28, busy)
		forecasts(t, slowWorld(t), trace, nil)
		forecasts(t, slowWorld(t), trace, time.UTC)
	}
}
