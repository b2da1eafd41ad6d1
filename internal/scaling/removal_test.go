package scaling

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A trait makes a pod different from an old, ready one on an ordinary node.
type trait func(*Pod)

func elastic(p *Pod) { p.Elastic, p.Node = true, "vci-node1" }
func working(p *Pod) { p.Busy = Working }
func resting(p *Pod) { p.Busy = Idle }
func marked(p *Pod)  { p.Marked, p.Cost = true, -1 }
func doomed(p *Pod)  { p.Doomed = "a spot reclaim" }
func broken(p *Pod)  { p.Broken = "CrashLoopBackOff" }
func pending(p *Pod) { p.Ready, p.ReadySince, p.Phase = false, time.Time{}, PhasePending }
func unplaced(p *Pod) {
	pending(p)
	p.Node = ""
}

// unready is for so long, and running.
func unready(since time.Duration) trait {
	return func(p *Pod) { p.Ready, p.ReadySince, p.UnreadySince = false, time.Time{}, epoch.Add(-since) }
}

func served(since time.Duration) trait {
	return func(p *Pod) { p.ReadySince = epoch.Add(-since) }
}

func ordinal(n int32) trait {
	return func(p *Pod) { p.Ordinal = n }
}

// a is a pod of that age; ready since its creation, unless a trait says otherwise.
func a(name string, age time.Duration, traits ...trait) Pod {
	p := Pod{Name: name, UID: "uid-" + name, Node: "node-1", Phase: PhaseRunning, Ready: true, Created: epoch.Add(-age)}
	p.ReadySince = p.Created
	for _, t := range traits {
		t(&p)
	}
	return p
}

// removing decides to remove so many of the pods, as far as nothing speaks against it.
func removing(down int32, o Observation, p Policy) Decision {
	o.Now, o.Readings = epoch, []Reading{{Load: "load", At: epoch}}
	if o.Replicas == 0 {
		o.Replicas = int32(len(active(o.Pods)))
	}
	p.Step = &FixedStep{Down: down}
	return Decide(o, p, History{Asked: o.Replicas, Due: epoch.Add(-time.Hour)})
}

func sentence(words []string) string { return strings.Join(words, " ") }

// The order in which cusme lets pods go, where it may choose.
func TestOrderOfRemoval(t *testing.T) {
	for _, c := range []struct {
		name string
		pods []Pod
		want string // all of them, in order
	}{
		{"broken, elastic, ordinary", []Pod{a("old", 3*time.Hour), a("elastic", time.Hour, elastic), a("broken", time.Hour, broken)}, "broken elastic old"},
		{"the doomed as the broken", []Pod{a("elastic", 3*time.Hour, elastic), a("doomed", time.Hour, doomed)}, "doomed elastic"},
		{"late ones after broken ones, the longest late first", []Pod{
			a("just", 9*time.Hour, unready(11*time.Minute)),
			a("long", 2*time.Hour, unready(time.Hour)),
			a("broken", time.Hour, unready(time.Minute), broken),
		}, "broken long just"},
		{"without stock before late", []Pod{a("late", 2*time.Hour, pending), a("refused", time.Hour, pending, func(p *Pod) { p.SoldOut = "NoStock" })}, "refused late"},
		{"late ones before those that blink", []Pod{a("blinks", time.Hour, elastic, unready(time.Minute)), a("late", time.Hour, unready(time.Hour))}, "late blinks"},
		{"oldest elastic first", []Pod{a("b", time.Hour, elastic), a("a", 2*time.Hour, elastic), a("c", 3*time.Hour, elastic)}, "c a b"},
		{"oldest ordinary first", []Pod{a("b", time.Hour), a("a", 2*time.Hour), a("c", 3*time.Hour)}, "c a b"},
		{"of one age by name", []Pod{a("b", time.Hour), a("a", time.Hour)}, "a b"},
		{"idle before busy, and nobody knows counts as idle", []Pod{a("busy", 3*time.Hour, working), a("idle", time.Hour, resting), a("silent", 2*time.Hour)}, "silent idle busy"},
		{"but class before busy", []Pod{a("idle", time.Hour, resting), a("busy", time.Hour, elastic, working)}, "busy idle"},
		{"marks stay where they do no harm", []Pod{a("older", 2*time.Hour, elastic), a("marked", time.Hour, elastic, marked)}, "marked older"},
		{"marks stay, also on one that became busy", []Pod{a("idle", 2*time.Hour), a("marked", time.Hour, working, marked), a("other", time.Hour, working)}, "marked idle other"},
		{"but class goes before marks", []Pod{a("marked", time.Hour, marked), a("elastic", time.Hour, elastic)}, "elastic marked"},
		{"a pod without a node before a broken one", []Pod{a("broken", time.Hour, pending, broken), a("unplaced", time.Hour, unplaced)}, "unplaced broken"},
		{"a pending pod before a broken one that runs", []Pod{a("broken", time.Hour, unready(time.Hour), broken), a("pending", time.Hour, pending)}, "pending broken"},
		{"an unready pod before an elastic one", []Pod{a("elastic", time.Hour, elastic), a("unready", time.Hour, unready(time.Second))}, "unready elastic"},
		{"costs count for nothing", []Pod{a("b", time.Hour, func(p *Pod) { p.Cost = -7 }), a("a", 2*time.Hour)}, "a b"},
		{"leaving ones are none", []Pod{a("b", time.Hour), a("a", 2*time.Hour, func(p *Pod) { p.Leaving = true })}, "b"},
	} {
		o := Observation{Pods: c.pods, Order: OrderCost}
		if got := sentence(removing(9, o, cautious).Lose); got != c.want {
			t.Errorf("%s: %s go, want %s", c.name, got, c.want)
		}
		slices.Reverse(c.pods)
		if got := sentence(removing(9, o, cautious).Lose); got != c.want {
			t.Errorf("%s, listed the other way round: %s go, want %s", c.name, got, c.want)
		}
	}
}

