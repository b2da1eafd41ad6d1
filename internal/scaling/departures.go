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
	// Missed says that cusme's scale-in took it, and had chosen another; of pods that could not serve none is missed.
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
		next.Left = max(next.Left, min(s.Left, o.existing()-next.To))
	}
	return next
}

// seen returns the scale-in after a look at the target: finished when enough
// pods have gone, or void when somebody else wrote another number.
func (s ScaleIn) seen(o Observation) ScaleIn {
	s.Left = min(s.Left, o.existing()-s.To)
	if s.Left <= 0 || o.Replicas != s.To {
		return ScaleIn{}
	}
	return s
}

// chose reports whether the pod was to go by the scale-in, while that lasts.
func (s ScaleIn) chose(p Pod) bool {
	return s.Left > 0 && slices.Contains(s.Chosen, p.UID)
}

// departures are the pods that went since the last decision, as they were then
// and as they are now, and by what. Of
// those that a scale-in takes the chosen ones are counted first: only what it
// took beyond them did it take instead of them.
func (in *input) departures(was, is []*Pod) []Departure {
	others := in.Removing.Left
	for _, p := range was {
		if in.Removing.chose(*p) {
			others--
		}
	}
	gone := slices.Grow[[]Departure](nil, len(was))
	for i, p := range was {
		d := Departure{Pod: *p, By: in.cause(*is[i], others), Young: is[i].SoldOut == "" && !in.broken(*p) && in.underAge(*p)}
		if d.By == ByCusme && !in.Removing.chose(*p) {
			others--
			d.Missed = in.Removing.Certain && !in.broken(*p)
		}
		gone = append(gone, d)
	}
	return gone
}

// changed returns the pods that went since the last decision: as they were then,
// and as they are now, which is the same where they can be seen no more; and
// those that came, which are seen for the first time.
func (in *input) changed() (was, is, came []*Pod) {
	now := make(map[string]int, len(in.Pods))
	for i, p := range in.Pods {
		now[p.UID] = i
	}
	known := make([]bool, len(in.Pods))
	for j := range in.Present {
		p := &in.Present[j]
		i, exists := now[p.UID]
		if exists {
			known[i] = true
		}
		switch {
		case !exists:
			was, is = append(was, p), append(is, p)
		case in.Pods[i].Leaving:
			was, is = append(was, p), append(is, &in.Pods[i])
		}
	}
	for i := range in.Pods {
		if p := &in.Pods[i]; !known[i] && !p.Leaving {
			came = append(came, p)
		}
	}
	return was, is, came
}

// cause says what made a pod go, when a scale-in of cusme's own may have taken so many that it had not chosen.
func (in *input) cause(p Pod, others int32) Cause {
	switch {
	case in.Removing.chose(p):
		return ByCusme
	case p.Doomed != "":
		return ByEviction
	case p.Outdated:
		return ByRollout
	case others > 0 && !p.Ended:
		return ByCusme
	default:
		return ByOutside
	}
}
