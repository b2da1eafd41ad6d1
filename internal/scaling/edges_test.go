package scaling

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// veterans are old, ready pods.
func veterans(n int) []Pod {
	var pods []Pod
	for i := range n {
		pods = append(pods, Pod{
			Name: fmt.Sprintf("pod-%d", i), UID: fmt.Sprintf("%08d", i), Node: "node", Phase: PhaseRunning,
			Ready: true, ReadySince: epoch.Add(-time.Hour), Created: epoch.Add(-time.Hour),
		})
	}
	return pods
}

func idle(replicas int32, pods []Pod) Observation {
	return Observation{Now: epoch, Replicas: replicas, Pods: pods, Readings: []Reading{{Load: "load", Value: 0.1, At: epoch}}}
}

var cautious = Policy{
	Max: 20, MinPodAge: 10 * time.Minute, StartDeadline: 10 * time.Minute,
	Loads: []Load{{Name: "load", Low: 0.5, High: 0.8, Target: 0.65, StaleAfter: time.Minute}},
}

// Replicas that were just asked for may have pods that nobody has seen yet, and
// those would be the first to go.
func TestUnseenPodsAreYoung(t *testing.T) {
	o := idle(10, veterans(8))
	stepwise := cautious
	stepwise.Step = &FixedStep{Up: 1, Down: 1}
	for _, p := range []Policy{cautious, stepwise} {
		for age, held := range map[time.Duration]bool{2 * time.Second: true, time.Hour: false} {
			h := History{Asked: 10, Due: epoch.Add(-age)}.begun(o)
			if got := Decide(o, p, h).Replicas; (got == 10) != held {
				t.Errorf("10 replicas asked for %s ago, 8 seen, step %+v: got %d, want held %t", age, p.Step, got, held)
			}
		}
	}
}

// A ratio per replica beyond all reason is no ratio; as a sum it may be one.
func TestAbsurdRatiosAreInvalid(t *testing.T) {
	for _, c := range []struct {
		value float64
		total bool
		want  State
	}{{mostRatio, false, Fresh}, {1e30, false, Invalid}, {1e30, true, Fresh}} {
		r := Reading{Load: "load", Value: c.value, At: epoch}
		if got, why := r.judge(epoch, Load{Total: c.total, StaleAfter: time.Minute}); got != c.want {
			t.Errorf("%v, total %t: got %s (%s), want %s", c.value, c.total, got, why, c.want)
		}
	}
}

// Creation is known to the whole second: a pod of 10:00:00 may have been
// created at 10:00:00.999, and is protected that much longer.
func TestAgeCountsFromTheEndOfTheSecond(t *testing.T) {
	pods := veterans(2)
	pods[1].Created = epoch.Add(-10 * time.Minute)
	in := input{Observation: idle(2, pods), Policy: cautious}
	for after, young := range map[time.Duration]bool{0: true, 900 * time.Millisecond: true, time.Second: false} {
		in.Now = epoch.Add(after)
		if got := in.young(pods[1]); got != young {
			t.Errorf("%s after: young is %t, want %t", after, got, young)
		}
	}
}

func TestALedgerReadsAsOneSentence(t *testing.T) {
	d := Decision{Reasons: []Reason{
		{From: 16, To: 5, Why: "load 0.2 is below 0.5: 5 are enough"},
		{From: 5, To: 10, Why: "10 were asked for within the last 15s"},
		{From: 10, To: 14, Why: "the pace allows 14 for now"},
		{From: 14, To: 14, Why: "webui-x is 20s old"},
	}}
	const want = "load 0.2 is below 0.5: 5 are enough, but 10 were asked for within the last 15s, and the pace allows 14 for now; webui-x is 20s old"
	if got := d.Ledger(); got != want {
		t.Errorf("the sentence is\n%s\nwant\n%s", got, want)
	}
}

// Whole replicas: no more than needed for a rounding error, and never none for some load.
func TestAtLeast(t *testing.T) {
	low := 0.65
	for load, want := range map[float64]int32{0: 0, 1e-300: 1, 1e-10: 1, 1: 1, 1.1: 2, 2.6 / low: 4, 1e300: math.MaxInt32} {
		if got := atLeast(load); got != want {
			t.Errorf("%v became %d, want %d", load, got, want)
		}
	}
}

// lost is a load that gives no answer.
func lost(load string) Reading {
	return Reading{Load: load, Problem: Failed, Message: "no answer"}
}

