package scaling

import (
	"math"
	"slices"
	"time"
)

// A Workload is what is known of the requests behind one load, of readings
// alone. It is a value: after returns a new one.
type Workload struct {
	Load string
	// Service is how long a pod works on one request.
	Service ServiceTime
	// Past is the demand of the last minutes, oldest first.
	Past []Stretch
	// Slack is the part of the wait that may be used up by what can be foreseen. It is steered by how many would have
	// waited too long; below 0 it is headroom for more demand than there was.
	Slack float64
	// Active is when requests were last seen; zero when none ever were.
	Active time.Time
	// Frozen is the evidence that the load does not change although requests come and go: minus the logarithm of how likely that is.
	Frozen float64
	// before is what was known when the load last changed, one; none when that is this. What came since is dropped if the load
	// was frozen.
	before []Workload
	// now is what the newest reading showed.
	now glimpse
	// usual is the mean demand, over the time known or some hours.
	usual float64
	known time.Duration
	// late is the part of it that waited longer than allowed, whether or not that could be avoided.
	late float64
	bursts
}

// A Stretch is a time with its mean demand, in pods that it would keep at work.
type Stretch struct {
	Took   time.Duration
	Demand float64
}

// A glimpse is what one reading says of the requests, and what there was for them.
type glimpse struct {
	at    time.Time
	value float64
	// all counts the requests, those on leaving pods included; here those that the pods that stay have to do.
	all, here float64
	// ready counts the pods that stay and serve, leaving those that are being removed and still work.
	ready, leaving float64
	// wait is how long one that came now would wait.
	wait float64
	// full says that the maximum was reached: more could not be had.
	full bool
}

// busy is how many pods work.
func (g glimpse) busy() float64 { return min(g.here, g.ready) + g.leaving }

const (
	// firstSlack leaves half of the wait for what cannot be foreseen. With all of it the wait was missed on six of eight real traces.
	firstSlack = 0.5
	// Slack moves between these by slackGain for a reading's worth of usual demand: over hours, not minutes.
	leastSlack, mostSlack, slackGain = -0.5, 0.55, 0.003
	// heaviest bounds what one reading weighs in that.
	heaviest = 50
	// usualOver is the time over which demand is called usual.
	usualOver = 4 * time.Hour
	// shortestStretch keeps polls of a second from making the past long, and mostStretches from making a long past longer.
	shortestStretch = 5 * time.Second
	mostStretches   = 100
	// outage is how long there may be nothing to read until what was before says nothing about now.
	outage = 3 * time.Minute
	// isFrozen is the evidence of one in a thousand.
	isFrozen = 7
)

// after returns what is known after one more reading. Of a load that is frozen that is what was known when it last changed:
// to the rest there is no more than to an outage.
func (w Workload) after(g glimpse, o Objective, start time.Duration) Workload {
	if w.frozen() && g.value == w.now.value {
		w.now = g
		return w
	}
	if w.frozen() {
		w = w.before[0]
	}
	gap := g.at.Sub(w.now.at)
	if w.now.at.IsZero() || gap > outage || gap < -outage {
		return w.anew(g)
	}
	was, seconds := w.now, gap.Seconds()
	if w = w.doubts(g, seconds); w.frozen() {
		return w
	}
	pods := (was.ready+g.ready)/2 + max(was.leaving, g.leaving)
	w.Service = w.Service.seen(was.all, g.all, pods, seconds)
	demand := max(0, (was.busy()+g.busy())/2+w.service()*(g.all-was.all)/seconds)
	s := Stretch{gap, demand}
	w.bursts = w.bursts.after(surge{at: g.at, took: gap, demand: min(demand, g.all), replayed: highest(w.Past), tooLate: w.late > w.usual*(1-o.Percentile/100)}, start)
	w.Past = lengthen(w.Past, s, w.reach(start))
	w = w.learns(was, demand, gap, o)
	w.now = g
	return w.active(g)
}

// isNews reports whether a reading is newer than the last one, or from a clock that was set back.
func (w Workload) isNews(r Reading) bool {
	return r.At.After(w.now.at) || w.now.at.Sub(r.At) > outage
}

