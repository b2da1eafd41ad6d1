package scaling

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
	back := d.Replicas-o.Replicas <= d.Stock.Given    // what was given up is asked for again
	w.listen(o, d)
	fallback := slices.ContainsFunc(d.Loads, func(v Verdict) bool { _, _, due := w.due(o, v); return due })
	least, most, ahead := w.bounds(o.Now)
	outside := o.Replicas > most || o.Replicas < ahead
	switch {
	case d.Replicas > o.Replicas && d.Replicas > most:
		fail("never above the maximum by growing")
	case d.Replicas < o.Replicas && d.Replicas < least && !given:
		fail("never below the minimum by shrinking")
	case d.Replicas > most:
		fail("never above the maximum")
	case d.Replicas < least && !d.Stock.Out():
		fail("never below the minimum while there is stock")
	case d.Blind() && d.Replicas > max(o.Replicas, ahead) && !fallback && !back:
		fail("a window raises no more than its minimum")
	case d.Blind() && d.Replicas != o.Replicas && !outside && !given && !(d.Replicas > o.Replicas && back) && !fallback:
		fail("no fresh reading, no move but a fallback's that is due")
	case len(d.Reasons) == 0:
		fail("every decision has a reason")
	}
	for i, v := range d.Loads {
		for _, promise := range brokenTrust(w, o, d, i) {
			fail(promise)
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
	for _, promise := range brokenPromises(w, o, d) {
		fail(promise)
	}
	for _, promise := range brokenForecasts(w, o, d) {
		fail(promise)
	}
	for _, l := range d.Workloads {
		for name, v := range l.estimates() {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				fail("every estimate is a number, " + name)
			}
		}
	}
	checkPure(t, w, o, d)
}

// brokenTrust are the promises about what is believed of one load.
func brokenTrust(w *world, o Observation, d Decision, load int) (broken []string) {
	promise := func(says string, kept bool) {
		if !kept {
			broken = append(broken, says)
		}
	}
	v, valid := d.Loads[load], w.policy.Loads[load].ValidRange
	leading, _ := d.Leading()
	least, most, due := w.due(o, v)
	switch {
	case v.Input:
		promise("an input asks for nothing and never leads", v.Demand == 0 && !v.Holds && leading != load)
	case v.State != Fresh && due:
		promise("a fallback that is due asks for its number", least <= v.Demand && v.Demand <= most)
	case v.State != Fresh:
		promise("a load that is not fresh never lets the number fall", d.Demand >= o.Replicas)
		promise("a fallback to come is waited for", d.Next.IsZero() || d.Next.After(o.Now))
	case v.Partial != "":
		promise("a partial reading never lets the number fall", d.Demand >= o.Replicas)
	}
	promise("no value outside the range is believed", v.State != Fresh || valid == nil || valid.Min <= v.Value && v.Value <= valid.Max)
	return broken
}

// brokenForecasts are the promises about what other weeks say.
func brokenForecasts(w *world, o Observation, d Decision) (broken []string) {
	promise := func(says string, kept bool) {
		if !kept {
			broken = append(broken, says)
		}
	}
	_, most, _ := w.bounds(o.Now)
	for _, r := range d.Reasons {
		if r.Step != Forecast {
			continue
		}
		promise("a forecast never lowers the number", r.To >= r.From)
		if r.To == r.From {
			promise("a forecast that stands aside says why", strings.Contains(r.Why, "stands aside: "))
			continue
		}
		p := d.Learned.Profile
		promise("a forecast goes no further than the maximum", r.To <= most)
		promise("a forecast acts where it is wanted", w.policy.Objective != nil && w.policy.Objective.Zone != nil)
		promise("a forecast is of two weeks or more", !o.Now.Before(p.Began.AddDate(0, 0, 14)))
		promise("a forecast was often tried", p.Ever.Rises > 4)
		promise("a forecast was better than none", 3*p.Ever.Off <= 2*p.Ever.Waiting && p.Lately.Off <= p.Lately.Waiting)
		promise("a forecast does not act in the dark", !slices.ContainsFunc(d.Loads, func(v Verdict) bool { return !v.Input && (v.State != Fresh || v.Partial != "") }))
	}
	return broken
}

// brokenPromises are those about the pods that go, and those that went.
func brokenPromises(w *world, o Observation, d Decision) (broken []string) {
	promise := func(says string, kept bool) {
		if !kept {
			broken = append(broken, says)
		}
	}
	overMax := w.overMax()
	for _, p := range o.Pods {
		if slices.Contains(d.Lose, p.Name) {
			promise("no young pod is chosen, "+p.Name, overMax || !w.isYoung(p))
			promise("none that leaves is chosen, "+p.Name, !p.Leaving)
		}
	}
	for _, name := range d.Mark {
		promise("only pods that go are marked, "+name, slices.Contains(d.Lose, name))
	}
	promise("nothing goes while the number holds", len(d.Lose) == 0 || d.Replicas < o.Replicas)
	promise("nothing moves while pods are asked", len(d.Ask) == 0 || d.Replicas == o.Replicas || overMax)
	was, is := uids(w.history.Present), uids(active(o.Pods))
	for _, g := range d.Gone {
		promise("only what was present can go, "+g.Pod.Name, slices.Contains(was, g.Pod.UID) && !slices.Contains(is, g.Pod.UID))
	}
	for _, uid := range was {
		told := slices.ContainsFunc(d.Gone, func(g Departure) bool { return g.Pod.UID == uid })
		promise("whatever went is told of, "+uid, told != slices.Contains(is, uid))
	}
	for _, p := range active(o.Pods) {
		promise("who is past the deadline is late, "+p.Name, w.unreadyFor(p) <= w.policy.StartDeadline || d.Pods.Late > 0)
	}
	promise("a start is learned from once", d.Learned.Ordinary.Seen+d.Learned.Elastic.Seen <= w.born+w.taught)
	before, after := w.history.Account, w.history.After(o, d).Account
	promise("an account never falls", after.Elastic >= before.Elastic && after.Waited >= before.Waited && !after.Until.Before(before.Until) &&
		after.Removed >= before.Removed && after.Missed >= before.Missed)
	for by, n := range before.Young {
		promise("an account never falls, "+string(by), after.Young[by] >= n)
	}
	return broken
}

func uids(pods []Pod) (out []string) {
	for _, p := range pods {
		out = append(out, p.UID)
	}
	return out
}

// checkPure decides again on copies: same answer, and no argument changed.
func checkPure(t judge, w *world, o Observation, d Decision) {
	t.Helper()
	oo, hh := o, w.history
	oo.Pods, oo.Readings = slices.Clone(o.Pods), slices.Clone(o.Readings)
	hh.Recommendations, hh.Moves, hh.Sightings = slices.Clone(hh.Recommendations), slices.Clone(hh.Moves), slices.Clone(hh.Sightings)
	hh.Workloads = slices.Clone(hh.Workloads)
	for i := range hh.Workloads {
		hh.Workloads[i].Past = append(make([]Stretch, 0, 1000), hh.Workloads[i].Past...) // with room, that an append would write to
	}
	before := fmt.Sprintf("%+v", []any{oo, hh}) // compared as text, in which NaN equals NaN
	if again := Decide(oo, w.policy, hh); fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", d) {
		t.Errorf("Decide gave two answers to one question:\n%+v\n%+v", d, again)
	}
	if after := fmt.Sprintf("%+v", []any{oo, hh}); after != before {
		t.Errorf("Decide changed its arguments:\n%s\n%s", before, after)
	}
}