// An input stands anywhere among the loads and never decides, even where nothing is asked for; it may be any number.
func TestInputsNeverLead(t *testing.T) {
	p := cautious
	p.Loads = []Load{{Name: "gpu", Input: true, StaleAfter: time.Minute}, cautious.Loads[0]}
	o := Observation{Now: epoch, Readings: []Reading{{Load: "gpu", Value: 1e9, At: epoch}, {Load: "load", At: epoch}}}
	d := Decide(o, p, History{})
	if i, found := d.Leading(); i != 1 || !found {
		t.Errorf("load %d leads (found %t), want the second", i, found)
	}
	if v := d.Loads[0]; v.State != Fresh || v.Why != "gpu is 1e+09" || v.Demand != 0 {
		t.Errorf("got %+v, want a fresh input of 1e+09 that asks for nothing", v)
	}
	o.Readings[1] = lost("load")
	h := History{Recommendations: []Recommendation{{At: epoch.Add(-time.Minute), Replicas: 3}}}
	d = Decide(o, p, h)
	if asked := h.After(o, d).Recommendations; !d.Blind() || len(asked) != 1 || asked[0] != h.Recommendations[0] {
		t.Errorf("with an input alone to go by: blind %t, asked for %v; want a blind decision that nobody asked for", d.Blind(), asked)
	}
	p.Loads = p.Loads[:1]
	if _, found := Decide(o, p, History{}).Leading(); found {
		t.Error("an input alone leads")
	}
}

// Of two loads that ask for what there is, the one that cannot be read says why nothing falls.
func TestWhatHoldsIsSaid(t *testing.T) {
	p := cautious
	p.Loads = []Load{cautious.Loads[0], {Name: "queue", Low: 0.5, High: 0.8, Target: 0.65, StaleAfter: time.Minute}}
	o := idle(3, veterans(3))
	o.Readings = []Reading{{Load: "load", Value: 0.6, At: epoch}, lost("queue")}
	if d := Decide(o, p, History{}); d.Why() != "holding: queue is unknown: no answer" {
		t.Errorf("got %q", d.Why())
	}
}

// The next look is at the fallback that comes first, of those that are yet to come.
func TestNextFallback(t *testing.T) {
	p := cautious
	p.Fallbacks = map[State]Fallback{Failed: {After: 5 * time.Minute, Replicas: 4}, Stale: {After: 7 * time.Minute, Replicas: 4}}
	a, b, input := cautious.Loads[0], cautious.Loads[0], cautious.Loads[0]
	a.Name, b.Name, input.Name, input.Input = "a", "b", "input", true
	p.Loads = []Load{a, b, input}
	old := func(load string) Reading { return Reading{Load: load, Value: 0.6, At: epoch.Add(-time.Hour)} }
	since := func(minutes ...time.Duration) map[string]time.Time {
		return map[string]time.Time{"a": epoch.Add(-minutes[0] * time.Minute), "b": epoch.Add(-minutes[1] * time.Minute)}
	}
	fresh := Reading{Load: "b", Value: 0.6, At: epoch}
	for name, c := range map[string]struct {
		readings []Reading
		silent   map[string]time.Time
		want     time.Duration // from now; 0 is never
	}{
		"the first of two":          {[]Reading{lost("a"), lost("b")}, since(1, 3), 2 * time.Minute},
		"the other first":           {[]Reading{lost("a"), lost("b")}, since(3, 1), 2 * time.Minute},
		"by its state":              {[]Reading{old("a"), fresh}, since(3, 0), 4 * time.Minute},
		"one is due already":        {[]Reading{lost("a"), lost("b")}, since(9, 1), 4 * time.Minute},
		"both are due":              {[]Reading{lost("a"), lost("b")}, since(9, 9), 0},
		"just begun":                {[]Reading{lost("a"), lost("b")}, nil, 5 * time.Minute},
		"due for its earlier state": {[]Reading{old("a"), lost("b")}, since(6, 6), time.Minute},
	} {
		o := Observation{Now: epoch, Replicas: 2, Pods: veterans(2), Readings: append(c.readings, lost("input"))}
		got := Decide(o, p, History{Silent: c.silent}).Next
		if want := epoch.Add(c.want); c.want == 0 && !got.IsZero() || c.want > 0 && !got.Equal(want) {
			t.Errorf("%s: got %s, want in %s", name, got, c.want)
		}
	}
}

