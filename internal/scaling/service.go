package scaling

import (
	"math"
	"time"
)

// Service times are searched for between these, in steps of a half more: 30 guesses.
const (
	shortestService = 0.1
	guessRatio      = 1.5
	guessCount      = 31
	// longestService is the last guess, in seconds.
	longestService = 19175
	// likelyService and its spread, in logarithms, are what is believed before anything was seen: 0.8 s to 2 minutes.
	likelyService = 10
	likelySpread  = 2.5
	// forgets is after how long half of what was seen is forgotten.
	forgets = 3600
	// wanders is by how much demand changes in a minute, as a fraction.
	wanders = 0.15
)

// A guess is one of the service times that the load's own ups and downs are held
// against, with the demand that would go with it.
type guess struct {
	// seconds is the service time.
	seconds float64
	// demand is how many pods would be at work if none waited, and unsure the variance of that.
	demand, unsure float64
	// likely is the logarithm of how well it explains what was seen, against the best guess.
	likely float64
}

// ServiceTime is how long a pod works on one request, worked out from the load
// alone: of what a number of requests does from one reading to the next, one
// that takes a second explains other things than one that takes an hour.
//
// Each guess is a Kalman filter for the demand in a queue with Poisson arrivals,
// whose number of requests goes from x to demand + (x-demand)·e^(-d/S) while none
// wait (M/M/∞), and by (demand-pods)·d/S while some do. The guesses are weighed
// by how well each foretold what came, by Student's t-distribution, as real
// arrivals have outliers.
type ServiceTime struct {
	guesses [guessCount]guess
	known   bool
}

// newServiceTime is what is believed before anything was seen. With a service
// time from before a restart, above 0, it is believed to be about that.
func newServiceTime(was time.Duration) ServiceTime {
	middle, spread := float64(likelyService), likelySpread
	if was > 0 {
		middle, spread = was.Seconds(), 0.7
	}
	var s ServiceTime
	seconds := shortestService
	for i := range s.guesses {
		z := math.Log(seconds/middle) / spread
		s.guesses[i] = guess{seconds: seconds, likely: -z * z / 2}
		seconds *= guessRatio
	}
	return s
}

// Typical is the service time that is believed in: the weighted mean of the guesses' logarithms.
func (s ServiceTime) Typical() time.Duration {
	var sum, mean float64
	for _, g := range s.guesses {
		w := math.Exp(g.likely)
		sum += w
		mean += w * math.Log(g.seconds)
	}
	return time.Duration(math.Exp(mean/sum) * float64(time.Second))
}

// seen returns what is believed once the requests went from some number to
// another within so many seconds, with so many pods to work on them.
func (s ServiceTime) seen(from, to, pods, seconds float64) ServiceTime {
	best := math.Inf(-1)
	for i := range s.guesses {
		g := &s.guesses[i]
		if !s.known {
			g.demand, g.unsure = max(0.5, min(from, pods)), max(1, from)
		}
		g.see(from, to, pods, seconds)
		best = max(best, g.likely)
	}
	for i := range s.guesses {
		s.guesses[i].likely -= best
	}
	s.known = true
	return s
}

// freedom of Student's t-distribution: 4 degrees have tails as heavy as real arrivals'.
const freedom = 4

func (g *guess) see(from, to, pods, seconds float64) {
	g.unsure += (g.demand + 0.3) * (g.demand + 0.3) * wanders * wanders * seconds / 60
	expected, slope, noise := g.foresees(from, to, pods, seconds)
	off, spread := to-expected, slope*slope*g.unsure+noise
	odd := off * off / spread
	if from > 0 || to > 0 { // That nothing comes to nothing says nothing about how long it would take.
		keep := math.Exp2(-seconds / forgets)
		z := math.Log(g.seconds/likelyService) / likelySpread
		g.likely = g.likely*keep - (1-keep)*z*z/2 - 0.5*(math.Log(spread)+(freedom+1)*math.Log1p(odd/freedom))
	}
	gain, step := g.unsure*slope/spread, off
	g.unsure *= 1 - gain*slope
	if odd > 9 { // Three standard deviations: demand has jumped. It follows by less, and is less sure.
		step *= 3 / math.Sqrt(odd)
		g.unsure += 0.1 * off * off / max(slope*slope, 0.05)
	}
	g.demand = max(0.01, g.demand+gain*step)
}

// foresees returns the number of requests expected, by how much it would be more for one more of demand, and its variance.
func (g *guess) foresees(from, to, pods, seconds float64) (expected, slope, noise float64) {
	l := line{g.seconds}
	expected = l.nears(from, g.demand, seconds)
	if from <= pods && (expected <= pods || to <= pods) {
		return l.spread(expected, min(from, pods), g.demand, seconds)
	}
	slope = seconds / g.seconds
	expected = from + (g.demand-pods)*slope
	if expected >= pods {
		return expected, slope, (g.demand+pods)*slope + leastNoise
	}
	left := max(0, seconds-(from-pods)*g.seconds/max(1e-9, pods-g.demand))
	return l.spread(l.nears(pods, g.demand, left), pods, g.demand, left)
}

// leastNoise is the variance of a number that nothing changes: there is always something that the model does not know.
const leastNoise = 0.05

// spread adds to an expected number how it depends on the demand, and its variance, where none wait: of those that were at
// work each may have ended, and those that came are Poisson's.
func (l line) spread(expected, atWork, demand, seconds float64) (float64, float64, float64) {
	stay := math.Exp(-seconds / l.service)
	return expected, 1 - stay, atWork*stay*(1-stay) + demand*(1-stay) + leastNoise
}
