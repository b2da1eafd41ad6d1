package scaling

import (
	"testing"
	"time"
)

// In a rollout fewer replicas would take the pods of before, which serve, and
// not the new ones without stock: nothing is given up, and nothing ordered.
func TestARolloutWithoutStockGivesNothingUp(t *testing.T) {
	o := Observation{Now: epoch, Replicas: 8, Pods: veterans(6), Order: OrderUnknown, Unsteerable: "a rollout"}
	o.Pods = append(o.Pods, attempt("new-1", -time.Minute, refusedPending), attempt("new-2", -time.Minute, refusedPending))
	for name, readings := range map[string][]Reading{
		"in the band": {{Load: "load", Value: 0.6, At: epoch}},
		"above it":    hungry(epoch),
	} {
		o.Readings = readings
		if d := Decide(o, cautious, History{}); d.Replicas != 8 || !d.Stock.Out() {
			t.Errorf("%s: 8 became %d: %s", name, d.Replicas, d.Ledger())
		}
	}
}

// Pods of one scale-out may be created in different seconds. That one of them
// was refused says nothing of the others.
func TestOthersOfTheSameScaleOutKeepTheirPlace(t *testing.T) {
	s := open()
	s.policy.Max = 4
	batch := []Pod{attempt("first", 0), attempt("next", time.Second), attempt("last", 2*time.Second)}
	s.at(3*time.Second, 4, batch...)
	batch[0] = attempt("first", 0, soldOut)
	if d := s.at(6*time.Second, 4, batch...); d.Replicas != 4 {
		t.Errorf("one of three was refused, and no other is there in its place: 4 became %d, %s", d.Replicas, d.Ledger())
	}
	if d := s.at(7*time.Second, 4, append(batch, attempt("in its place", 5*time.Second))...); d.Replicas != 3 {
		t.Errorf("with one in the place of the refused one: 4 became %d, want 3", d.Replicas)
	}
}

// A pod tried that finds room on an ordinary node says nothing of stock, and
// need not be waited for; one whose containers run has found stock.
func TestATryEndsWhenItIsKnownWhatItShows(t *testing.T) {
	for name, c := range map[string]struct {
		tried []trait
		want  int32
		out   bool
	}{
		"on its way to a node":           {[]trait{unplaced}, 2, true},
		"waits on an elastic node":       {nil, 2, true},
		"starts on an ordinary node":     {[]trait{func(p *Pod) { p.Elastic = false }}, 3, true},
		"its containers run, and it has": {[]trait{func(p *Pod) { p.Phase = PhaseRunning }}, 9, false},
	} {
		s := open()
		s.at(5*time.Second, 1, attempt("no", 0, soldOut))
		s.at(50*time.Second, 1, attempt("no", 0, soldOut))
		d := s.at(55*time.Second, 2, attempt("no", 0, soldOut), attempt("tried", 50*time.Second, c.tried...))
		if d.Replicas < min(c.want, 3) || c.want < 3 && d.Replicas != c.want || d.Stock.Out() != c.out {
			t.Errorf("%s: 2 became %d, out is %t; want %d, %t", name, d.Replicas, d.Stock.Out(), c.want, c.out)
		}
	}
}

// What was given up is asked for again, also while no load says anything: it may
// be those very pods that say it.
func TestWhatWasGivenUpComesBackWhileBlind(t *testing.T) {
	s := open()
	blind := func(after time.Duration, replicas int32, pods ...Pod) Decision {
		o := Observation{Now: epoch.Add(after), Replicas: replicas, Pods: append(veterans(1), pods...), Order: OrderCost}
		o.Readings = []Reading{{Load: "load", Problem: Failed, Message: "503"}}
		d := Decide(o, s.policy, s.history)
		s.history = s.history.After(o, d)
		if d.Replicas != replicas {
			s.history = s.history.Moved(o, d)
		}
		return d
	}
	gone := attempt("no", 0, soldOut)
	blind(time.Second, 3, attempt("no", 0), attempt("neither", 0))
	for _, step := range []struct {
		after    time.Duration
		from, to int32
		pods     []Pod
	}{
		{5 * time.Second, 3, 1, []Pod{attempt("no", 0, refusedPending), attempt("neither", 0, refusedPending)}},
		{30 * time.Second, 1, 1, []Pod{gone}},
		{55 * time.Second, 1, 2, []Pod{gone}},
		{3 * time.Minute, 2, 3, []Pod{gone, attempt("tried", 55*time.Second, started)}},
		{4 * time.Minute, 3, 3, []Pod{attempt("tried", 55*time.Second, started), attempt("second", 3*time.Minute, started)}},
	} {
		if d := blind(step.after, step.from, step.pods...); d.Replicas != step.to {
			t.Errorf("after %s: %d became %d, want %d: %s", step.after, step.from, d.Replicas, step.to, d.Ledger())
		}
	}
}

