package scaling

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// monday is a Monday in both hemispheres of a test's day.
var monday = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// watched shows a profile some weeks of needs, one look each five minutes.
func watched(p Profile, from time.Time, weeks int, need func(time.Time) int32) Profile {
	for at := from; at.Before(from.Add(time.Duration(weeks) * week)); at = at.Add(5 * time.Minute) {
		p = p.seen(at, need(at))
	}
	return p
}

func TestSlotsOfTheWeek(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	for _, c := range []struct {
		at   time.Time
		want int
	}{
		{monday, 0},
		{monday.Add(30*time.Minute - 1), 0},
		{monday.Add(9*time.Hour + 30*time.Minute), 19},
		{monday.Add(week - 1), SlotsAWeek - 1},
		{monday.Add(-time.Second), SlotsAWeek - 1},
		{monday.In(shanghai), 16},
		{monday.Add(-8 * time.Hour).In(shanghai), 0},
	} {
		if got := slotOf(c.at); got != c.want {
			t.Errorf("%s: slot %d, want %d", c.at, got, c.want)
		}
	}
}

// A newer week weighs a quarter, and the first ones as much as each other.
func TestAProfileIsAMeanOfWeeks(t *testing.T) {
	for weeks, want := range map[int]float64{1: 0, 2: 6, 3: 4, 4: 3} {
		p := watched(Profile{}, monday, weeks, func(at time.Time) int32 {
			if at.Sub(monday)/week == 1 {
				return 12
			}
			return 0
		})
		if got, known := p.needs(20); got != want || !known {
			t.Errorf("after %d weeks: needs %v (%t), want %v", weeks, got, known, want)
		}
	}
	p := watched(Profile{}, monday, 1, func(time.Time) int32 { return 5 })
	if _, known := p.needs(SlotsAWeek - 1); known {
		t.Error("the slot that is not over yet is known")
	}
}

// What was not looked at is not known, and a profile is never changed in place.
func TestAProfileKnowsWhatItSaw(t *testing.T) {
	p := watched(Profile{}, monday, 1, func(time.Time) int32 { return 5 })
	before := slices.Clone(p.Needs)
	later := p.seen(monday.Add(week+3*time.Hour), 9).seen(monday.Add(week+8*time.Hour), 9)
	if got, _ := later.needs(6); got != 5 {
		t.Errorf("a slot seen once for a moment needs %v, want 5 as before", got)
	}
	watched(p, monday.Add(week), 1, func(time.Time) int32 { return 9 })
	if !slices.Equal(p.Needs, before) {
		t.Error("the profile was changed in place")
	}
}

func TestWhenAProfileStandsAside(t *testing.T) {
	good := Score{Rises: 6, Foretold: 100, Off: 20, Waiting: 70}
	for name, c := range map[string]struct {
		age          time.Duration
		ever, lately Score
		says         string
	}{
		"proven":           {3 * week, good, good, ""},
		"a week old":       {week + 25*time.Hour, good, good, "it has seen 8 of 14 days"},
		"too few rises":    {3 * week, Score{Rises: 4, Foretold: 100, Waiting: 70}, good, "it has foretold 4 rises, and 5 are needed to judge it"},
		"hardly any use":   {3 * week, Score{Rises: 9, Foretold: 100, Off: 54, Waiting: 70}, good, "in the last weeks it was off by 54 %, the load alone by 70 %"},
		"wrong yesterday":  {3 * week, good, Score{Rises: 1, Foretold: 20, Off: 16}, "lately it was off by 80 %, the load alone by 0 %"},
		"nothing foretold": {3 * week, Score{}, Score{}, "it has foretold 0 rises, and 5 are needed to judge it"},
	} {
		p := Profile{Began: monday, Ever: c.ever, Lately: c.lately}
		if got := p.doubt(monday.Add(c.age)); got != c.says {
			t.Errorf("%s: says %q, want %q", name, got, c.says)
		}
	}
}

// known is a target in its third week, at night, whose profile knows of a rise to 20 at 9:00.
func known(at time.Time, ever Score) (Observation, Policy, History) {
	p := Policy{Min: 1, Max: 50, StartDeadline: 20 * time.Minute, Objective: &Objective{Wait: 30 * time.Second, Percentile: 95, Zone: time.UTC}, Loads: []Load{{Name: "load", StaleAfter: time.Minute}}}
	o := Observation{Now: at, Replicas: 3, Readings: []Reading{{Load: "load", Value: 0.5, At: at}}}
	for _, name := range []string{"a", "b", "c"} {
		o.Pods = append(o.Pods, Pod{Name: name, UID: name, Phase: PhaseRunning, Ready: true, Created: monday, ReadySince: monday.Add(time.Minute)})
	}
	needs := slices.Repeat([]float64{2}, SlotsAWeek)
	for slot := 18; slot < 36; slot++ {
		needs[slot] = 20
	}
	h := History{
		Learned:   Learned{Ordinary: NewStarts(slices.Repeat([]time.Duration{5 * time.Minute}, 20)), Profile: Profile{Began: monday.Add(-3 * week), Needs: needs, Ever: ever, Lately: ever}},
		Workloads: []Workload{{Load: "load", Service: newServiceTime(20 * time.Second), Slack: firstSlack, Active: at, Past: []Stretch{{10 * time.Minute, 1.5}}, now: glimpse{at: at.Add(-15 * time.Second), all: 1.5, here: 1.5, ready: 3, value: 0.5}}},
	}
	return o, p, h
}