// How far a scale-in by so many goes, and whom it takes. All pods are old and ready but for what is said.
func TestWhoMayGo(t *testing.T) {
	var (
		spare      = func(p *Policy) { p.MinPodAge = 0 }
		fromReady  = func(p *Policy) { p.AgeFromReady = true }
		fewer      = func(p *Policy) { p.Max = 1 }
		hour       = time.Hour
		youngReady = a("young", time.Minute)
	)
	for _, c := range []struct {
		name   string
		order  Order
		pods   []Pod
		down   int32
		policy func(*Policy)
		want   string
	}{
		{"old ones", OrderCost, []Pod{a("a", hour), a("b", hour)}, 1, nil, "a"},
		{"an old one that works waits for a young idle one", OrderCost, []Pod{a("young", time.Minute, resting), a("", hour, working)}, 1, nil, ""},
		{"never young ones", OrderCost, []Pod{a("old", hour), youngReady}, 2, nil, "old"},
		{"young ones beyond the maximum", OrderCost, []Pod{a("a", 2*time.Minute), a("b", time.Minute)}, 0, fewer, "a"},
		{"none when a young one is not ready", OrderCost, []Pod{a("old", hour), a("starting", time.Minute, pending)}, 1, nil, ""},
		{"no ordinary one while an elastic one is young", OrderCost, []Pod{a("old", hour), a("elastic", time.Minute, elastic)}, 1, nil, ""},
		{"old elastic ones while an elastic one is young", OrderCost, []Pod{a("old", hour), a("e1", hour, elastic), a("e2", time.Minute, elastic)}, 2, nil, "e1"},
		{"broken and doomed ordinary ones all the same", OrderCost, []Pod{a("old", hour), a("broken", hour, broken), a("doomed", hour, doomed), a("elastic", time.Minute, elastic)}, 3, nil, "broken doomed"},
		{"late ones all the same", OrderCost, []Pod{a("old", hour), a("late", hour, unready(hour)), a("elastic", time.Minute, elastic)}, 2, nil, "late"},
		{"a young one that is broken", OrderCost, []Pod{a("old", hour), a("young", time.Minute, broken)}, 1, nil, "young"},
		{"a young one that is doomed", OrderCost, []Pod{a("old", hour), a("young", time.Minute, doomed)}, 1, nil, "young"},
		{"any without an age", OrderCost, []Pod{a("a", 2*time.Second), a("b", time.Second), a("c", 0, pending)}, 2, spare, "c a"},
		{"by the time of service", OrderCost, []Pod{a("old", hour), a("slow", hour, served(time.Minute))}, 2, fromReady, "old"},
		{"by creation, whatever the time of service", OrderCost, []Pod{a("a", hour), a("slow", 2*hour, served(time.Minute))}, 1, nil, "slow"},
		{"not before the first service", OrderCost, []Pod{a("old", hour), a("starting", 9*time.Minute, unready(9*time.Minute))}, 1, fromReady, ""},
		{"rank: the unready", OrderRank, []Pod{a("a", hour), a("b", hour, elastic, unready(hour))}, 1, nil, "b"},
		{"rank: none that a young one may go before", OrderRank, []Pod{a("old", hour), youngReady}, 1, nil, ""},
		{"rank: those sure to go first", OrderRank, []Pod{a("old", hour), a("pending", hour, pending), youngReady}, 2, nil, "pending"},
		{"rank: whatever is elastic", OrderRank, []Pod{a("a", hour), a("b", 2*hour, elastic), a("unready", hour, unready(hour))}, 1, nil, "unready"},
		{"unknown: none beside a young one", OrderUnknown, []Pod{a("broken", hour, pending, broken), a("old", hour), youngReady}, 1, nil, ""},
		{"unknown: without young ones any", OrderUnknown, []Pod{a("broken", hour, pending, broken), a("old", hour)}, 1, nil, "broken"},
		{"ordinal: the highest", OrderOrdinal, []Pod{a("s-0", hour), a("s-1", hour, ordinal(1)), a("s-2", 2*hour, ordinal(2))}, 2, nil, "s-2 s-1"},
		{"ordinal: down to the first young one", OrderOrdinal, []Pod{a("s-0", hour), a("s-1", time.Minute, ordinal(1)), a("s-2", hour, ordinal(2))}, 2, nil, "s-2"},
		{"ordinal: broken ones are not sought out", OrderOrdinal, []Pod{a("s-0", hour, broken), a("s-1", hour, ordinal(1))}, 1, nil, "s-1"},
	} {
		p := cautious
		if c.policy != nil {
			c.policy(&p)
		}
		if got := sentence(removing(c.down, Observation{Pods: c.pods, Order: c.order}, p).Lose); got != c.want {
			t.Errorf("%s: %q go, want %q", c.name, got, c.want)
		}
	}
}

