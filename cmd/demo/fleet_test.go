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

// status is that of a LoadScaler that made one move, and now says why it holds.
func status(from, to int32, why, now string) v1alpha1.LoadScalerStatus {
	return v1alpha1.LoadScalerStatus{
		Recent:  []v1alpha1.Move{{From: from, To: to, Why: why}},
		Reasons: []v1alpha1.Reason{{Step: "demand", From: to, To: to, Why: now}},
	}
}

func TestMovesAndReasonsMeetInAnyOrder(t *testing.T) {
	const want = "load 2 is above 0.8: 9 replicas bring it to 0.65, but the pace allows 6 for now"
	moved := status(3, 6, want, "waiting")
	for name, feed := range map[string]func(*logbook){
		"move first":   func(l *logbook) { l.replicas(sec, 6); l.decided(moved) },
		"reason first": func(l *logbook) { l.decided(moved); l.replicas(sec, 6) },
	} {
		var l logbook
		l.replicas(0, 3)
		feed(&l)
		if len(l.moves) != 1 || l.moves[0].why(2*sec) != want {
			t.Errorf("%s: %+v, want one move because %q", name, l.moves, want)
		}
		l.decided(status(3, 6, "of another move like it", "load 0.7 is within 0.5..0.8"))
		if l.moves[0].why(2*sec) != want || l.now() != "load 0.7 is within 0.5..0.8" {
			t.Errorf("%s: a later decision changed the move to %q, and now is %q", name, l.moves[0].why(2*sec), l.now())
		}
	}
}

func TestAMoveWithoutReasonIsSomebodyElses(t *testing.T) {
	var l logbook
	l.replicas(0, 3)
	l.decided(status(2, 3, "an earlier move", "load 0.7 is within 0.5..0.8"))
	l.replicas(10*sec, 5)
	l.replicas(20*sec, 4)
	if got := l.moves[0].why(11 * sec); got != "…" {
		t.Errorf("a second after the move its reason is %q; it may still come", got)
	}
	if got := l.moves[0].why(14 * sec); got != "somebody else moved it: cusme's status has no such move" {
		t.Errorf("the reason of somebody else's move is %q", got)
	}
	if up, down, peak := l.directions(); up != 1 || down != 1 || peak != 5 {
		t.Errorf("%d up, %d down, peak %d; want 1, 1, 5", up, down, peak)
	}
}
