package scaling

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The queue's closed form against ten thousand small steps of the equation it solves.
func TestLineIsTheIntegral(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := line{rapid.Float64Range(0.5, 300).Draw(r, "service")}
		x := rapid.Float64Range(0, 200).Draw(r, "requests")
		demand := rapid.Float64Range(0, 100).Draw(r, "demand")
		n := rapid.Float64Range(0.5, 100).Draw(r, "pods")
		seconds := rapid.Float64Range(0.1, 120).Draw(r, "seconds")
		const steps = 10_000
		want := x
		for range steps {
			want += (demand - min(want, n)) / l.service * seconds / steps
		}
		if got := l.after(x, demand, n, seconds); math.Abs(got-want) > 0.01+0.01*want {
			r.Errorf("%v requests, demand %v, %v pods of %v s, after %v s: got %v, want %v", x, demand, n, l.service, seconds, got, want)
		}
	})
}

// Fewer pods do not serve what the fewest serve, and more do.
func TestFewestIsTheLeast(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		needs := rehearsal{
			line:  line{rapid.Float64Range(0.1, 300).Draw(r, "service")},
			limit: rapid.Float64Range(0, 60).Draw(r, "limit"),
			more:  rapid.Float64Range(1, 1.5).Draw(r, "more"),
			past: rapid.SliceOfN(rapid.Custom(func(r *rapid.T) Stretch {
				return Stretch{15 * time.Second, rapid.Float64Range(0, 100).Draw(r, "demand")}
			}), 0, 40).Draw(r, "past"),
		}
		requests := rapid.Float64Range(0, 500).Draw(r, "requests")
		n := needs.fewest(requests)
		if n < 1 || !needs.serves(requests, float64(n)) || n > 1 && needs.serves(requests, float64(n-1)) {
			r.Errorf("%d is not the fewest", n)
		}
		if !needs.serves(requests, float64(n+1)) || needs.fewest(requests+1) < n {
			r.Errorf("more pods than %d do not serve, or more requests need fewer", n)
		}
	})
}

// A queue of a million is sized at once, and one without end does not go on for ever.
func TestFewestOfAMillion(t *testing.T) {
	needs := rehearsal{line: line{30}, limit: 15, more: 1, past: []Stretch{{time.Minute, 1e6}}}
	if got := needs.fewest(1e6); got < 600_000 || got > 1_000_000 {
		t.Errorf("got %d for a million requests", got)
	}
	if got := needs.fewest(1e300); got != math.MaxInt32 {
		t.Errorf("got %d for 1e300 requests", got)
	}
}

// An hour of polls each 15 s tells the service time within a factor of 2, from 10 s to 5 minutes. What is much shorter than
// the time between two polls leaves no trace in them: of those no more is known than that they are short.
func TestServiceTimeIsToldByTheLoad(t *testing.T) {
	for _, c := range []struct{ service, least, most float64 }{
		{1, 0.1, 3}, {4, 0.5, 8}, {10, 5, 20}, {30, 15, 60}, {100, 50, 200}, {300, 150, 600},
	} {
		random := rand.New(rand.NewPCG(7, uint64(c.service)))
		told := newServiceTime(0)
		var ends []float64 // when each running request ends
		for range 20 {
			ends = append(ends, c.service*random.ExpFloat64())
		}
		from, next := 20.0, c.service/20*random.ExpFloat64()
		for at := 15.0; at <= 3600; at += 15 {
			for ; next < at; next += c.service / 20 * random.ExpFloat64() {
				ends = append(ends, next+c.service*random.ExpFloat64())
			}
			to := 0.0
			left := ends[:0]
			for _, end := range ends {
				if end > at {
					left = append(left, end)
					to++
				}
			}
			ends = left
			told = told.seen(from, to, 40, 15)
			from = to
		}
		if got := told.Typical().Seconds(); got < c.least || got > c.most {
			t.Errorf("requests of %v s are told to be of %v s", c.service, got)
		}
	}
}

