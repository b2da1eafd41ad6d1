package controller

import (
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A scale-in is told once: not while its marks settle, while pods are asked, or
// while its pods are on their way out. One that was refused, or that does not
// come to an end, is news.
func TestAScaleInIsToldOnce(t *testing.T) {
	shrink := scaling.Tick{Observation: scaling.Observation{Now: noon, Replicas: 4}, Decision: scaling.Decision{Replicas: 3}}
	with := func(change func(*scaling.Tick)) scaling.Tick {
		tick := shrink
		change(&tick)
		return tick
	}
	hold := with(func(t *scaling.Tick) { t.Decision.Replicas = 4 })
	for name, c := range map[string]struct {
		tick scaling.Tick
		left int32         // pods of the last scale-in that are yet to go
		ago  time.Duration // since it was written
		want time.Duration
	}{
		"marks settle":            {tick: with(func(t *scaling.Tick) { t.Outcome.Settling = time.Second }), want: time.Second},
		"just written":            {tick: with(func(t *scaling.Tick) { t.Outcome.Wrote = true }), want: goingPatience},
		"a pod is yet to go":      {tick: hold, left: 1, ago: 10 * time.Second, want: goingPatience - 10*time.Second},
		"a pod does not go":       {tick: hold, left: 1, ago: time.Minute},
		"all gone":                {tick: hold, ago: time.Second},
		"refused":                 {tick: with(func(t *scaling.Tick) { t.Outcome.Refused = "forbidden" }), left: 1},
		"pods are asked":          {tick: with(func(t *scaling.Tick) { t.Decision.Replicas, t.Decision.Ask = 4, []string{"a"} }), want: goingPatience},
		"a scale-out was written": {tick: with(func(t *scaling.Tick) { t.Decision.Replicas, t.Outcome.Wrote = 9, true })},
	} {
		m := &memory{lastScale: noon.Add(-c.ago)}
		m.history.Removing.Left = c.left
		if got := m.underWay(c.tick); got != c.want {
			t.Errorf("%s: under way for %s, want %s", name, got, c.want)
		}
	}
}

func TestTheStatusTellsOfTenMoves(t *testing.T) {
	m := &memory{}
	for i := range int32(12) {
		tick := turn(plain, i+1, 1, fresh(0.6))
		tick.Decision.Replicas = i + 2
		m.moved(tick)
	}
	if len(m.recent) != 10 || m.recent[0].From != 3 || m.recent[9].To != 13 || m.recent[9].Why == "" {
		t.Errorf("got %+v, want the moves from 3 to 13", m.recent)
	}
}

// A restart goes on with the account that the status holds.
func TestAccountSurvivesARestart(t *testing.T) {
	was := scaling.Account{
		Until: noon, Elastic: 90 * time.Minute, Waited: 5 * time.Second, Removed: 7, Missed: 1,
		Young: map[scaling.Cause]int64{scaling.ByCusme: 1, scaling.ByRollout: 2, scaling.ByEviction: 3, scaling.ByOutside: 4},
	}
	is := accountFrom(accountOf(was))
	if is.Removed != 7 || is.Missed != 1 || !is.Until.Equal(noon) || is.Young[scaling.ByCusme] != 1 || is.Elastic != was.Elastic || is.Young[scaling.ByOutside] != 4 {
		t.Errorf("got %+v, want %+v", is, was)
	}
	if got := accountFrom(accountOf(scaling.Account{})); !got.Until.IsZero() {
		t.Errorf("an account that never began is complete until %s", got.Until)
	}
}
