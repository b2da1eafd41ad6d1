package scaling

import (
	"fmt"
	"math"
	"time"
)

// retries are the pauses before one pod more is tried while stock is out; the
// last one repeats. Each try that fails costs two pods: a ReplicaSet replaces
// one that failed before anybody can lower its replicas.
var retries = []time.Duration{45 * time.Second, 3 * time.Minute, 10 * time.Minute}

// stockMemory is how long a shortage is believed in that nobody tries any more,
// and how long a pod tells of one that ended for lack of stock.
const stockMemory = 15 * time.Minute

// Stock is what is known of the elastic providers' stock. Attempts to start a
// pod are told apart by the pod's creation: stock is out when the newest
// attempt that failed is not older than the newest that succeeded.
type Stock struct {
	// Failed is when the newest pod that found no stock was created; zero while there is stock.
	Failed time.Time
	// Seen is when the pods last asked for were first seen to fail. What fails later in their place does not move it.
	Seen time.Time
	// Unseen is the last look before Seen: what failed did so after it, and what
	// is in its place was created after it.
	Unseen time.Time
	// Replaced says that it ended, so that its ReplicaSet created another in its place.
	Replaced bool
	// Message is the provider's own.
	Message string
	// Overdue says which pod an elastic node took and has not started in time;
	// empty when there is none. Not every provider says no.
	Overdue string
	// Tried is when one pod more was last asked for, and Tries how many such tries failed.
	Tried time.Time
	Tries int
	// Got is when the newest pod was created that found stock. The pod may be
	// gone by now, and one that failed before it still be there.
	Got time.Time
	// Given is how many replicas were given up. They are asked for again, one by
	// one, also while no load says anything.
	Given int32
}

// Out reports whether stock is out, or seems to be.
func (s Stock) Out() bool { return !s.Failed.IsZero() || s.Overdue != "" }

// Why says how that is known.
func (s Stock) Why() string {
	if s.Failed.IsZero() {
		return s.Overdue
	}
	return s.Message
}

// stock lowers what is asked for to what can be had. A ReplicaSet replaces a
// failed pod at once, and the replacement fails as well: asking for what is not
// there makes pods by the hundred.
func stock(in *input, want int32) (int32, string) {
	able := in.obtainable()
	if want <= able {
		return want, ""
	}
	short := "there is no stock (" + in.Stock.Why() + ")"
	switch {
	case able > in.Replicas:
		return able, short + ": trying one pod more"
	case in.trying():
		return able, short + ": waiting for the one pod that is tried"
	default:
		return able, fmt.Sprintf("%s: %s be had; one more is tried in %s", short, can(able), brief(max(0, in.Stock.next().Sub(in.Now))))
	}
}

// obtainable is how many replicas can be had: all one wants while there is
// stock, else those that do not wait for it, and one more when it is time to
// try. Where nobody knows which pods fewer replicas would take, none are given
// up: in a rollout it would be those of before, which serve.
func (in *input) obtainable() int32 {
	switch {
	case !in.Stock.Out():
		return math.MaxInt32
	case in.Order == OrderUnknown:
		return in.Replicas
	}
	lost := in.lost()
	if lost == 0 && !in.trying() && !in.Now.Before(in.Stock.next()) {
		return in.Replicas + 1
	}
	return in.without(lost)
}

// lost counts the pods to give up: those without hope. Of a StatefulSet only the
// highest ordinals, as fewer replicas would take those that serve for one below them.
func (in *input) lost() int32 {
	var n int32
	if in.Order == OrderOrdinal {
		for _, p := range in.order() {
			if !in.hopeless(p) {
				break
			}
			n++
		}
		return n
	}
	for _, p := range in.Pods {
		if !p.Leaving && in.hopeless(p) {
			n++
		}
	}
	return n
}

// next is when one pod more may be tried.
func (s Stock) next() time.Time {
	return s.Seen.Add(retries[min(s.Tries, len(retries)-1)])
}

