package load

import (
	"cmp"
	"math"
	"slices"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// grains is how many parts of a window are told apart: a load that is read
// every 4 s fills an hour's. It bounds what is remembered of a load that is
// pushed without pause.
const grains = 1000

// A sample is a value in the window.
type sample struct {
	at      time.Time
	value   float64
	partial string // what it leaves out
}

// remember returns the window that ends with the newest reading, whose own time
// counts. Of values that share a grain only the greatest is kept, which errs
// towards more replicas. Values later than the newest come from a clock that
// was set back; they would never leave.
func (t trust) remember(samples []sample, newest scaling.Reading) []sample {
	from, s := newest.At.Add(-t.window), sample{newest.At, newest.Value, newest.Partial}
	var out []sample
	for _, old := range samples {
		if old.at.After(from) && old.at.Before(s.at) {
			out = append(out, old)
		}
	}
	if last := len(out) - 1; last >= 0 && s.at.Sub(out[last].at) < t.window/grains {
		out[last].value = max(out[last].value, s.value)
		out[last].partial = cmp.Or(s.partial, out[last].partial)
		return out
	}
	return append(out, s)
}

// aggregate makes one value of a window's, and says what it leaves out: as long
// as one of them does, so does the whole.
func (t trust) aggregate(samples []sample) (value float64, partial string) {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = s.value
		partial = cmp.Or(s.partial, partial)
	}
	return combine(t.by, values), partial
}

// combine makes one number of several, at least one: by avg, max, sum or p90, of
// which avg is the default. It changes none of them.
func combine(by string, values []float64) float64 {
	switch by {
	case "max":
		return slices.Max(values)
	case "sum":
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum
	case "p90":
		// The nearest rank: a value that was said, above nine tenths of them.
		ranked := slices.Sorted(slices.Values(values))
		return ranked[(9*len(ranked)+9)/10-1]
	default:
		mean := combine("sum", values) / float64(len(values))
		if math.IsInf(mean, 1) { // each part by itself stays finite
			mean = 0
			for _, v := range values {
				mean += v / float64(len(values))
			}
		}
		// Rounding must not lead out of the values.
		return min(max(mean, slices.Min(values)), slices.Max(values))
	}
}
