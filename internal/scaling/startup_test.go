package scaling

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// newborn is a pod that was created at the epoch, and is ready after so many seconds; 0 is not yet.
func newborn(name string, ready int, traits ...trait) Pod {
	p := Pod{Name: name, UID: name, Node: "node-1", Phase: PhaseRunning, Created: epoch}
	if ready > 0 {
		p.Ready, p.ReadySince = true, epoch.Add(time.Duration(ready)*time.Second)
	}
	for _, is := range traits {
		is(&p)
	}
	return p
}

// learning lets a target be looked at, each time with these pods, a minute apart.
func learning(l Learned, looks ...[]Pod) Learned {
	h := History{Learned: l}
	p := Policy{Min: 1, Max: 100, StartDeadline: 10 * time.Minute, Loads: []Load{{Name: "load", Low: 0.5, High: 0.8, Target: 0.65}}}
	for i, pods := range looks {
		o := Observation{Now: epoch.Add(time.Duration(i+1) * time.Minute), Replicas: int32(len(pods)), Pods: pods}
		h = h.After(o, Decide(o, p, h))
	}
	return h.Learned
}

// A start is learned from when it is known to be one: a pod's first readiness, without a restart.
func TestWhichStartsCount(t *testing.T) {
	restarted := func(p *Pod) { p.Restarts = 1 }
	leaves := func(p *Pod) { p.Leaving = true }
	old := func(p *Pod) { p.Created = epoch.Add(-time.Hour) }
	blinked := func(p *Pod) { p.ReadySince = epoch.Add(2 * time.Minute) }
	unready, ready := []Pod{newborn("a", 0)}, []Pod{newborn("a", 50)}
	known := Learned{Started: epoch.Add(time.Minute)}
	for name, c := range map[string]struct {
		before Learned
		looks  [][]Pod
		want   string
	}{
		"seen to start":                   {Learned{}, [][]Pod{unready, ready}, "[50s] []"},
		"never seen to start":             {Learned{}, [][]Pod{nil, ready}, "[50s] []"},
		"two, on different nodes":         {Learned{}, [][]Pod{{newborn("a", 50), newborn("b", 70, elastic)}}, "[50s] [1m10s]"},
		"ready at the first look":         {Learned{}, [][]Pod{ready}, "[50s] []"},
		"that, and known already":         {known, [][]Pod{ready}, "[] []"},
		"that, and newer than known":      {known, [][]Pod{{newborn("a", 70)}}, "[1m10s] []"},
		"an old pod ready again":          {Learned{}, [][]Pod{{newborn("a", 50, old)}}, "[] []"},
		"an old pod that becomes ready":   {Learned{}, [][]Pod{{newborn("a", 0, old)}, {newborn("a", 70, old)}}, "[] []"},
		"longer than the deadline":        {Learned{}, slices.Concat(slices.Repeat([][]Pod{unready}, 12), [][]Pod{{newborn("a", 750)}}), "[12m30s] []"},
		"ready twice":                     {Learned{}, [][]Pod{unready, ready, unready, {newborn("a", 50, blinked)}}, "[50s] []"},
		"ready, and looked at for long":   {Learned{}, [][]Pod{unready, ready, ready, ready}, "[50s] []"},
		"crashed on its way":              {Learned{}, [][]Pod{unready, {newborn("a", 50, restarted)}}, "[] []"},
		"crashed, and nobody saw it":      {Learned{}, [][]Pod{{newborn("a", 50, restarted)}}, "[] []"},
		"leaving":                         {Learned{}, [][]Pod{unready, {newborn("a", 50, leaves)}}, "[] []"},
		"ready in the second of creation": {Learned{}, [][]Pod{unready, {newborn("a", 0, func(p *Pod) { p.Ready, p.ReadySince = true, p.Created })}}, "[] []"},
		"a node's clock that is behind":   {Learned{}, [][]Pod{unready, {newborn("a", -5, func(p *Pod) { p.Ready, p.ReadySince = true, p.Created.Add(-5*time.Second) })}}, "[] []"},
	} {
		l := learning(c.before, c.looks...)
		if got := fmt.Sprint(l.Ordinary.Took, l.Elastic.Took); got != c.want {
			t.Errorf("%s: learned from %s, want %s", name, got, c.want)
		}
	}
}