// anew begins again after an outage, or when the clock was set back: what was before says nothing about now.
func (w Workload) anew(g glimpse) Workload {
	if g.at.Before(w.now.at) {
		w.bursts = bursts{longer: w.longer}
	}
	w.Past, w.Active, w.Frozen, w.before, w.now = nil, time.Time{}, 0, nil, g
	return w.active(g)
}

func (w Workload) active(g glimpse) Workload {
	if g.here > 0 || w.Active.IsZero() {
		w.Active = g.at
	}
	return w
}

// service is the service time in seconds.
func (w Workload) service() float64 { return w.Service.Typical().Seconds() }

// doubts returns what is known in view of the evidence that the load is stuck.
func (w Workload) doubts(g glimpse, seconds float64) Workload {
	known := w
	w.Frozen = w.freezes(w.now, g, seconds)
	switch {
	case w.Frozen == 0:
		w.before = nil
	case w.before == nil:
		w.before = []Workload{known}
	}
	if w.frozen() {
		frozen := w.before[0]
		frozen.before, frozen.Frozen, frozen.now = w.before, w.Frozen, g
		return frozen
	}
	return w
}

// frozen reports whether the load is believed to be stuck.
func (w Workload) frozen() bool { return w.Frozen >= isFrozen }

// freezes adds to the evidence that the load is stuck. Where v requests are done between two readings, and as many come, their
// number comes out the same with the probability e^(-2v)·I₀(2v): about e^(-2v) of few, and 1/√(1+4πv) of many.
func (w Workload) freezes(was, g glimpse, seconds float64) float64 {
	if g.value != was.value || g.value == 0 {
		return 0
	}
	if g.all != was.all {
		return w.Frozen + isFrozen/2 // A ratio to other pods would hardly ever be the same.
	}
	v := was.busy() * (1 - math.Exp(-seconds/w.service()))
	return w.Frozen + min(2*v, math.Log1p(4*math.Pi*v)/2)
}

// learns steers the slack by what the last reading's requests met. What no slack would have mended teaches nothing: waits
// while the first pod or those for a burst are starting, and at
// the maximum.
func (w Workload) learns(was glimpse, demand float64, gap time.Duration, o Objective) Workload {
	w.known = min(w.known+gap, usualOver)
	part := min(1, gap.Seconds()/w.known.Seconds())
	w.usual += part * (demand - w.usual)
	allowed := (1 - o.Percentile/100) / 2 // Half: what readings miss, such as a burst between two, waits as well.
	missed := 0.0
	if was.wait > o.Wait.Seconds() {
		missed = 1
	}
	w.late += part * (missed*demand - w.late)
	if missed > 0 && (was.full || was.ready == 0 || was.at.Before(w.until)) {
		return w
	}
	weight := min(heaviest, demand*gap.Seconds()/(15*max(w.usual, 0.2)))
	w.Slack = max(leastSlack, min(mostSlack, w.Slack+slackGain*weight*(allowed-missed)))
	return w
}

// lengthen adds a stretch to the past, and drops what is out of reach.
func lengthen(past []Stretch, s Stretch, reach time.Duration) []Stretch {
	if n := len(past); n > 0 && past[n-1].Took+s.Took <= max(shortestStretch, 2*reach/mostStretches) {
		last := past[n-1]
		took := last.Took + s.Took
		s = Stretch{took, (last.Demand*last.Took.Seconds() + s.Demand*s.Took.Seconds()) / took.Seconds()}
		past = past[:n-1]
	}
	past = append(slices.Clip(past), s)
	return past[since(past, reach):]
}

// since is the index from which the past covers so much time, as far as it goes.
func since(past []Stretch, reach time.Duration) int {
	i := len(past)
	for span := time.Duration(0); i > 0 && span < reach; span += past[i].Took {
		i--
	}
	return i
}

// covers is how much time the past covers.
func covers(past []Stretch) (span time.Duration) {
	for _, s := range past {
		span += s.Took
	}
	return span
}