// Each poll of a second is no stretch of its own, and an hour of them is no more than about a hundred.
func TestThePastIsBounded(t *testing.T) {
	for _, start := range []time.Duration{15 * time.Second, time.Minute, time.Hour} {
		w := recalled("load", Estimates{reachLonger: 1e9})
		for i := range 10_000 {
			at := epoch.Add(time.Duration(i) * time.Second)
			w = w.after(glimpse{at: at, value: float64(i % 7), all: float64(i % 7), here: float64(i % 7), ready: 5}, Objective{Wait: 30 * time.Second, Percentile: 95}, start)
		}
		if n, span := len(w.Past), covers(w.Past); n > 2*mostStretches || span > longestReach+2*longestReach/mostStretches {
			t.Errorf("with starts of %s: %d stretches over %s", start, n, span)
		}
	}
}

// A busy service whose load stays the same to the digit is taken for frozen within minutes; a few long jobs are not, for half an hour.
func TestFrozenIsToldFromSteady(t *testing.T) {
	for _, c := range []struct {
		service  time.Duration
		busy     float64
		readings int // after so many it is told frozen, or not
		frozen   bool
	}{
		{10 * time.Second, 50, 5, true},
		{10 * time.Second, 50, 1, false},
		{2 * time.Hour, 3, 120, false},
	} {
		w := Workload{Service: newServiceTime(c.service)}
		g := glimpse{value: c.busy, all: c.busy, here: c.busy, ready: 100}
		for range c.readings {
			w.Frozen = w.freezes(g, g, 15)
		}
		if got := w.frozen(); got != c.frozen {
			t.Errorf("%v busy with requests of %s, %d readings alike: frozen %t, want %t (evidence %v)", c.busy, c.service, c.readings, got, c.frozen, w.Frozen)
		}
	}
}

// What a restart finds may be anything finite.
func TestRecalledIsWithinBounds(t *testing.T) {
	for _, e := range []Estimates{nil, {}, {serviceSeconds: -1, slackOfWait: -9, reachLonger: -1}, {serviceSeconds: 1e300, slackOfWait: 9, reachLonger: 1e300}} {
		w := recalled("load", e)
		if s := w.service(); !(s >= shortestService && s <= longestService) || w.Slack < leastSlack || w.Slack > mostSlack || w.times() < 1 || w.times() > mostLonger {
			t.Errorf("%v made a service time of %v s, slack %v, %v times the reach", e, s, w.Slack, w.times())
		}
	}
	w := recalled("load", Estimates{serviceSeconds: 90, slackOfWait: 0.3, reachLonger: 2})
	if s := w.service(); s < 60 || s > 135 || w.Slack != 0.3 || w.times() != 2 {
		t.Errorf("90 s, 0.3 and 2 came back as %v s, %v and %v", s, w.Slack, w.times())
	}
	w.known = 2 * time.Hour
	if kept := (Learned{}).keep([]Workload{w}).Objective["load"]; kept[slackOfWait] != 0.3 {
		t.Errorf("kept %v", kept)
	}
	w.known = 0
	if kept := (Learned{}).keep([]Workload{w}).Objective; len(kept) > 0 {
		t.Errorf("kept %v of a load that was only just met", kept)
	}
}

// A burst like one before doubles what is looked back on, but only while too many wait.
func TestBurstsThatReturn(t *testing.T) {
	for _, late := range []bool{true, false} {
		b := bursts{}
		for i := range 4 {
			at := epoch.Add(time.Duration(i) * 15 * time.Minute)
			b = b.after(surge{at: at, took: 15 * time.Second, demand: 20, tooLate: late}, time.Minute)
		}
		if got := b.reach(time.Minute); late && got < 30*time.Minute || !late && got != 8*time.Minute {
			t.Errorf("too late %t: %s are looked back on", late, got)
		}
	}
}