// The ReplicaSet's comparison goes in circles: b2 goes before the young pod by its UID, the young pod before b1 likewise,
// and b1 before b2, which are of one second, by chance. Sorted that way the young one can be the first.
func TestOrderInCirclesTakesNoYoungPod(t *testing.T) {
	born := func(name, uid string, age time.Duration, broken string) Pod {
		return Pod{Name: name, UID: uid, Node: "node", Phase: PhasePending, Created: epoch.Add(-age), Broken: broken}
	}
	o := idle(3, []Pod{born("a", "5", 46*time.Second, ""), born("b1", "9", 41*time.Second, "x"), born("b2", "1", 41*time.Second, "x")})
	o.Order = OrderRank
	if d := Decide(o, cautious, History{}.begun(o)); d.Replicas != 3 || len(d.Lose) > 0 {
		t.Errorf("got %d replicas without %v, want 3: the young pod could be the first", d.Replicas, d.Lose)
	}
}

// What was given up for lack of stock is asked for again, until somebody asks for less: a load, or a fallback.
func TestFallbackEndsWhatWasGivenUp(t *testing.T) {
	o := idle(3, veterans(3))
	o.Readings = []Reading{lost("load")}
	h := History{Stock: Stock{Given: 2}}.begun(o)
	for after, given := range map[time.Duration]int32{time.Minute: 2, 0: 0} {
		p := cautious
		p.Fallbacks = map[State]Fallback{Failed: {After: after, Replicas: 2}}
		d := Decide(o, p, h)
		if got := h.After(o, d).Stock.Given; got != given || given > 0 && d.Demand != 5 {
			t.Errorf("with a fallback after %s: %d given up, %d demanded; want %d given up", after, got, d.Demand, given)
		}
	}
}

// A ratio speaks of the pods that were ready when it was first seen, also when a
// newer term of a formula changes its value, and when it was away for a moment.
func TestAReadingIsCountedOnce(t *testing.T) {
	read := func(at time.Duration, value float64) Reading {
		return Reading{Load: "load", Value: value, At: epoch.Add(at)}
	}
	for name, c := range map[string]struct {
		then []Reading // one decision on each, with two pods
		now  Reading   // with six
		want int32
	}{
		"the same again":            {[]Reading{read(0, 1.9)}, read(0, 1.9), 6},
		"another term of it":        {[]Reading{read(0, 1.9)}, read(0, 2.7), 9},
		"back after a failure":      {[]Reading{read(0, 1.9), lost("load")}, read(0, 1.9), 6},
		"a new one":                 {[]Reading{read(0, 1.9)}, read(time.Second, 1.9), 18},
		"an older term, and little": {[]Reading{read(0, 1.9)}, read(0, 0.3), 3},
		"never seen before":         {nil, read(0, 0.3), 3},
	} {
		policy := Policy{Min: 1, Max: 40, StartDeadline: time.Minute, Loads: []Load{cautious.Loads[0], cautious.Loads[0]}}
		policy.Loads[1].Name = "beside"
		var h History
		decide := func(pods int, r Reading) Decision {
			o := Observation{Now: epoch.Add(time.Second), Replicas: int32(pods), Pods: veterans(pods), Readings: []Reading{r, {Load: "beside", Value: 0.1, At: epoch}}}
			d := Decide(o, policy, h)
			h = h.After(o, d)
			return d
		}
		for _, r := range c.then {
			decide(2, r)
		}
		if d := decide(6, c.now); d.Loads[0].Demand != c.want {
			t.Errorf("%s: got %d, want %d: %s", name, d.Loads[0].Demand, c.want, d.Loads[0].Why)
		}
	}
}

// What is made of several values moves replicas only where the newest alone would too.
func TestTheNewestValueAgrees(t *testing.T) {
	for name, c := range map[string]struct {
		value, newest float64
		want          int32
	}{
		"both above":         {0.9, 1.0, 6},
		"the newest is less": {1.2, 0.9, 6},
		"only the average":   {0.9, 0.6, 4},
		"only the newest":    {0.6, 0.9, 4},
		"both below":         {0.3, 0.2, 2},
		"the newest is more": {0.2, 0.45, 3},
		"the average alone":  {0.3, 0.6, 4},
	} {
		o := Observation{Now: epoch, Replicas: 4, Pods: veterans(4), Readings: []Reading{{Load: "load", Value: c.value, Drift: c.newest - c.value, At: epoch}}}
		if v := Decide(o, cautious, History{}).Loads[0]; v.Demand != c.want {
			t.Errorf("%s: got %d, want %d: %s", name, v.Demand, c.want, v.Why)
		}
	}
}