// trying reports whether the pod tried last has not shown yet whether there is
// stock: it has not been seen, or waits on an elastic node. One that found room
// on an ordinary node says nothing about stock.
func (in *input) trying() bool {
	for _, p := range in.Pods {
		if !p.Leaving && in.Stock.tries(p) && (p.Elastic || p.Node == "") && !p.found() && !in.broken(p) {
			return true
		}
	}
	return in.Stock.Tried.After(in.Stock.Seen) && in.existing() < in.Replicas
}

// found reports whether an elastic pod's containers run: its provider had stock.
func (p Pod) found() bool { return p.Elastic && (p.Ready || p.Phase == PhaseRunning) }

// tries reports whether the pod was created for the try under way.
func (s Stock) tries(p Pod) bool {
	return s.Tried.After(s.Seen) && !p.Created.Before(s.Tried.Truncate(time.Second))
}

// hopeless reports whether a pod waits for stock that is not there: it was
// refused, or was created in the place of one that was.
func (in *input) hopeless(p Pod) bool {
	switch {
	case p.Ready:
		return false
	case p.SoldOut != "":
		return true
	}
	return p.Elastic && p.Phase == PhasePending && in.Stock.replaced(p) && !in.Stock.tries(p)
}

// replaced reports whether the pod was created in the place of one that was
// refused: after it, and after the first refusal. Other pods of the same
// scale-out may find stock. Creation is known to the whole second, and
// a refusal may take less.
func (s Stock) replaced(p Pod) bool {
	switch {
	case !s.Replaced:
		return false
	case p.Created.Equal(s.Failed):
		return p.Created.After(s.Seen)
	}
	return p.Created.After(s.Failed) && !p.Created.Before(s.Unseen.Truncate(time.Second))
}

// overdue says which pod an elastic node took and has not started in time.
func (in *input) overdue() string {
	for _, p := range in.Pods {
		if p.Elastic && !p.Ready && p.Phase == PhasePending && !p.Leaving && p.Broken == "" && p.SoldOut == "" && in.waiting(p) > in.StartDeadline {
			return fmt.Sprintf("%s did not start within %s", p.Name, brief(in.StartDeadline))
		}
	}
	return ""
}

// takeStock returns what is known of the stock, with what the pods tell.
func (in *input) takeStock() Stock {
	s := in.History.Stock
	refused := in.newestRefused()
	for _, p := range in.Pods {
		if p.found() {
			s.Got = later(s.Got, p.Created)
		}
	}
	if refused.Name != "" && refused.Created.After(s.Failed) {
		switch {
		case !s.Failed.IsZero() && s.tries(refused):
			s.Seen, s.Unseen, s.Tries = in.Now, in.Account.Until, s.Tries+1
		case s.Failed.IsZero(), refused.Ended && !s.Replaced:
			s.Seen, s.Unseen = in.Now, in.Account.Until
		}
		s.Failed, s.Replaced, s.Message = refused.Created, refused.Ended, refused.SoldOut
	}
	forgotten := in.Now.Sub(later(s.Seen, s.Tried)) > stockMemory || !s.Got.Before(s.Failed)
	if s.Got.After(s.Failed) || refused.Name == "" && forgotten {
		s = Stock{Got: s.Got, Seen: s.Seen, Given: s.Given, Tried: s.Tried}
	}
	if s.Overdue = in.overdue(); s.Out() && !in.History.Stock.Out() {
		s.Seen = in.Now
	}
	return s
}

// newestRefused returns the pod that was created last of those that found no
// stock. One that ended tells of it for a while only: nobody removes it.
func (in *input) newestRefused() Pod {
	var newest Pod
	for _, p := range in.Pods {
		old := p.Ended && in.Now.Sub(p.Created) > stockMemory
		if p.SoldOut != "" && !old && (newest.Name == "" || p.Created.After(newest.Created)) {
			newest = p
		}
	}
	return newest
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func can(n int32) string {
	return count(n, "replica") + " can"
}
