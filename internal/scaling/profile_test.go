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
		"hardly any use":   {3 * week, Score{Rises: 9, Foretold: 100, Off: 47, Waiting: 70}, good, "in the last weeks it was off by 47 %, the load alone by 70 %"},
		"of some use":      {3 * week, Score{Rises: 9, Foretold: 100, Off: 46, Waiting: 70}, good, ""},
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
		"a frozen one": func(_ *Observation, _ *Policy, h *History) {
			h.Workloads[0].before, h.Workloads[0].Frozen = slices.Clone(h.Workloads), isFrozen
		},
		"nothing known": func(_ *Observation, _ *Policy, h *History) { h.Learned.Profile = Profile{} },
	} {
		o, p, h := known(monday.Add(8*time.Hour+56*time.Minute), Score{Rises: 6, Foretold: 100, Off: 20, Waiting: 70})
		spoil(&o, &p, &h)
		if d := Decide(o, p, h); slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Step == Forecast }) {
			t.Errorf("%s: %+v", name, d.Reasons)
		}
	}
}

// A rise that was foretold is not acted upon while the load does not tell, nor beyond its time.
func TestAForetoldRiseInTheDark(t *testing.T) {
	proven := Score{Rises: 6, Foretold: 100, Off: 20, Waiting: 70}
	for name, c := range map[string]struct {
		after time.Duration
		spoil func(*Observation, *Policy)
		want  int32
		says  string
	}{
		"told":           {10 * time.Second, func(*Observation, *Policy) {}, 20, "the profile of the week expects 20 for Monday 09:01 UTC; in the last"},
		"no reading":     {10 * time.Second, func(o *Observation, _ *Policy) { o.Readings = nil }, 3, "the profile of the week expects 20 for Monday 09:01 UTC, but stands aside: load does not tell enough now"},
		"partial":        {10 * time.Second, func(o *Observation, _ *Policy) { o.Readings[0].Partial = "1 pod gave no answer" }, 3, "the profile of the week expects 20 for Monday 09:01 UTC, but stands aside: load does not tell enough now"},
		"over":           {10 * time.Minute, func(o *Observation, _ *Policy) { o.Readings = nil }, 3, ""},
		"a clock behind": {-time.Minute, func(o *Observation, _ *Policy) { o.Readings = nil }, 3, ""},
		"a new maximum":  {10 * time.Second, func(_ *Observation, p *Policy) { p.Max = 7 }, 7, "the profile of the week expects 7 for Monday 09:01 UTC"},
		"switched off":   {10 * time.Second, func(_ *Observation, p *Policy) { p.Objective.Zone = nil }, 3, ""},
	} {
		o, p, h := known(monday.Add(8*time.Hour+56*time.Minute), proven)
		h = h.After(o, Decide(o, p, h))
		o.Now = o.Now.Add(c.after)
		o.Readings[0].At = o.Now
		c.spoil(&o, &p)
		d := Decide(o, p, h)
		says := ""
		if i := slices.IndexFunc(d.Reasons, func(r Reason) bool { return r.Step == Forecast }); i >= 0 {
			says = d.Reasons[i].Why
		}
		if d.Replicas != c.want || !strings.HasPrefix(says, c.says) || c.says == "" && says != "" {
			t.Errorf("%s: %d replicas, says %q, want %d and %q", name, d.Replicas, says, c.want, c.says)
		}
	}
}

// A restart makes nothing older.
func TestAProfileThatWasKept(t *testing.T) {
	kept := Score{Rises: 6, Foretold: 100, Off: 20, Waiting: 70}
	p := Profile{Began: monday, Needs: slices.Repeat([]float64{2}, SlotsAWeek), Ever: kept, Lately: kept}.seen(monday.Add(3*week+9*time.Hour), 5)
	if p.Ever != kept || p.Lately != kept {
		t.Errorf("the scores are %+v and %+v, want %+v as before", p.Ever, p.Lately, kept)
	}
}

// What nobody watched when it should have come is not judged; nor is what is yet to come, as a clock was set back.
func TestWhatIsJudged(t *testing.T) {
	rise := Rise{From: monday, Until: monday.Add(10 * time.Minute), Replicas: 20, Without: 4}
	for after, want := range map[time.Duration]struct{ rises, off, left float64 }{
		0:                {0, 0, 20},
		9 * time.Minute:  {0, 0, 20},
		10 * time.Minute: {1, 2, 0},
		20 * time.Minute: {1, 2, 0},
		21 * time.Minute: {0, 0, 0},
		-time.Second:     {0, 0, 0},
	} {
		p := Profile{rise: rise}.judged(monday.Add(after), 18)
		if p.Ever != p.Lately || p.Ever.Rises != want.rises || p.Ever.Off != want.off || float64(p.rise.Replicas) != want.left {
			t.Errorf("after %s: %+v", after, p)
		}
	}
}

// An hour more or less on the wall, and a clock set back to before it all: nothing is lost but what was not seen.
func TestAProfileAndItsClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]time.Time{
		"an hour is skipped":    time.Date(2024, 3, 25, 0, 0, 0, 0, berlin),
		"an hour comes twice":   time.Date(2024, 10, 21, 0, 0, 0, 0, berlin),
		"nothing happens to it": time.Date(2024, 6, 3, 0, 0, 0, 0, berlin),
	} {
		p := watched(Profile{}, from, 2, func(at time.Time) int32 { return int32(at.In(berlin).Hour()) })
		for slot := range SlotsAWeek - 1 {
			if got, seen := p.needs(slot); !seen || got != float64(slot%SlotsADay/2) {
				t.Errorf("%s: slot %d needs %v (%t)", name, slot, got, seen)
			}
		}
	}
	p := watched(Profile{}, monday, 1, func(time.Time) int32 { return 5 })
	before := monday.Add(-50 * week)
	p = p.seen(before, 9)
	if says := p.doubt(before); says != "it has seen 0 of 14 days" {
		t.Errorf("while a clock is behind: says %q", says)
	}
	p = watched(p, monday.Add(week), 1, func(time.Time) int32 { return 5 })
	if got, _ := p.needs(20); got != 5 || p.doubt(monday.Add(2*week)) == "" {
		t.Errorf("after a clock was set back: needs %v", got)
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
