package main

import (
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

func TestTheFleetCountsAndRemembers(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	ordinary := pod{name: "a", created: at(0), node: "gpu-node-1", ready: true}
	virtual := pod{name: "b", created: at(10), node: "vci", elastic: true, ready: true}
	starting := pod{name: "c", created: at(20), node: "vci", elastic: true}
	homeless := pod{name: "d", created: at(20)}

	f := newFleet()
	if _, removed := f.youngest(); removed {
		t.Error("a new fleet has removed a pod")
	}
	f.see(at(30), []pod{ordinary, virtual, starting, homeless})
	if got, want := f.counts(), (counts{ordinary: 1, elastic: 1, startingElastic: 1, startingOrdinary: 1}); got != want {
		t.Errorf("counts are %+v, want %+v", got, want)
	}
	virtual.removed = at(50)
	f.see(at(50), []pod{ordinary, virtual, starting, homeless})
	if got := f.counts(); got.leaving != 1 || got.elastic != 0 {
		t.Errorf("a pod that is being removed counts as %+v", got)
	}
	f.see(at(60), []pod{ordinary, homeless}) // c went at once, without being seen leaving
	onOrdinary, onElastic := f.podTime(at(100))
	if onOrdinary != 100*time.Second || onElastic != 80*time.Second {
		t.Errorf("pods existed for %s on ordinary and %s on elastic nodes, want 100s and 40s+40s", onOrdinary, onElastic)
	}
	if age, removed := f.youngest(); !removed || age != 40*time.Second {
		t.Errorf("the youngest removed pod was %s old (%v), want 40s", age, removed)
	}
}

func TestMovesAndReasonsMeetInAnyOrder(t *testing.T) {
	reasons := []v1alpha1.Reason{
		{Step: "demand", From: 3, To: 9, Why: "load 2 is above 0.8: 9 replicas bring it to 0.65"},
		{Step: "pace", From: 9, To: 6, Why: "the pace allows 6 for now"},
	}
	const want = "load 2 is above 0.8: 9 replicas bring it to 0.65, but the pace allows 6 for now"
	for name, feed := range map[string]func(*logbook){
		"move first":   func(l *logbook) { l.replicas(sec, 6); l.decided(reasons) },
		"reason first": func(l *logbook) { l.decided(reasons); l.replicas(sec, 6) },
	} {
		var l logbook
		l.replicas(0, 3)
		feed(&l)
		if len(l.moves) != 1 || l.moves[0].why(2*sec) != want {
			t.Errorf("%s: %+v, want one move because %q", name, l.moves, want)
		}
		l.decided([]v1alpha1.Reason{{Step: "demand", From: 6, To: 6, Why: "load 0.7 is within 0.5..0.8"}})
		if l.moves[0].why(2*sec) != want || l.now() != "load 0.7 is within 0.5..0.8" {
			t.Errorf("%s: a later decision changed the move to %q, and now is %q", name, l.moves[0].why(2*sec), l.now())
		}
	}
}

func TestALedgerReadsAsOneSentence(t *testing.T) {
	got := sentence([]v1alpha1.Reason{
		{From: 16, To: 5, Why: "load 0.2 is below 0.5: 5 are enough"},
		{From: 5, To: 10, Why: "10 were asked for within the last 15s"},
		{From: 10, To: 14, Why: "the pace allows 14 for now"},
		{From: 14, To: 14, Why: "webui-x is 20s old"},
	})
	const want = "load 0.2 is below 0.5: 5 are enough, but 10 were asked for within the last 15s, and the pace allows 14 for now; webui-x is 20s old"
	if got != want {
		t.Errorf("the sentence is\n%s\nwant\n%s", got, want)
	}
}

func TestAMoveWithoutReasonIsSomebodyElses(t *testing.T) {
	var l logbook
	l.replicas(0, 3)
	l.decided([]v1alpha1.Reason{{Step: "demand", From: 3, To: 3, Why: "load 0.7 is within 0.5..0.8"}})
	l.replicas(10*sec, 5)
	l.replicas(20*sec, 4)
	if got := l.moves[0].why(11 * sec); got != "…" {
		t.Errorf("a second after the move its reason is %q; it may still come", got)
	}
	if got := l.moves[0].why(14 * sec); got != "somebody else moved it: cusme's status has no reason that fits" {
		t.Errorf("the reason of somebody else's move is %q", got)
	}
	if up, down, peak := l.directions(); up != 1 || down != 1 || peak != 5 {
		t.Errorf("%d up, %d down, peak %d; want 1, 1, 5", up, down, peak)
	}
}
