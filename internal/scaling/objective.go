package scaling

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	// assumedStart is how long a pod is taken to start while that is not known: ../../docs/design/0011-an-objective.md
	// says what it costs to be wrong.
	assumedStart = time.Minute
	// reachStarts is how far back demand is replayed, in start-ups: a pod that is let go too soon costs one of them.
	reachStarts = 8
	// riseStarts is how much of that new pods are ordered by: what was before has passed when they are ready.
	riseStarts = 2
	// idleStarts is how long the last pods stay without a request: whoever comes later waits for a start-up.
	idleStarts = 15
	// mostRequests is what is believed of a sum. More than anything can count is a broken back end, or would overflow.
	mostRequests = 1e9
	// recently is the time whose demand is taken to last until new pods are ready.
	recently = 30 * time.Second
)

// takeIn returns what is known of the requests behind each load, with the readings that are new.
func (in *input) takeIn() []Workload {
	if in.Objective == nil {
		return nil
	}
	var all []Workload
	for _, l := range in.Policy.Loads {
		if l.Input {
			continue
		}
		w, r := in.workload(l.Name), in.reading(l.Name)
		if state, _ := r.judge(in.Now, l); state == Fresh && r.Partial == "" && w.isNews(r) {
			w = w.after(in.glimpse(l, w, r), *in.Objective, in.start())
		}
		all = append(all, w)
	}
	return all
}

func (h History) workload(load string) Workload {
	i := slices.IndexFunc(h.Workloads, func(w Workload) bool { return w.Load == load })
	if i < 0 {
		return recalled(load, h.Learned.Objective[load])
	}
	return h.Workloads[i]
}

// start is how long a pod takes to start.
func (in *input) start() time.Duration {
	elastic := slices.ContainsFunc(in.Pods, func(p Pod) bool { return p.Elastic })
	if usual := in.startUp(elastic); usual.Known() {
		return max(time.Second, usual.P50)
	}
	return assumedStart
}

// glimpse is what a new reading shows. A pod that is being removed still works
// on its request, which the load counts: as a queue it would order a new pod for
// each one let go.
func (in *input) glimpse(l Load, w Workload, r Reading) glimpse {
	g := glimpse{at: r.At, value: r.Value, all: min(in.total(l, r), mostRequests), ready: float64(in.ready()), full: in.Replicas >= in.Max}
	for _, p := range in.Pods {
		if p.Leaving && !p.Ended && p.Busy != Idle && (p.Ready || p.Busy == Working) {
			g.leaving++
		}
	}
	g.here = max(0, g.all-g.leaving)
	g.wait = in.wouldWait(g, line{w.service()})
	return g
}

// wouldWait is how long one that comes now would wait: until as many are done as
// are before it, or as many pods have come.
func (in *input) wouldWait(g glimpse, l line) float64 {
	ahead, pods, now := g.here+1-g.ready, g.ready, 0.0
	for _, comes := range in.coming() {
		if ahead <= 0 {
			return now
		}
		if takes := ahead * l.service / pods; now+takes <= comes {
			return now + takes
		}
		ahead -= (comes-now)*pods/l.service + 1
		pods, now = pods+1, comes
	}
	switch {
	case ahead <= 0:
		return now
	case pods == 0:
		return in.start().Seconds()
	}
	return now + ahead*l.service/pods
}

// coming is in how many seconds each pod on its way is expected to be ready, the soonest first.
func (in *input) coming() []float64 {
	var all []float64
	for _, p := range in.Pods {
		if !p.Leaving && !p.Ready && !in.broken(p) {
			all = append(all, max(5, (in.start()-in.Now.Sub(p.Created)).Seconds()))
		}
	}
	slices.Sort(all)
	return all
}

// meet returns how many replicas one fresh load asks for under an objective: the
// fewest with which the demand of the last minutes, come again, would be served
// in time, beginning with the requests that are there now.
func (in *input) meet(l Load, v Verdict) (int32, string) {
	w, n := in.workload(l.Name), in.Replicas
	if v.Partial != "" { // It may be more than it says.
		w.now.here = max(w.now.here, in.glimpse(l, w, v.Reading).here)
	}
	says := in.describe(l, v, w)
	if w.frozen() {
		return in.asBefore(w, says+", but it has not changed while requests came and went: it may be frozen")
	}
	if n == 0 && w.now.here == 0 && highest(w.Past) == 0 {
		return 0, says + ": there is nothing to do"
	}
	if idle := in.Now.Sub(w.Active); in.fewest() == 0 && w.now.here == 0 && idle > idleStarts*in.start() {
		return 0, fmt.Sprintf("%s: no request for %s", says, brief(idle))
	}
	needs := in.rehearsal(w)
	down := needs.fewest(w.now.here)
	if down <= n {
		return in.letGo(w, down, says+": "+needs.promise(down))
	}
	if stuck := in.stuck(); stuck > in.ready() {
		return n, fmt.Sprintf("%s, but %s cannot start: more would not help", says, count(stuck, "pod"))
	}
	gap := n - in.trusted()
	up := max(n, clamp(int64(min(down, in.afterStart(w, needs)))+int64(gap)))
	if up == n {
		return n, says + ": what waits is served before another pod would be ready"
	}
	why := says + ": " + needs.promise(up-gap)
	if gap > 0 {
		why += fmt.Sprintf("; made up for: %s", count(gap, "pod that cannot be counted on", "pods that cannot be counted on"))
	}
	return up, why
}

