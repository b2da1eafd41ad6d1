package scaling

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// repeated are windows a period apart, the first at From after the epoch; of period 0 there is one.
type repeated struct {
	From, To, Every time.Duration
}

// Window counts from the first window on.
func (r repeated) Window(t time.Time) (start, end time.Time, ok bool) {
	start, end = epoch.Add(r.From), epoch.Add(r.To)
	if r.Every > 0 && !t.Before(end) {
		later := (t.Sub(end)/r.Every + 1) * r.Every
		start, end = start.Add(later), end.Add(later)
	}
	return start, end, t.Before(end)
}

// window reads NAME 9h..21h [every 24h] [min 4] [max 8] [ramp 10m].
func (a *arguments) window() Schedule {
	s, r := Schedule{Name: a.next()}, repeated{}
	r.From, r.To = a.times()
	for len(a.left) > 0 && a.err == nil {
		switch verb := a.next(); verb {
		case "every":
			r.Every = a.duration()
		case "min":
			n := a.int()
			s.Min = &n
		case "max":
			n := a.int()
			s.Max = &n
		case "ramp":
			d := a.duration()
			s.Ramp = &d
		default:
			a.err = fmt.Errorf("do not understand %q", verb)
		}
	}
	s.Windows = r
	return s
}

// randomSchedules opens windows in a world that goes on for so long.
func randomSchedules(r *rapid.T, lasts time.Duration) (all []Schedule) {
	part := func(name string) time.Duration {
		return time.Duration(rapid.IntRange(0, 100).Draw(r, name)) * lasts / 100
	}
	for range rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(r, "schedules") {
		s := Schedule{Name: "window"}
		windows := repeated{From: part("from")}
		windows.To = windows.From + time.Second + part("long")
		if rapid.Bool().Draw(r, "repeated") {
			windows.Every = windows.To - windows.From + part("pause")
		}
		s.Windows = windows
		least := int32(rapid.IntRange(0, 40).Draw(r, "windowMin"))
		if rapid.Bool().Draw(r, "windowHasMin") {
			s.Min = &least
		}
		if rapid.Bool().Draw(r, "windowHasMax") {
			most := least + int32(rapid.IntRange(0, 10).Draw(r, "windowRoom"))
			s.Max = &most
		}
		if rapid.Bool().Draw(r, "windowHasRamp") {
			ramp := part("ramp")
			s.Ramp = &ramp
		}
		all = append(all, s)
	}
	return all
}

// bounds are what the policy and the windows promise at a moment, in the words of the docs: the
// least and the most that there must be, and the least that a ramp may have reached.
func (w *world) bounds(now time.Time) (least, most, ahead int32) {
	var mins, maxs, coming []int32
	for _, s := range w.policy.Schedules {
		start, _, ok := s.Windows.Window(now)
		early := time.Hour // longer than any pod of a world takes to start
		if s.Ramp != nil {
			early = *s.Ramp
		}
		switch open := ok && !now.Before(start); {
		case open && s.Min != nil && s.Max != nil:
			mins, maxs = append(mins, *s.Min), append(maxs, *s.Max)
		case open && s.Min != nil:
			mins = append(mins, *s.Min)
		case open && s.Max != nil:
			maxs = append(maxs, *s.Max)
		case ok && s.Min != nil && !now.Before(start.Add(-early)):
			coming = append(coming, *s.Min)
		}
	}
	least, most = w.policy.Min, w.policy.Max
	for i, n := range mins {
		if i == 0 || n > least {
			least = n
		}
	}
	for i, n := range maxs {
		if i == 0 || n < most {
			most = n
		}
	}
	least = min(least, most)
	ahead = least
	for _, n := range coming {
		ahead = min(most, max(ahead, n))
	}
	return least, most, ahead
}

func (w *world) overMax() bool {
	_, most, _ := w.bounds(w.now)
	return w.replicas > most
}

// A ramp rises in equal steps, ten seconds apart or more, and says when it goes on.
func TestRamp(t *testing.T) {
	for name, c := range map[string]struct {
		span time.Duration
		rise int32
		at   time.Duration
		done int32
		next time.Duration // negative: never
	}{
		"before it":                {10 * time.Minute, 5, -time.Hour, 0, 2 * time.Minute},
		"as it begins":             {10 * time.Minute, 5, 0, 0, 2 * time.Minute},
		"just before a step":       {10 * time.Minute, 5, 2*time.Minute - 1, 0, 2 * time.Minute},
		"at a step":                {10 * time.Minute, 5, 2 * time.Minute, 1, 4 * time.Minute},
		"between steps":            {10 * time.Minute, 5, 7 * time.Minute, 3, 8 * time.Minute},
		"at its end":               {10 * time.Minute, 5, 10 * time.Minute, 5, -1},
		"after it":                 {10 * time.Minute, 5, time.Hour, 5, -1},
		"a jump, before":           {0, 5, -1, 0, 0},
		"a jump":                   {0, 5, 0, 5, -1},
		"many in a short one":      {30 * time.Second, 100, 10 * time.Second, 33, 20 * time.Second},
		"too short for two":        {15 * time.Second, 4, 14 * time.Second, 0, 15 * time.Second},
		"steps that do not divide": {100 * time.Second, 3, 100 * time.Second, 3, -1},
		"the most there can be":    {24 * time.Hour, 1<<31 - 1, 12 * time.Hour, 1<<30 - 1, 12*time.Hour + 10*time.Second},
	} {
		done, next := ramp{from: epoch, span: c.span}.at(epoch.Add(c.at), c.rise)
		if want := epoch.Add(c.next); done != c.done || c.next < 0 && !next.IsZero() || c.next >= 0 && !next.Equal(want) {
			t.Errorf("%s: %d, next at %s; want %d, %s", name, done, next.Sub(epoch), c.done, c.next)
		}
	}
}