// Somebody else's scale-out has pods as young as cusme's own.
func TestForeignReplicasNotSeenYetAreYoung(t *testing.T) {
	o := idle(10, veterans(5))
	o.Order = OrderCost
	h := History{Asked: 5, Due: epoch.Add(-time.Hour)}
	d := Decide(o, cautious, h)
	if d.Replicas != 10 {
		t.Errorf("5 of 10 cannot be seen yet: got %d, %s", d.Replicas, d.Ledger())
	}
	h = h.After(o, d)
	o.Now, o.Readings[0].At = epoch.Add(2*time.Minute), epoch.Add(2*time.Minute)
	if d := Decide(o, cautious, h); d.Replicas >= 10 {
		t.Errorf("they have not come for two minutes: still %d, %s", d.Replicas, d.Ledger())
	}
}

// Once a reading says that less is enough, nothing is owed any more.
func TestWhatIsNotNeededDoesNotComeBack(t *testing.T) {
	h := History{Stock: Stock{Given: 3}, Asked: 2, Due: epoch.Add(-time.Hour)}
	o := Observation{Now: epoch, Replicas: 2, Pods: veterans(2), Order: OrderCost, Readings: []Reading{{Load: "load", Value: 0.6, At: epoch}}}
	h = h.After(o, Decide(o, cautious, h))
	o.Now, o.Readings = epoch.Add(time.Minute), []Reading{{Load: "load", Problem: Failed}}
	if d := Decide(o, cautious, h); d.Replicas != 2 {
		t.Errorf("blind after a reading that was within the band: 2 became %d, %s", d.Replicas, d.Ledger())
	}
}

// A provider that retries by itself may find stock for the very pod that it refused.
func TestARefusedPodThatStartsEndsTheShortage(t *testing.T) {
	s := open()
	s.policy.Max = 2
	s.at(5*time.Second, 2, attempt("late", 0, refusedPending))
	if d := s.at(time.Minute, 2, attempt("late", 0, started)); d.Stock.Out() {
		t.Errorf("the refused pod serves: %+v", d.Stock)
	}
}

// What never ran is not billed, and an outage is no waiting.
func TestWhatIsNotOnTheAccount(t *testing.T) {
	a := Account{Until: epoch}
	o := Observation{Now: epoch.Add(8 * time.Hour), Pods: []Pod{attempt("no", 0, refusedPending)}}
	a = a.after(o, Decision{}, true)
	if a.Elastic != 0 || a.Waited != longestLook {
		t.Errorf("after eight hours without a look: billed %s, waited %s; want nothing and %s", a.Elastic, a.Waited, longestLook)
	}
}

// What somebody else took is replaced, and the newborn would go first.
func TestReplacementsNotSeenYetAreYoung(t *testing.T) {
	o := idle(5, veterans(5))
	o.Order = OrderCost
	h := History{Asked: 5, Due: epoch.Add(-time.Hour)}
	o.Readings[0].Value = 0.6
	h = h.After(o, Decide(o, cautious, h))
	o.Pods = o.Pods[1:]
	o.Now, o.Readings = epoch.Add(10*time.Second), []Reading{{Load: "load", Value: 0.1, At: epoch.Add(10 * time.Second)}}
	if d := Decide(o, cautious, h); d.Replicas != 5 {
		t.Errorf("a pod was deleted a moment ago: 5 became %d, %s", d.Replicas, d.Ledger())
	}
}
