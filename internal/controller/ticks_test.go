package controller

import (
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// TestNoteworthy keeps about one tick for each interval, every move, and one in a minute when nothing is read.
func TestNoteworthy(t *testing.T) {
	const interval = 15 * time.Second
	start := time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	m := &memory{}
	for i, c := range []struct {
		at, read time.Duration
		state    scaling.State
		wrote    bool
		want     bool
	}{
		{at: 0, read: 0, want: true},
		{at: time.Second, read: 0},                                 // a pod changed
		{at: 15 * time.Second, read: 15 * time.Second, want: true}, // the next reading
		{at: 17 * time.Second, read: 16 * time.Second},             // another load of the same interval
		{at: 20 * time.Second, read: 16 * time.Second, wrote: true, want: true},
		{at: 30 * time.Second, read: 30 * time.Second, want: true},
		{at: 45 * time.Second, read: 45 * time.Second, state: scaling.Failed},
		{at: 89 * time.Second, read: 30 * time.Second, state: scaling.Stale},
		{at: 90 * time.Second, read: 30 * time.Second, state: scaling.Stale, want: true}, // silence is told
		{at: 100 * time.Second, read: 98 * time.Second, want: true},
	} {
		state := c.state
		if state == "" {
			state = scaling.Fresh
		}
		tick := scaling.Tick{Outcome: scaling.Outcome{Wrote: c.wrote}}
		tick.Observation.Now = start.Add(c.at)
		tick.Decision.Loads = []scaling.Verdict{{Reading: scaling.Reading{At: start.Add(c.read)}, State: state}}
		if got := m.noteworthy(tick, interval); got != c.want {
			t.Errorf("turn %d, at %s: got %v", i, c.at, got)
		}
	}
}

// TestTicks hands on what was decided, with what came of it, and nothing of a turn that brings nothing new.
func TestTicks(t *testing.T) {
	server, _ := serve(t, func(int) string { return "0.9" })
	k := newCrank(t, v1alpha1.Load{Name: "backend", HTTP: &v1alpha1.HTTPSource{URL: server.URL, Value: "body.load"}})
	var got []scaling.Tick
	k.ticks = func(tick scaling.Tick) { got = append(got, tick) }
	k.seen.deploy("webui", "10.0.0.1")
	k.turn(t)
	k.reads(t, isFresh)
	k.clock = time.Now()
	for range 3 {
		k.turn(t)
	}
	if len(got) != 1 {
		t.Fatalf("got %d ticks, want one of the one reading", len(got))
	}
	if tick := got[0]; tick.Scaler != "aicloud/webui" || tick.Decision.Replicas != 2 || tick.Outcome.Refused != "dry run" || tick.Observation.Readings[0].Value != 0.9 {
		t.Errorf("got %+v, want 2 replicas at 0.9, in a dry run", tick)
	}
}
