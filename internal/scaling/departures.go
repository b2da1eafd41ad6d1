package scaling

import "slices"

// Cause is what made a pod go.
type Cause string

const (
	// ByCusme is a scale-in that cusme wrote.
	ByCusme Cause = "cusme"
	// ByRollout is a rollout that replaces the pod's ReplicaSet.
	ByRollout Cause = "rollout"
	// ByEviction is a drain, a preemption, a spot reclaim, or another disruption that the pod itself tells of.
	ByEviction Cause = "eviction"
	// ByOutside is anybody else.
	ByOutside Cause = "outside"
)

// A Departure is a pod that went.
type Departure struct {
	Pod Pod
	By  Cause
	// Young says that it went before its age.
	Young bool
	// Missed says that cusme's scale-in took it, and had chosen another.
	Missed bool
}

// A ScaleIn is a scale-in that was written and has not been seen through. The
// zero value is none.
type ScaleIn struct {
	// Chosen are the UIDs of the pods that were to go.
	Chosen []string
	// To is the number of replicas written, and Left how many pods have yet to go.
	To, Left int32
	// Certain says that the chosen ones ought to go and no others: their order was known.
	Certain bool
}

// begun returns the scale-in that o and d amount to, on top of what an earlier one has left over.
func (s ScaleIn) begun(o Observation, d Decision) ScaleIn {
	next := ScaleIn{To: d.Replicas, Certain: o.Order == OrderCost || o.Order == OrderOrdinal}
	for _, p := range o.Pods {
		if slices.Contains(d.Lose, p.Name) {
			next.Chosen = append(next.Chosen, p.UID)
			next.Left++
		}
	}
	if s.Left > 0 {
		next.Chosen = append(next.Chosen, s.Chosen...)
	}
	return next
}

// seen returns the scale-in after a look at the target: finished when enough
// pods have gone, or void when somebody else wrote another number.
func (s ScaleIn) seen(o Observation) ScaleIn {
	s.Left = min(s.Left, int32(len(active(o.Pods)))-s.To)
	if s.Left <= 0 || o.Replicas != s.To {
		return ScaleIn{}
	}
	return s
}

// departures are the pods that went since the last decision, and by what.
func (in input) departures() []Departure {
	now := map[string]Pod{}
	for _, p := range in.Observation.Pods {
		now[p.UID] = p
	}
	var gone []Departure
	left := in.Removing.Left
	for _, was := range in.Present {
		is, exists := now[was.UID]
		if exists && !is.Leaving {
			continue
		}
		if !exists {
			is = was
		}
		d := Departure{Pod: was, Young: is.SoldOut == "" && !in.broken(was) && in.underAge(was)}
		d.By = in.cause(is, left)
		if d.By == ByCusme {
			left--
			d.Missed = in.Removing.Certain && !slices.Contains(in.Removing.Chosen, was.UID)
		}
		gone = append(gone, d)
	}
	return gone
}

// cause says what made a pod go, while so many pods are still to go by a scale-in of cusme's own.
func (in input) cause(p Pod, left int32) Cause {
	switch {
	case p.Doomed != "":
		return ByEviction
	case left > 0 && slices.Contains(in.Removing.Chosen, p.UID):
		return ByCusme
	case p.Outdated:
		return ByRollout
	case left > 0 && !p.Ended:
		return ByCusme
	default:
		return ByOutside
	}
}
