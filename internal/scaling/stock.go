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
	// Replaced says that it ended, so that its ReplicaSet created another in its place.
	Replaced bool
	// Message is the provider's own.
	Message string
	// Tried is when one pod more was last asked for, and Tries how many such tries failed.
	Tried time.Time
	Tries int
	// Got is when the newest pod was created that found stock. The pod may be
	// gone by now, and one that failed before it still be there.
	Got time.Time
}

// Out reports whether stock is out.
func (s Stock) Out() bool { return !s.Failed.IsZero() }

// stock lowers what is asked for to what can be had. A ReplicaSet replaces a
// failed pod at once, and the replacement fails as well: asking for what is not
// there makes pods by the hundred.
func stock(in *input, want int32) (int32, string) {
	able := in.obtainable()
	if want <= able {
		return want, ""
	}
	short := "there is no stock (" + in.Stock.Message + ")"
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
// stock, else those that do not wait for it, and one more when it is time to try.
func (in *input) obtainable() int32 {
	if !in.Stock.Out() {
		return math.MaxInt32
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

// trying reports whether the pod tried last has neither become ready nor failed.
func (in *input) trying() bool {
	for _, p := range in.Pods {
		if !p.Leaving && in.Stock.tries(p) && !p.Ready && !in.broken(p) {
			return true
		}
	}
	return in.Stock.Tried.After(in.Stock.Seen) && in.existing() < in.Replicas
}

// tries reports whether the pod was created for the try under way.
func (s Stock) tries(p Pod) bool {
	return s.Tried.After(s.Seen) && !p.Created.Before(s.Tried.Truncate(time.Second))
}

// hopeless reports whether a pod waits for stock that is not there: it was
// refused, or was created in the place of one that was. Creation is known to the
// whole second, and a refusal may take less: of the pods of one second those are
// in the place of another that were created after the first refusal was seen.
func (in *input) hopeless(p Pod) bool {
	switch {
	case p.Ready:
		return false
	case in.refused(p) != "":
		return true
	case !in.Stock.Replaced || !p.Elastic || p.Phase != PhasePending:
		return false
	}
	sameSecond := p.Created.Equal(in.Stock.Failed) && p.Created.After(in.Stock.Seen)
	return (p.Created.After(in.Stock.Failed) || sameSecond) && !in.Stock.tries(p)
}

// refused says how a pod failed for lack of stock; empty when it did not. One
// that an elastic node took and did not start in time counts: not every
// provider says no.
func (in *input) refused(p Pod) string {
	if p.SoldOut != "" || !p.Elastic || p.Ready || p.Phase != PhasePending || p.Leaving || p.Broken != "" {
		return p.SoldOut
	}
	if in.waiting(p) <= in.StartDeadline {
		return ""
	}
	return fmt.Sprintf("%s did not start within %s", p.Name, brief(in.StartDeadline))
}

// takeStock returns what is known of the stock, with what the pods tell.
func (in *input) takeStock() Stock {
	s := in.History.Stock
	var refused Pod
	for _, p := range in.Pods {
		switch {
		case p.Ended && in.Now.Sub(p.Created) > stockMemory:
		case in.refused(p) != "":
			if refused.Name == "" || p.Created.After(refused.Created) {
				refused = p
			}
		case p.Elastic && p.Ready:
			s.Got = later(s.Got, p.Created)
		}
	}
	if refused.Name != "" && refused.Created.After(s.Failed) {
		switch {
		case s.Out() && s.tries(refused):
			s.Seen, s.Tries = in.Now, s.Tries+1
		case !s.Out(), refused.Ended && !s.Replaced:
			s.Seen = in.Now
		}
		s.Failed, s.Replaced, s.Message = refused.Created, refused.Ended, in.refused(refused)
	}
	if s.Got.After(s.Failed) || refused.Name == "" && in.Now.Sub(later(s.Seen, s.Tried)) > stockMemory {
		return Stock{Got: s.Got}
	}
	return s
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