// Once it is known how long pods take to start, the minimum has risen so long before the window opens, and
// begins to rise no earlier than the ramp says.
func TestRampIsOverWhenPodsCanBeReady(t *testing.T) {
	minutes := func(n int) *time.Duration {
		d := time.Duration(n) * time.Minute
		return &d
	}
	start, learned := epoch.Add(time.Hour), NewStarts(make([]time.Duration, 0))
	for range enoughStarts {
		learned = learned.with(3 * time.Minute)
	}
	for name, c := range map[string]struct {
		ramp     *time.Duration
		learned  Learned
		from, to time.Duration // before the window opens
	}{
		"nothing said or known":   {nil, Learned{}, 0, 0},
		"learned":                 {nil, Learned{Ordinary: learned}, 3 * time.Minute, 3 * time.Minute},
		"of the other kind":       {nil, Learned{Elastic: learned}, 3 * time.Minute, 3 * time.Minute},
		"said":                    {minutes(10), Learned{}, 10 * time.Minute, 0},
		"said and learned":        {minutes(10), Learned{Ordinary: learned}, 10 * time.Minute, 3 * time.Minute},
		"shorter than a start-up": {minutes(2), Learned{Ordinary: learned}, 2 * time.Minute, 2 * time.Minute},
		"none":                    {minutes(0), Learned{Ordinary: learned}, 0, 0},
	} {
		in := &input{History: History{Learned: c.learned}}
		r := in.ramp(Schedule{Ramp: c.ramp}, start)
		if from, to := start.Sub(r.from), start.Sub(r.from.Add(r.span)); from != c.from || to != c.to {
			t.Errorf("%s: from %s to %s before it; want %s, %s", name, from, to, c.from, c.to)
		}
	}
}

// Without any reading a decision is due at each edge of a window, and at each step of its ramp.
func TestDecidesAtEveryEdge(t *testing.T) {
	four, six, ramp := int32(4), int32(6), 10*time.Minute
	p := Policy{Min: 2, Max: 9, Loads: []Load{{Name: "load", Low: 0.5, Target: 0.6, High: 0.8, StaleAfter: time.Minute}}, Schedules: []Schedule{
		{Name: "a", Min: &four, Ramp: &ramp, Windows: repeated{From: time.Hour, To: 2 * time.Hour}},
		{Name: "b", Max: &six, Windows: repeated{From: 90 * time.Minute, To: 3 * time.Hour}},
	}}
	var at []string
	o := Observation{Now: epoch, Replicas: 2}
	for {
		d := Decide(o, p, History{})
		if o.Replicas = d.Replicas; d.Next.IsZero() {
			break
		}
		if !d.Next.After(o.Now) {
			t.Fatalf("at %s the next decision is due at %s", o.Now, d.Next)
		}
		o.Now = d.Next
		at = append(at, brief(d.Next.Sub(epoch)))
	}
	if got, want := fmt.Sprint(at), "[55m 1h 1h30m 2h 3h]"; got != want {
		t.Errorf("decides at %s, want %s", got, want)
	}
	if o.Replicas != 4 {
		t.Errorf("ends with %d, want 4: nothing but a reading shrinks", o.Replicas)
	}
}

// TestOfOpenWindowsTheNarrowestCount gives them in both orders.
func TestOfOpenWindowsTheNarrowestCount(t *testing.T) {
	open := func(least, most int32) Schedule {
		return Schedule{Name: "open", Min: &least, Max: &most, Windows: repeated{To: time.Hour}}
	}
	for _, all := range [][]Schedule{{open(6, 9), open(3, 12)}, {open(3, 12), open(6, 9)}} {
		in := &input{Observation: Observation{Now: epoch}, Policy: Policy{Min: 4, Max: 10, Schedules: all}}
		if c := in.corridorNow(); c.least != 6 || c.most != 9 {
			t.Errorf("got %d to %d, want 6 to 9", c.least, c.most)
		}
	}
}
