package simulate

import (
	"math"
	"math/rand/v2"
	"time"
)

// draw returns a start-up time, above 0 and no longer than any trace. The 99th percentile of a normal distribution is 2.3263 standard deviations above its mean.
func (s StartUp) draw(random *rand.Rand) time.Duration {
	sigma := math.Log(float64(s.P99)/float64(s.Median)) / 2.3263
	took := float64(s.Median) * math.Exp(sigma*random.NormFloat64())
	return time.Duration(min(max(took, 1), float64(longestTrace)))
}

// Mean is the mean start-up time.
func (s StartUp) Mean() time.Duration {
	sigma := math.Log(float64(s.P99)/float64(s.Median)) / 2.3263
	return time.Duration(float64(s.Median) * math.Exp(sigma*sigma/2))
}

// startUp is how long the next pod takes.
func (r *replay) startUp() time.Duration {
	if n := r.result.Started; n < int64(len(r.Starts)) {
		return r.Starts[n]
	}
	return r.Start.draw(r.random)
}