// A rollout's pod beyond the replicas asked for is no reason to ask for more, however young it is.
func TestExtraPodsAreNoReasonToGrow(t *testing.T) {
	pods := []Pod{a("a", time.Hour), a("b", time.Hour), a("extra", time.Minute, pending)}
	for _, order := range []Order{OrderCost, OrderRank, OrderUnknown} {
		if d := removing(1, Observation{Replicas: 2, Pods: pods, Order: order}, cautious); d.Replicas != 2 {
			t.Errorf("order %q: 2 became %d, %s", order, d.Replicas, d.Why())
		}
	}
}

// Of a StatefulSet's five replicas number 3 is missing: four replicas take
// number 4, and three no more than that.
func TestMissingOrdinal(t *testing.T) {
	pods := []Pod{a("s-0", time.Hour), a("s-1", time.Hour, ordinal(1)), a("s-2", time.Hour, ordinal(2)), a("s-4", time.Hour, ordinal(4))}
	for down, want := range map[int32]string{1: "s-4", 2: "s-4", 3: "s-4 s-2"} {
		o := Observation{Replicas: 5, Pods: pods, Order: OrderOrdinal}
		if got := removing(down, o, cautious); sentence(got.Lose) != want || got.Replicas != 5-down {
			t.Errorf("%d fewer: %d replicas, %v go; want %d and %s", down, got.Replicas, got.Lose, 5-down, want)
		}
	}
}

// Why ordinary pods stay is said with the pod that they wait for.
func TestWaitingForAnElasticPodIsSaid(t *testing.T) {
	d := removing(1, Observation{Order: OrderCost, Pods: []Pod{a("old", time.Hour), a("vci", time.Minute, elastic)}}, cautious)
	if want := "vci is elastic and should go next: 59s old, protected for 10m"; d.Why() != want {
		t.Errorf("got %q, want %q", d.Why(), want)
	}
}