func TestPodsAreOrderedBeforeARise(t *testing.T) {
	proven, wrong := Score{Rises: 6, Foretold: 100, Off: 20, Waiting: 70}, Score{Rises: 6, Foretold: 100, Off: 70, Waiting: 20}
	for name, c := range map[string]struct {
		at   time.Duration
		ever Score
		most int32
		want int32 // what the forecast wants; 0 for no word of it
		says string
	}{
		"a start-up before":   {8*time.Hour + 56*time.Minute, proven, 50, 20, "the profile of the week expects 20 for Monday 09:01 UTC; in the last weeks it was off by 20 %, the load alone by 70 %"},
		"not yet":             {8*time.Hour + 50*time.Minute, proven, 50, 0, ""},
		"within the hours":    {12 * time.Hour, proven, 50, 0, ""},
		"before a fall":       {17*time.Hour + 56*time.Minute, proven, 50, 0, ""},
		"not proven":          {8*time.Hour + 56*time.Minute, wrong, 50, -1, "the profile of the week expects 20 for Monday 09:01 UTC, but stands aside: in the last weeks it was off by 70 %, the load alone by 20 %"},
		"never above maximum": {8*time.Hour + 56*time.Minute, proven, 8, 8, "the profile of the week expects 8 for Monday 09:01 UTC"},
	} {
		o, p, h := known(monday.Add(c.at), c.ever)
		p.Max = c.most
		d := Decide(o, p, h)
		i := slices.IndexFunc(d.Reasons, func(r Reason) bool { return r.Step == Forecast })
		if (i < 0) != (c.want == 0) {
			t.Errorf("%s: %+v", name, d.Reasons)
			continue
		}
		if i < 0 {
			continue
		}
		r := d.Reasons[i]
		if c.want > 0 && (r.To != c.want || d.Replicas != c.want) || c.want < 0 && r.To != r.From || !strings.HasPrefix(r.Why, c.says) {
			t.Errorf("%s: %+v, %d replicas", name, r, d.Replicas)
		}
	}
}

// Off, without known starts or with a load that does not tell, nothing is foretold.
func TestNothingIsForetoldInTheDark(t *testing.T) {
	for name, spoil := range map[string]func(*Observation, *Policy, *History){
		"off":             func(_ *Observation, p *Policy, _ *History) { p.Objective.Zone = nil },
		"no starts known": func(_ *Observation, _ *Policy, h *History) { h.Learned.Ordinary = Starts{} },
		"no reading":      func(o *Observation, _ *Policy, _ *History) { o.Readings = nil },
		"a partial one":   func(o *Observation, _ *Policy, _ *History) { o.Readings[0].Partial = "1 pod gave no answer" },
		"nothing known":   func(_ *Observation, _ *Policy, h *History) { h.Learned.Profile = Profile{} },
	} {
		o, p, h := known(monday.Add(8*time.Hour+56*time.Minute), Score{Rises: 6, Foretold: 100, Off: 20, Waiting: 70})
		spoil(&o, &p, &h)
		if d := Decide(o, p, h); slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Step == Forecast }) {
			t.Errorf("%s: %+v", name, d.Reasons)
		}
	}
}

// A rise that does not come is judged one start-up after its time, and the next is not believed.
func TestARiseThatDoesNotCome(t *testing.T) {
	o, p, h := known(monday.Add(8*time.Hour+56*time.Minute), Score{Rises: 6, Foretold: 20, Off: 2, Waiting: 6})
	for range 44 { // 11 minutes
		d := Decide(o, p, h)
		h = h.After(o, d)
		o.Now = o.Now.Add(15 * time.Second)
		o.Readings = []Reading{{Load: "load", Value: 0.5 + float64(o.Now.Second())/1000, At: o.Now}}
	}
	if doubt := h.Learned.Profile.doubt(o.Now); !strings.HasPrefix(doubt, "in the last weeks it was off by") {
		t.Errorf("doubts %q", doubt)
	}
	if d := Decide(o, p, h); d.Replicas > 3 {
		t.Errorf("still %d replicas: %s", d.Replicas, d.Ledger())
	}
}
