package scaling

import (
	"slices"
	"time"
)

// memory is how far back a history reaches: HPA allows windows of an hour and
// periods of half an hour.
const memory = time.Hour

// A History is what happened before a decision, as far as decisions depend on
// it. It is a value: After and Moved return a new one and leave the old alone.
type History struct {
	// Recommendations are the demands of the last hour, oldest first. Of equal
	// ones in a row only the newest is kept: it is inside every window that any
	// of them is in.
	Recommendations []Recommendation
	// Moves are cusme's own moves, oldest first: the last one, and those of the hour before it.
	Moves []Move
	// Sightings remember when each load's newest fresh reading was first seen, also while the load gives none.
	Sightings []Sighting
	// Silent is since when each load has had no fresh reading, counted from the first decision that found none. A restart
	// counts anew.
	Silent map[string]time.Time
	// Stock is what is known of the elastic providers' stock.
	Stock Stock
	// Present are the pods of the last decision, leaving ones apart.
	Present []Pod
	// Starting are the UIDs of those of them whose first readiness was still to come. Of pods that were past the
	// start-up deadline when they were first seen, nobody knows.
	Starting []string
	// Learned is what the target's past taught.
	Learned Learned
	// Workloads are what is known of the requests behind each load; none without an objective.
	Workloads []Workload
	// Removing is the scale-in that was written last, until its pods have gone.
	Removing ScaleIn
	// Asked is the number of replicas asked for at the last decision.
	Asked int32
	// Due is when pods were last due to be created.
	Due time.Time
	// Held says that protected pods held back a scale-in at the last decision.
	Held bool
	// Account is what the target cost so far.
	Account Account
}

// A Recommendation is what the load alone asked for at one time.
type Recommendation struct {
	At       time.Time
	Replicas int32
}

// A Move is a change of replicas that cusme made.
type Move struct {
	At       time.Time
	From, To int32
}

// A Sighting says of how many pods a reading speaks: those that were ready when
// it was first seen, at least 1. The time alone tells it from the next one: that
// of a formula is its oldest term's, and its value changes with any of them.
type Sighting struct {
	Load  string
	At    time.Time
	Ready int32
}

// unseen reports whether nothing was demanded for longer than the down window:
// after a restart, or an outage of the source. Neither must look like a quiet
// day. Where polls are further apart than the window is long, the time that a
// reading is believed says what an outage is.
func (h History) unseen(now time.Time, p Policy) bool {
	if len(h.Recommendations) == 0 || len(h.Sightings) == 0 {
		return true
	}
	longest := p.Down.Window
	for _, l := range p.Loads {
		longest = max(longest, l.StaleAfter)
	}
	return now.Sub(h.Recommendations[len(h.Recommendations)-1].At) > longest
}

// begun returns the history with the present size as a first demand, so that
// nothing shrinks before a full window has been seen.
func (h History) begun(o Observation) History {
	h.Recommendations = append(slices.Clone(h.Recommendations), Recommendation{At: o.Now, Replicas: o.Replicas})
	return h
}

// After returns the history once the decision has been made.
func (h History) After(o Observation, d Decision) History {
	if d.Began {
		h = h.begun(o)
	}
	h.Account = h.Account.after(o, d, h.Held)
	h.Stock, h.Held = d.Stock, d.held()
	if d.asks() && d.Demand <= o.Replicas {
		h.Stock.Given = 0
	}
	h.Asked, h.Due = o.Replicas, d.Due
	h.Present, h.Removing = active(o.Pods), h.Removing.seen(o)
	h.Starting, h.Learned, h.Workloads = d.Starting, d.Learned, d.Workloads
	h.Silent = silent(d.Loads)
	h.Sightings = h.sighted(o, d.Loads)
	if !d.asks() {
		return h // what there is was not demanded: one failed or partial reading in a window must not hold it
	}
	h.Recommendations = mergeLast(lately(h.Recommendations, Recommendation{At: o.Now, Replicas: d.Demand}))
	return h
}

// sighted returns the sightings once the loads have been judged. A reading that
// comes back after a failure, with its own time, is none that was not seen before.
func (h History) sighted(o Observation, loads []Verdict) (all []Sighting) {
	for _, v := range loads {
		old, known := h.lastSighting(v.Load)
		switch {
		case v.State == Fresh && !v.Input:
			all = append(all, h.sighting(o, v.Reading))
		case known:
			all = append(all, old)
		}
	}
	return all
}

// sighting returns the one of a reading: the pods that are ready now, unless it was seen before.
func (h History) sighting(o Observation, r Reading) Sighting {
	if s, known := h.lastSighting(r.Load); known && s.At.Equal(r.At) {
		return s
	}
	return Sighting{Load: r.Load, At: r.At, Ready: max(1, o.ready())}
}

func (h History) lastSighting(load string) (Sighting, bool) {
	for _, s := range h.Sightings {
		if s.Load == load {
			return s, true
		}
	}
	return Sighting{}, false
}

// silent returns since when each load has had no fresh reading.
func silent(loads []Verdict) map[string]time.Time {
	since := map[string]time.Time{}
	for _, v := range loads {
		if !v.Since.IsZero() {
			since[v.Load] = v.Since
		}
	}
	return since
}

// Moved returns the history after the decision's replicas were written.
func (h History) Moved(o Observation, d Decision) History {
	h.Moves = lately(h.Moves, Move{At: o.Now, From: o.Replicas, To: d.Replicas})
	h.Removing = h.Removing.begun(o, d)
	if d.Replicas > o.Replicas {
		h.Stock.Tried = o.Now
	}
	if d.Replicas > o.Replicas || d.gaveUp() {
		h.Stock.Given = max(0, h.Stock.Given+o.Replicas-d.Replicas)
	}
	return h
}

// lastMove returns the newest move.
func (h History) lastMove() (Move, bool) {
	if len(h.Moves) == 0 {
		return Move{}, false
	}
	return h.Moves[len(h.Moves)-1], true
}

func (r Recommendation) at() time.Time { return r.At }
func (m Move) at() time.Time           { return m.At }

// lately returns a list anew: what is not too old to remember when one more comes, and that one.
func lately[T interface{ at() time.Time }](all []T, one T) []T {
	kept, oldest := make([]T, 0, len(all)+1), one.at().Add(-memory)
	for _, before := range all {
		if !before.at().Before(oldest) {
			kept = append(kept, before)
		}
	}
	return append(kept, one)
}

func mergeLast(all []Recommendation) []Recommendation {
	n := len(all)
	if n < 2 || all[n-1].Replicas != all[n-2].Replicas {
		return all
	}
	all[n-2] = all[n-1]
	return all[:n-1]
}
