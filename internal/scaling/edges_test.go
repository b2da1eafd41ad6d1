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