// Only what a mark decides is marked.
func TestMarks(t *testing.T) {
	for _, c := range []struct {
		name  string
		order Order
		pods  []Pod
		down  int32
		want  string
	}{
		{"among equals", OrderCost, []Pod{a("a", 2*time.Hour), a("b", time.Hour), a("c", time.Hour)}, 2, "a b"},
		{"not those that go in any case", OrderCost, []Pod{a("pending", time.Hour, pending), a("a", 2*time.Hour), a("b", time.Hour)}, 2, "a"},
		{"none when states decide it all", OrderCost, []Pod{a("pending", time.Hour, pending), a("a", 2*time.Hour)}, 1, ""},
		{"those that were marked keep it", OrderCost, []Pod{a("pending", time.Hour, pending, marked), a("a", 2*time.Hour), a("b", time.Hour)}, 2, "pending a"},
		{"but are not waited for when states decide it all", OrderCost, []Pod{a("pending", time.Hour, pending, marked), a("a", 2*time.Hour)}, 1, ""},
		{"pending ones among pending ones", OrderCost, []Pod{a("p", 2*time.Hour, pending), a("q", time.Hour, pending), a("b", time.Hour)}, 1, "p"},
		{"none when all go", OrderCost, []Pod{a("a", time.Hour), a("b", time.Hour)}, 2, ""},
		{"none when none goes", OrderCost, []Pod{a("a", time.Hour, marked), a("b", time.Hour)}, 0, ""},
		{"none where cusme may not", OrderRank, []Pod{a("a", time.Hour), a("b", time.Hour)}, 1, ""},
		{"none in a StatefulSet", OrderOrdinal, []Pod{a("a", time.Hour), a("b", time.Hour, ordinal(1))}, 1, ""},
	} {
		if got := sentence(removing(c.down, Observation{Pods: c.pods, Order: c.order}, cautious).Mark); got != c.want {
			t.Errorf("%s: %q are marked, want %q", c.name, got, c.want)
		}
	}
}

// Pods are asked whether they are busy when the answer decides who goes, and none goes before it is there.
func TestAsking(t *testing.T) {
	type policies = func(*Policy)
	for _, c := range []struct {
		name     string
		order    Order
		pods     []Pod
		down     int32
		policy   policies
		ask      string
		replicas int32
	}{
		{"those among which some go", OrderCost, []Pod{a("a", 2*time.Hour), a("b", time.Hour), a("c", time.Hour)}, 1, nil, "a b c", 3},
		{"not those that have answered", OrderCost, []Pod{a("a", 2*time.Hour, working), a("b", time.Hour), a("c", time.Hour, resting)}, 1, nil, "b", 3},
		{"nobody when all have", OrderCost, []Pod{a("a", 2*time.Hour, working), a("b", time.Hour, resting)}, 1, nil, "", 1},
		{"only the class of which some go", OrderCost, []Pod{a("a", time.Hour), a("e1", time.Hour, elastic), a("e2", time.Hour, elastic)}, 1, nil, "e1 e2", 3},
		{"nobody when whole classes go", OrderCost, []Pod{a("a", time.Hour), a("e1", time.Hour, elastic), a("e2", time.Hour, elastic)}, 2, nil, "", 1},
		{"only those in the state of which some go", OrderCost, []Pod{a("a", time.Hour), a("p", time.Hour, unready(time.Minute)), a("q", time.Hour, unready(time.Minute))}, 1, nil, "p q", 3},
		{"nobody when all go", OrderCost, []Pod{a("a", time.Hour), a("b", time.Hour)}, 2, nil, "", 0},
		{"those at stake in what the minimum leaves", OrderCost, []Pod{a("a", time.Hour), a("b", time.Hour)}, 2, func(p *Policy) { p.Min = 1 }, "a b", 2},
		{"nobody without a question", OrderCost, []Pod{a("a", time.Hour), a("b", time.Hour)}, 1, func(p *Policy) { p.AskBusy = false }, "", 1},
		{"nobody where it decides nothing", OrderRank, []Pod{a("a", time.Hour), a("b", time.Hour)}, 1, nil, "", 1},
		{"the maximum does not wait for answers", OrderCost, []Pod{a("a", time.Hour), a("b", time.Hour)}, 1, func(p *Policy) { p.Max = 1 }, "a b", 1},
	} {
		p := cautious
		p.AskBusy = true
		if c.policy != nil {
			c.policy(&p)
		}
		d := removing(c.down, Observation{Pods: c.pods, Order: c.order}, p)
		if sentence(d.Ask) != c.ask || d.Replicas != c.replicas {
			t.Errorf("%s: %q are asked at %d replicas, want %q at %d", c.name, d.Ask, d.Replicas, c.ask, c.replicas)
		}
	}
}
