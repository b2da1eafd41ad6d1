package scaling

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	// mostStarts is how many starts of one kind are remembered.
	mostStarts = 50
	// halfStarts is after how many newer ones a start counts half. The newest then has 7 % of the whole weight or more, so
	// that P95 is never below it: a new image that starts more slowly is believed at once, one that starts faster after 43 starts.
	halfStarts = 10
	// enoughStarts is how many say how long starts take. One more start takes longer than the longest of n with a
	// probability of 1/(n+1).
	enoughStarts = 10
	// leastMargin is the least time beyond P95 for which a pod is trusted: times are whole seconds, and some nodes are slow.
	leastMargin = 30 * time.Second
)

// A StartUp is how long a target's pods take from their creation to their first readiness.
type StartUp struct {
	// P50 and P95 are the times within which half of the starts were over, and 95 %. A newer start counts more.
	P50, P95 time.Duration
	// Seen is on how many starts this rests, at most 50; 0 when nothing is known.
	Seen int
}

// Known reports whether enough starts were seen to act on.
func (s StartUp) Known() bool { return s.Seen >= enoughStarts }

// Starts are the last starts of one kind, and their sum.
type Starts struct {
	StartUp
	// Took is how long each took, newest last, above 0. Kubernetes knows both ends to the whole second.
	Took []time.Duration
}

// NewStarts sums up starts, newest last. Of more than 50 it takes the last.
func NewStarts(took []time.Duration) Starts {
	s := Starts{Took: slices.Clone(took[max(0, len(took)-mostStarts):])}
	type start struct {
		took   time.Duration
		weight float64
	}
	sorted, whole := make([]start, len(s.Took)), 0.0
	for i, took := range s.Took {
		sorted[i] = start{took, math.Exp2(float64(i+1-len(s.Took)) / halfStarts)}
		whole += sorted[i].weight
	}
	slices.SortFunc(sorted, func(a, b start) int { return cmp.Compare(a.took, b.took) })
	s.Seen = len(s.Took)
	before := 0.0 // the weight of the shorter ones
	for _, one := range sorted {
		if before < 0.5*whole {
			s.P50 = one.took
		}
		if before < 0.95*whole {
			s.P95 = one.took
		}
		before += one.weight
	}
	return s
}

// with returns the starts and newer ones.
func (s Starts) with(took ...time.Duration) Starts {
	if len(took) == 0 {
		return s
	}
	return NewStarts(slices.Concat(s.Took, took))
}

// startUp is how long pods of a kind take to start; of the other kind while
// this one's starts are too few to tell. Its Seen is 0 when no start was seen at all.
func (in *input) startUp(elastic bool) StartUp {
	own, other := in.Learned.of(elastic).StartUp, in.Learned.of(!elastic).StartUp
	if !own.Known() && other.Seen > own.Seen {
		return other
	}
	return own
}

// learn takes in what the pods tell of their starts.
func (in *input) learn(came []*Pod) {
	starting, started := in.starts(came)
	in.Starting = starting
	in.Learned = in.Learned.with(started)
}

// starts returns the UIDs of the pods whose first readiness is still to come,
// and the pods that had it since the last decision. One that restarted on its
// way says nothing of the others.
func (in *input) starts(came []*Pod) (starting []string, started []*Pod) {
	for _, p := range in.onTheWay() {
		switch {
		case !p.Ready:
			starting = append(starting, p.UID)
		case p.counts():
			started = append(started, p)
		}
	}
	for _, p := range came {
		switch soon := p.ReadySince.Sub(p.Created) <= in.StartDeadline; {
		case !p.Ready && in.Now.Sub(p.Created) <= in.StartDeadline:
			starting = append(starting, p.UID)
		case p.Ready && p.counts() && soon && p.ReadySince.After(in.Learned.Started):
			started = append(started, p)
		}
	}
	return starting, started
}

// onTheWay returns the pods that are starting, most often none.
func (in *input) onTheWay() (pods []*Pod) {
	if len(in.Starting) == 0 {
		return nil
	}
	starting := make(map[string]bool, len(in.Starting))
	for _, uid := range in.Starting {
		starting[uid] = true
	}
	for i := range in.Pods {
		if p := &in.Pods[i]; !p.Leaving && starting[p.UID] {
			pods = append(pods, p)
		}
	}
	return pods
}

// counts reports whether a ready pod's start is one to learn from. Times that
// are equal, or the wrong way round, come from clocks that differ.
func (p Pod) counts() bool { return p.Restarts == 0 && p.ReadySince.After(p.Created) }

// slow reports whether a pod takes longer to start than this target's pods do:
// half as long again as 95 % of them took. That is only known of enough starts.
func (in *input) slow(p Pod) bool {
	usual := in.usual(p)
	return usual.Known() && in.Now.Sub(p.Created) > usual.P95+max(usual.P95/2, leastMargin)
}

// usual is how long pods like this one take to start. Where its node is still to
// be found, that may be of either kind.
func (in *input) usual(p Pod) StartUp {
	if p.Node == "" && in.Learned.Elastic.P95 > in.Learned.Ordinary.P95 {
		return in.Learned.Elastic.StartUp
	}
	return in.Learned.of(p.Elastic).StartUp
}

// doubts returns the pods on their way that are not counted on any more, as they
// are slow; they keep their place and their protection. Where nothing created later became
// ready either, it may be what was learned that is wrong, such as before a new
// image: of those pods only one is doubted, else all would be ordered twice.
func (in *input) doubts() []Pod {
	var slow, overtaken []Pod
	for _, p := range in.onTheWay() {
		switch {
		case !in.slow(*p) || in.fails(*p):
		case in.overtaken(*p):
			overtaken = append(overtaken, *p)
		default:
			slow = append(slow, *p)
		}
	}
	return append(overtaken, slow[:min(1, len(slow))]...)
}

// overtaken reports whether a pod of its kind that was created later, or with it, is ready.
func (in *input) overtaken(p Pod) bool {
	return slices.ContainsFunc(in.Pods, func(q Pod) bool {
		return q.Ready && !q.Leaving && q.Elastic == p.Elastic && !q.Created.Before(p.Created)
	})
}

// doubtful says how a pod came to be doubted.
func (in *input) doubtful(p Pod) string {
	return fmt.Sprintf("%s has been starting for %s; 95 %% take %s at most", p.Name, whole(in.Now.Sub(p.Created)), brief(in.usual(p).P95))
}