func TestStartsAreSummedUp(t *testing.T) {
	of := func(seconds ...int) (all []time.Duration) {
		for _, s := range seconds {
			all = append(all, time.Duration(s)*time.Second)
		}
		return all
	}
	for _, c := range []struct {
		took []time.Duration
		want string
	}{
		{nil, "p50 0s, p95 0s, seen 0"},
		{of(60), "p50 1m, p95 1m, seen 1"},
		{of(60, 50, 40), "p50 50s, p95 1m, seen 3"},
		{slices.Repeat(of(60), 80), "p50 1m, p95 1m, seen 50"},
		{append(slices.Repeat(of(60), 49), of(300)...), "p50 1m, p95 5m, seen 50"},                    // A slower image is believed at once,
		{append(slices.Repeat(of(300), 30), slices.Repeat(of(60), 12)...), "p50 1m, p95 5m, seen 42"}, // a faster one in the middle first,
		{append(slices.Repeat(of(300), 30), slices.Repeat(of(60), 45)...), "p50 1m, p95 1m, seen 50"}, // and wholly when there is little of the old one left.
	} {
		s := NewStarts(c.took)
		if got := fmt.Sprintf("p50 %s, p95 %s, seen %d", brief(s.P50), brief(s.P95), s.Seen); got != c.want {
			t.Errorf("%v: got %s, want %s", c.took, got, c.want)
		}
	}
}

func TestTheSumLiesWithinTheStarts(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Range(1, 1e15), 1, 120).Draw(r, "all")
		var took []time.Duration
		var s Starts
		for _, n := range all {
			took = append(took, time.Duration(n))
			s = s.with(time.Duration(n))
		}
		last := took[max(0, len(took)-mostStarts):]
		switch newest := took[len(took)-1]; {
		case s.Seen != len(last) || !slices.Equal(s.Took, last):
			r.Errorf("%d starts became %d", len(took), s.Seen)
		case s.P50 > s.P95 || s.P50 < slices.Min(last) || s.P95 > slices.Max(last):
			r.Errorf("p50 %s and p95 %s of %v", s.P50, s.P95, last)
		case s.P95 < newest:
			r.Errorf("p95 %s is below the newest, %s", s.P95, newest)
		case fmt.Sprint(NewStarts(took)) != fmt.Sprint(s):
			r.Errorf("one by one %v, all at once %v", s, NewStarts(took))
		}
	})
}

// One kind stands in for the other, for sizing, until that has enough starts of its own.
func TestStartUpOfAKind(t *testing.T) {
	few, enough := slices.Repeat([]time.Duration{time.Minute}, 3), slices.Repeat([]time.Duration{time.Hour}, enoughStarts)
	for name, c := range map[string]struct {
		ordinary, elastic []time.Duration
		want              time.Duration
		seen              int
	}{
		"nothing known": {nil, nil, 0, 0},
		"its own":       {few, enough, time.Hour, 10},
		"the other":     {enough, nil, time.Hour, 10},
		"few of both":   {few[:2], few, time.Minute, 3},
		"own are few":   {enough, few, time.Hour, 10},
	} {
		in := &input{History: History{Learned: Learned{Ordinary: NewStarts(c.ordinary), Elastic: NewStarts(c.elastic)}}}
		if got := in.startUp(true); got.P95 != c.want || got.Seen != c.seen {
			t.Errorf("%s: got %+v, want %s of %d starts", name, got, c.want, c.seen)
		}
	}
}

// onTheWay decides about ten ready pods of a minute's start, older than the others, and these, which all came at the epoch.
func onTheWay(now time.Duration, pods ...Pod) Decision {
	h := History{Learned: Learned{Ordinary: NewStarts(slices.Repeat([]time.Duration{time.Minute}, enoughStarts))}}
	o := Observation{Now: epoch.Add(time.Second), Replicas: int32(10 + len(pods)), Pods: slices.Concat(veterans(10), pods), Order: OrderCost}
	for i := range o.Pods[10:] {
		o.Pods[10+i].Ready = false
	}
	p := cautious
	p.Max, p.StartDeadline = 100, 10*time.Minute
	h = h.After(o, Decide(o, p, h))
	o.Now, o.Readings = epoch.Add(now), hungry(epoch.Add(now))
	copy(o.Pods[10:], pods)
	return Decide(o, p, h)
}