// asBefore holds what there was when the load last changed: pods that were let go since went by a number that was none.
func (in *input) asBefore(w Workload, why string) (int32, string) {
	if was := int32(w.before[0].now.ready); was > in.Replicas {
		return was, fmt.Sprintf("%s, and when it last changed %s ready", why, count(was, "pod was", "pods were"))
	}
	return in.Replicas, why + ", and moves nothing"
}

// letGo is the way down to fewer replicas: not before demand has been seen for as long as it is to be replayed.
func (in *input) letGo(w Workload, want int32, why string) (int32, string) {
	if least := (bursts{}).reach(in.start()) / 2; want < in.Replicas && covers(w.Past) < least {
		return in.Replicas, fmt.Sprintf("%s; none is let go before demand was seen for %s", why, brief(least))
	}
	return want, why
}

// describe says what the load shows.
func (in *input) describe(l Load, v Verdict, w Workload) string {
	waiting := max(0, w.now.here-w.now.ready)
	says := fmt.Sprintf("%s %s is %s of about %s", l.Name, number(v.Value), count(int32(math.Round(min(w.now.here, math.MaxInt32))), "request"), about(w.Service.Typical()))
	if waiting >= 0.5 {
		return fmt.Sprintf("%s on %s, %.0f waiting", says, count(in.ready(), "ready pod"), waiting)
	}
	return fmt.Sprintf("%s on %s", says, count(in.ready(), "ready pod"))
}

// about rounds a duration to two digits.
func about(d time.Duration) string {
	unit := time.Millisecond
	for d >= 100*unit {
		unit *= 10
	}
	return brief(d.Round(unit))
}

// afterStart is how many pods are needed when new ones could be ready, by the demand of late.
func (in *input) afterStart(w Workload, needs rehearsal) int32 {
	demand, seconds := 0.0, 0.0
	for _, s := range w.Past[since(w.Past, recently):] {
		demand += s.Demand * s.Took.Seconds()
		seconds += s.Took.Seconds()
	}
	if seconds > 0 {
		demand /= seconds
	}
	half := in.start().Seconds() / 2
	ready := needs.after(w.now.here, demand, max(0.01, float64(in.ready())), half)
	ready = needs.after(ready, demand, max(0.01, float64(in.ready()+in.starting())), half)
	needs.past = w.Past[since(w.Past, riseStarts*in.start()):]
	return needs.fewest(ready)
}

// A rehearsal replays the demand of the last minutes.
type rehearsal struct {
	line
	past []Stretch
	// limit is the wait allowed, in seconds, and more by what the demand is multiplied.
	limit, more float64
}

func (in *input) rehearsal(w Workload) rehearsal {
	return rehearsal{line{w.service()}, w.Past, in.Objective.Wait.Seconds() * max(0, w.Slack), 1 + max(0, -w.Slack)}
}

// serves reports whether so many pods keep every wait within the limit.
func (r rehearsal) serves(requests, pods float64) bool {
	for _, s := range r.past {
		if r.wait(requests, pods) > r.limit+1e-9 {
			return false
		}
		requests = r.after(requests, s.Demand*r.more, pods, s.Took.Seconds())
	}
	return r.wait(requests, pods) <= r.limit+1e-9
}

// fewest is the smallest number of pods that serves, at least 1.
func (r rehearsal) fewest(requests float64) int32 {
	few, enough := int32(0), int32(1)
	for !r.serves(requests, float64(enough)) {
		if enough > math.MaxInt32/2 {
			return math.MaxInt32
		}
		few, enough = enough, 2*enough
	}
	for enough-few > 1 {
		middle := few + (enough-few)/2
		if r.serves(requests, float64(middle)) {
			enough = middle
		} else {
			few = middle
		}
	}
	return enough
}

// promise says what so many replicas are good for.
func (r rehearsal) promise(replicas int32) string {
	if r.more > 1 {
		return fmt.Sprintf("%s would serve the last %s at once, and %s %% more", count(replicas, "replica"), brief(covers(r.past).Round(time.Second)), number(100*(r.more-1)))
	}
	return fmt.Sprintf("%s would serve the last %s within %s", count(replicas, "replica"), brief(covers(r.past).Round(time.Second)), about(time.Duration(r.limit*float64(time.Second))))
}
