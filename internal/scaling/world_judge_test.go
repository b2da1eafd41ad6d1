package scaling

import (
	"slices"
	"time"
)

// checkPatience decides once more before the target's controller has acted:
// what is on its way is no reason to take or to order more. An answer of pods that were asked is one.
func (w *world) checkPatience(t judge, from int32, d Decision) {
	t.Helper()
	o := w.observe()
	again := Decide(o, w.policy, w.history)
	checkInvariants(t, w, o, again)
	grew := d.Replicas > from
	if len(d.Ask) == 0 && (grew && again.Replicas > d.Replicas || !grew && again.Replicas != d.Replicas) {
		t.Errorf("at %s, before the pods had followed, %d became %d\n%s\n%s\nobserved %+v", w.now.Sub(epoch), d.Replicas, again.Replicas, ledgerOf(d), ledgerOf(again), o)
	}
}

// checkLost asserts that just those pods went that the decision named, where their order is known.
func (w *world) checkLost(t judge, before []Pod, d Decision) {
	t.Helper()
	if w.blocked != "" || w.order != OrderCost && w.order != OrderOrdinal || d.Replicas >= int32(len(before)) {
		return
	}
	var gone []string
	for _, p := range before {
		if !slices.ContainsFunc(w.pods, func(q Pod) bool { return q.UID == p.UID }) {
			gone = append(gone, p.Name)
		}
	}
	want := slices.Sorted(slices.Values(d.Lose))
	if slices.Sort(gone); !slices.Equal(gone, want) {
		t.Errorf("at %s %v went, %v were chosen, %v marked\nbefore %+v", w.now.Sub(epoch), gone, want, d.Mark, before)
	}
}

// isYoung is the promise in its own words: created less than minPodAge ago, not
// broken, not past the deadline for becoming ready, and not waiting in the place
// of a pod that found no stock.
func (w *world) isYoung(p Pod) bool {
	inItsPlace := p.Elastic && p.Phase == PhasePending && !w.said.IsZero() && (p.Created.After(w.shortage) || !w.births[p.Name].Before(w.said))
	if w.policy.MinPodAge == 0 || w.isRefused(p) || inItsPlace || p.Doomed != "" {
		return false
	}
	since := p.Created
	if w.policy.AgeFromReady {
		if !p.Ready {
			return p.Broken == "" && w.unreadyFor(p) <= w.policy.StartDeadline
		}
		since = p.ReadySince
	}
	hopeless := p.Broken != "" || w.unreadyFor(p) > w.policy.StartDeadline
	return !hopeless && w.now.Sub(since) < w.policy.MinPodAge
}

// unreadyFor is how long the pod has not served without a break.
func (w *world) unreadyFor(p Pod) time.Duration {
	switch {
	case p.Ready:
		return 0
	case p.UnreadySince.After(p.Created):
		return w.now.Sub(p.UnreadySince)
	default:
		return w.now.Sub(p.Created)
	}
}