// A pod that is slower than this target's pods are is not counted on; of those that nothing overtook, one.
func TestSlowPodsAreDoubted(t *testing.T) {
	waits := func(name string) Pod { return newborn(name, 0) }
	elsewhere := func(name string) Pod { return newborn(name, 0, elastic) }
	homeless := newborn("a", 0, func(p *Pod) { p.Node, p.Phase = "", PhasePending })
	for name, c := range map[string]struct {
		after time.Duration
		pods  []Pod
		late  int32
	}{
		"in its time":            {90 * time.Second, []Pod{waits("a")}, 0},
		"slow":                   {91 * time.Second, []Pod{waits("a")}, 1},
		"slow, without a node":   {91 * time.Second, []Pod{homeless}, 1},
		"all are":                {91 * time.Second, []Pod{waits("a"), waits("b"), waits("c")}, 1},
		"overtaken":              {91 * time.Second, []Pod{waits("a"), waits("b"), newborn("c", 50)}, 2},
		"by another kind":        {91 * time.Second, []Pod{waits("a"), waits("b"), newborn("c", 50, elastic)}, 1},
		"elastic, and unknown":   {9 * time.Minute, []Pod{elsewhere("a"), elsewhere("b")}, 0},
		"beyond the deadline":    {601 * time.Second, []Pod{waits("a"), waits("b"), elsewhere("c")}, 3},
		"it crashes, which says": {91 * time.Second, []Pod{newborn("a", 0, func(p *Pod) { p.Broken = "CrashLoopBackOff" })}, 1},
	} {
		if d := onTheWay(c.after, c.pods...); d.Pods.Late != c.late {
			t.Errorf("%s: %d late, want %d\n%s", name, d.Pods.Late, c.late, d.Ledger())
		}
	}
}

// What is slow depends on what is usual: half as long again, and half a minute more.
func TestWhatIsSlow(t *testing.T) {
	for usual, slow := range map[time.Duration]time.Duration{10 * time.Second: 40 * time.Second, time.Minute: 90 * time.Second, 4 * time.Minute: 6 * time.Minute} {
		in := &input{}
		in.Learned.Ordinary = NewStarts(slices.Repeat([]time.Duration{usual}, enoughStarts))
		for age, want := range map[time.Duration]bool{slow: false, slow + time.Second: true} {
			if in.Now = epoch.Add(age); in.slow(newborn("a", 0)) != want {
				t.Errorf("where %s is usual, slow after %s: want %t", usual, age, want)
			}
		}
	}
}

// A slow pod loses the trust in it and nothing else: it is no broken one.
func TestASlowPodKeepsItsProtection(t *testing.T) {
	in := &input{Observation: Observation{Now: epoch.Add(5 * time.Minute)}, Policy: Policy{StartDeadline: 10 * time.Minute, MinPodAge: 8 * time.Minute}}
	in.Learned.Ordinary = NewStarts(slices.Repeat([]time.Duration{time.Minute}, enoughStarts))
	p := newborn("a", 0)
	if !in.slow(p) || in.broken(p) || !in.young(p) {
		t.Errorf("slow %t, broken %t, young %t; want a slow one that is young and not broken", in.slow(p), in.broken(p), in.young(p))
	}
	const want = "made up for: 1 pod that cannot be counted on (a has been starting for 5m; 95 % take 1m at most)"
	if d := onTheWay(5*time.Minute, p); !strings.Contains(d.Ledger(), want) {
		t.Errorf("the ledger is %q, want in it %q", d.Ledger(), want)
	}
}

// A pod whose node is known takes as long as pods on such nodes do; one without may get either kind.
func TestWhatIsUsual(t *testing.T) {
	quick, long := slices.Repeat([]time.Duration{time.Minute}, enoughStarts), slices.Repeat([]time.Duration{time.Hour}, enoughStarts)
	in := &input{History: History{Learned: Learned{Ordinary: NewStarts(quick), Elastic: NewStarts(long)}}}
	for name, c := range map[string]struct {
		pod  Pod
		want time.Duration
	}{
		"on an ordinary node": {Pod{Node: "node-1"}, time.Minute},
		"on an elastic node":  {Pod{Node: "elastic-1", Elastic: true}, time.Hour},
		"on none yet":         {Pod{}, time.Hour},
	} {
		if got := in.usual(c.pod).P95; got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
