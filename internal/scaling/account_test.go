package scaling

import (
	"maps"
	"testing"
	"time"
)

// pass lets time pass before the next look.
func (s *story) pass(d time.Duration) *story {
	s.now = s.now.Add(d - time.Second)
	return s
}

// What elastic pods cost, from one look to the next.
func TestElasticTime(t *testing.T) {
	vci, machine := a("vci", time.Hour, elastic), a("machine", time.Hour)
	s := begin(vci, machine)
	expect := func(what string, want time.Duration) {
		t.Helper()
		if got := s.history.Account.Elastic; got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	expect("before the account begins", 0)
	s.pass(time.Minute).see(2, vci, machine)
	expect("one pod of two, for a minute", time.Minute)

	late := a("late", 0, elastic, pending)
	late.Created = s.now.Add(20 * time.Second)
	s.pass(time.Minute).see(3, vci, machine, late)
	expect("and one that came 20 s later, and is not ready", 2*time.Minute+40*time.Second)

	s.pass(time.Minute).see(3, vci, machine, with([]Pod{late}, "late", leaving)[0])
	expect("leaving ones are billed", 4*time.Minute+40*time.Second)
	s.pass(time.Minute).see(2, vci, machine, with([]Pod{late}, "late", ended)[0])
	expect("ended ones are not", 5*time.Minute+40*time.Second)

	s.pass(time.Minute).see(2, machine)
	expect("nor are those that are gone", 5*time.Minute+40*time.Second)
	s.pass(time.Minute).see(2, vci, machine)
	expect("one that was not to be seen for one look", 6*time.Minute+40*time.Second)

	s.pass(500*time.Millisecond).see(2, vci, machine)
	s.pass(500*time.Millisecond).see(2, vci, machine)
	expect("two looks within a second", 6*time.Minute+41*time.Second)
}

// A restart keeps the account, and nothing else. The pods ran on meanwhile.
func TestElasticTimeGoesOnThroughARestart(t *testing.T) {
	vci := a("vci", time.Hour, elastic)
	s := begin(vci)
	s.history = History{Account: s.history.Account}
	young := a("young", 0, elastic)
	young.Created = s.now.Add(50 * time.Second)
	s.pass(time.Minute).see(2, vci, young)
	if got, want := s.history.Account.Elastic, 70*time.Second; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// After a restart on another machine its clock may be behind. Nothing is taken back, and nothing counted twice.
func TestAccountNeverFalls(t *testing.T) {
	vci, young := a("vci", time.Hour, elastic), a("young", 0)
	s := begin(vci, young)
	s.history.Held = true
	s.pass(time.Minute).see(2, vci, young)
	before := s.history.Account
	if before.Waited != time.Minute || before.Elastic != time.Minute {
		t.Fatalf("a minute became %+v", before)
	}
	for range 3 {
		s.history.Held = true
		s.pass(-20*time.Second).see(2, vci, young)
	}
	for range 3 {
		s.history.Held = true
		s.pass(20*time.Second).see(2, vci, young)
	}
	if got := s.history.Account; got.Waited != before.Waited || got.Elastic != before.Elastic || !got.Until.Equal(before.Until) {
		t.Errorf("a clock that went back and came again made %+v of %+v", got, before)
	}
}

// Time counts as waiting from a decision that was held back to the next one.
func TestWaiting(t *testing.T) {
	s := &story{policy: cautious, order: OrderCost, now: epoch}
	s.policy.Step = &FixedStep{Down: 1}
	pods := []Pod{a("a", time.Minute), a("b", time.Minute)}
	idle := func(after time.Duration) {
		s.now = s.now.Add(after)
		o := s.observe(2, pods)
		o.Readings[0].Value = 0.1
		s.history = s.history.After(o, Decide(o, s.policy, s.history))
	}
	idle(0) // The first decision is held back until the pods are 10 minutes old.
	idle(3 * time.Minute)
	idle(4 * time.Minute)
	idle(3 * time.Minute) // The last: it may remove one.
	idle(time.Hour)
	if got, want := s.history.Account.Waited, 10*time.Minute; got != want {
		t.Errorf("waited for %s, want %s", got, want)
	}
}

// What went is counted once, and an account given away before is not changed.
func TestDeparturesAreCounted(t *testing.T) {
	pods := []Pod{a("e", time.Second), a("d", time.Minute), a("c", time.Minute), a("b", time.Hour), a("a", 2*time.Hour)}
	s := begin(pods...)
	s.write(5, 3, pods...)
	s.see(3, without(pods, "a", "c")...) // b was chosen: c went in its place
	first := s.history.Account
	if first.Removed != 2 || first.Missed != 1 || !maps.Equal(first.Young, map[Cause]int64{ByCusme: 1}) {
		t.Errorf("after a scale-in: %+v", first)
	}
	s.see(3, with(without(pods, "a", "c"), "d", doomed, leaving)...)
	s.see(3, without(pods, "a", "c", "d", "e")...)
	want := map[Cause]int64{ByCusme: 1, ByEviction: 1, ByOutside: 1}
	if got := s.history.Account; got.Removed != 2 || got.Missed != 1 || !maps.Equal(got.Young, want) {
		t.Errorf("in the end: %+v", got)
	}
	if !maps.Equal(first.Young, map[Cause]int64{ByCusme: 1}) {
		t.Errorf("an account given away became %+v", first)
	}
}
