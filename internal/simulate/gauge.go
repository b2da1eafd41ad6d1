package simulate

import (
	"math"
	"slices"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A gauge is what the application's load endpoint shows, and how it fails.
type gauge struct {
	last    scaling.Reading
	history []measured // of a gauge that lags, oldest first
}

type measured struct {
	at    time.Duration
	value float64
}

// reading polls the load, with the faults that the world has at the moment.
func (r *replay) reading() scaling.Reading {
	g, f, at := &r.gauge, r.Faults, r.moment(r.now)
	value := r.lagging(r.load())
	if f.Noise > 0 {
		value = max(0, value*(1+f.Noise*r.random.NormFloat64()))
	}
	switch {
	case within(f.Missing, r.now):
		g.last.Problem, g.last.Message = scaling.Failed, "the endpoint gives no answer"
	case within(f.Broken, r.now):
		g.last.Problem, g.last.Message = scaling.Invalid, "the answer is not a number"
	case within(f.Frozen, r.now):
		g.last = scaling.Reading{Value: g.last.Value, At: at}
	default:
		g.last = scaling.Reading{Value: value, At: at}
	}
	return g.last
}

// moment is so long after the beginning.
func (r *replay) moment(after time.Duration) time.Time { return r.began.Add(after) }

// load is what the application would report: requests on pods that are being
// removed are still running, and these pods are ready no longer.
func (r *replay) load() float64 {
	total := float64(r.running + r.queue.len())
	if r.Total {
		return total
	}
	return total / math.Max(1, float64(r.ready))
}

// lagging returns the value that was true some time ago.
func (r *replay) lagging(value float64) float64 {
	if r.Faults.Lag <= 0 {
		return value
	}
	g := &r.gauge
	g.history = append(g.history, measured{r.now, value})
	for len(g.history) > 1 && g.history[1].at <= r.now-r.Faults.Lag {
		g.history = slices.Delete(g.history, 0, 1)
	}
	return g.history[0].value
}

func within(spans []Span, at time.Duration) bool {
	return slices.ContainsFunc(spans, func(s Span) bool { return s.From <= at && at < s.To })
}
