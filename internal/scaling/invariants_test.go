package scaling

import (
	"fmt"
	"slices"
)

// judge is a *testing.T or a *rapid.T.
type judge interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkInvariants asserts what holds for every decision, whatever the policy.
func checkInvariants(t judge, w *world, o Observation, d Decision) {
	t.Helper()
	fail := func(promise string) {
		t.Helper()
		t.Errorf("broken promise: %s\nobserved %+v\npolicy %+v\ndecided %+v", promise, o, w.policy, d)
	}
	given := d.Stock.Out() && d.Replicas < o.Replicas // up: what cannot be had is asked for no more
	outside := o.Replicas > w.policy.Max || o.Replicas < w.policy.Min
	switch {
	case d.Replicas > o.Replicas && d.Replicas > w.policy.Max:
		fail("never above the maximum by growing")
	case d.Replicas < o.Replicas && d.Replicas < w.policy.Min && !given:
		fail("never below the minimum by shrinking")
	case d.Replicas > w.policy.Max:
		fail("never above the maximum")
	case d.Blind() && d.Replicas != o.Replicas && !outside && !given:
		fail("no fresh reading, no move")
	case len(d.Reasons) == 0:
		fail("every decision has a reason")
	}
	for _, v := range d.Loads {
		if v.State != Fresh && d.Demand < o.Replicas {
			fail("a load that is not fresh never lets the number fall")
		}
		if v.Demand > d.Demand {
			fail("the highest demand wins")
		}
	}
	at := o.Replicas
	for _, r := range d.Reasons {
		if r.From != at || r.Why == "" {
			fail("the ledger is one unbroken chain of sentences")
		}
		at = r.To
	}
	if at != d.Replicas {
		fail("the ledger ends at the decision")
	}
	if d.Replicas < o.Replicas && int(d.Replicas) < len(active(o.Pods)) && o.Order != OrderOrdinal && len(d.Lose) != len(active(o.Pods))-int(d.Replicas) {
		fail("every pod that goes is named")
	}
	checkPure(t, w, o, d)
}

// checkPure decides again on copies: same answer, and no argument changed.
func checkPure(t judge, w *world, o Observation, d Decision) {
	t.Helper()
	oo, hh := o, w.history
	oo.Pods, oo.Readings = slices.Clone(o.Pods), slices.Clone(o.Readings)
	hh.Recommendations, hh.Moves, hh.Sightings = slices.Clone(hh.Recommendations), slices.Clone(hh.Moves), slices.Clone(hh.Sightings)
	before := fmt.Sprintf("%+v", []any{oo, hh}) // compared as text, in which NaN equals NaN
	if again := Decide(oo, w.policy, hh); fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", d) {
		t.Errorf("Decide gave two answers to one question:\n%+v\n%+v", d, again)
	}
	if after := fmt.Sprintf("%+v", []any{oo, hh}); after != before {
		t.Errorf("Decide changed its arguments:\n%s\n%s", before, after)
	}
}
