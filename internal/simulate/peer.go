package simulate

import (
	"math"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// Peers returns what cusme is compared with: the original and other
// autoscalers on the same signal, each with its own defaults. Where one takes
// a band it is the original's, 0.5 to 0.8, and where it takes one target the
// middle of that; but Knative has a target utilization of its own, 70 %.
func Peers() []Contender {
	const target, low, high = 0.65, 0.5, 0.8
	step := scaling.FixedStep{Up: 3, Down: 1}
	return []Contender{
		Original(time.Minute, step, 10*time.Minute),
		Original(5*time.Minute, step, 10*time.Minute),
		HPA(target),
		KEDA(target),
		Watermark(high, low),
		Knative(0.7),
		AIBrix(target),
	}
}

// hold leaves the replicas as they are.
func hold(s *Sight) Move { return Move{Replicas: s.Replicas} }

// A signal turns what the application reports into what a peer is configured
// for. None of them knows how old a reading is.
type signal struct {
	// total says that readings are sums, as World.Total does.
	total bool
}

// index is the load for each ready pod; false when the reading brought no number.
func (g signal) index(s *Sight) (float64, bool) {
	if g.total {
		return s.Reading.Value / ready(s), good(s.Reading)
	}
	return s.Reading.Value, good(s.Reading)
}

// sum is the load of all pods together; false when the reading brought no number.
func (g signal) sum(s *Sight) (float64, bool) {
	if g.total {
		return s.Reading.Value, good(s.Reading)
	}
	return s.Reading.Value * ready(s), good(s.Reading)
}

// ready is what the application divides its requests by.
func ready(s *Sight) float64 { return float64(max(1, s.Ready)) }

func good(r scaling.Reading) bool {
	return r.Problem == "" && r.Value >= 0 && !math.IsInf(r.Value, 1) // NaN compares false
}

// milli rounds to thousandths, the precision in which external metrics travel through Kubernetes.
func milli(v float64) float64 { return math.Round(v * 1000) }

// A window keeps the values of the last while, oldest first. It allocates
// only while it grows.
type window struct {
	span    time.Duration
	samples []sample
}

type sample struct {
	at    time.Time
	value float64
}

// add keeps a value and lets go of those that are as old as the span.
func (w *window) add(at time.Time, value float64) {
	kept := w.since(at.Add(-w.span))
	w.samples = append(w.samples[:copy(w.samples, kept)], sample{at, value})
}

// since returns the samples after a moment, oldest first.
func (w *window) since(moment time.Time) []sample {
	for i, s := range w.samples {
		if s.at.After(moment) {
			return w.samples[i:]
		}
	}
	return nil
}

// mean is the average of samples; at least one is expected.
func mean(samples []sample) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += s.value
	}
	return sum / float64(len(samples))
}

func highest(samples []sample) float64 {
	top := math.Inf(-1)
	for _, s := range samples {
		top = max(top, s.value)
	}
	return top
}

func lowest(samples []sample) float64 {
	bottom := math.Inf(1)
	for _, s := range samples {
		bottom = min(bottom, s.value)
	}
	return bottom
}
