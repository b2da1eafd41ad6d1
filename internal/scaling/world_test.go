package scaling

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// A world is a target modelled apart from the code under test: pods start,
// become ready, and are removed by a ReplicaSet written from the Kubernetes
// documentation rather than from order.go, some time after the decision.
type world struct {
	policy  Policy
	history History
	speaks  bool

	now      time.Time
	every    time.Duration
	samples  []sample
	work     bool // samples are work shared by the ready pods, not the index itself
	tick     int
	replicas int32
	pods     []Pod
	start    time.Duration // from creation to ready; negative: never
	born     int
	events   []event
	blocked  string
	second   []sample // of a second load
	wakes    int      // decisions on each reading
	woken    int      // of them made
	lastOf   map[string]Reading
	delay    time.Duration // how much later the ReplicaSet looks at the pods
}

// sample is one reading as the scenario gives it.
type sample struct {
	value   float64
	problem State
}

type event struct {
	at time.Duration
	do func(*world)
}

// next moves the clock to the next reading and lets happen what happens until then.
func (w *world) next() bool {
	if w.woken > 0 && w.woken < w.wakes {
		w.woken++
		w.now = w.now.Add(time.Second)
		w.ripen(w.now)
		return true
	}
	if w.tick == len(w.samples) {
		return false
	}
	w.woken = 1
	w.now = epoch.Add(time.Duration(w.tick) * w.every)
	for len(w.events) > 0 && !epoch.Add(w.events[0].at).After(w.now) {
		w.events[0].do(w)
		w.events = w.events[1:]
	}
	w.ripen(w.now)
	w.settle(w.now)
	w.tick++
	return true
}

// ripen makes pods ready that have started.
func (w *world) ripen(at time.Time) {
	for i := range w.pods {
		p := &w.pods[i]
		if !p.Ready && p.Broken == "" && p.UnreadySince.IsZero() && w.start >= 0 && at.Sub(p.Created) >= w.start {
			p.Ready, p.ReadySince = true, p.Created.Add(w.start)
			p.Phase = PhaseRunning
		}
	}
}

// settle makes the pods match the replicas asked for.
func (w *world) settle(at time.Time) {
	for int32(len(w.pods)) < w.replicas {
		w.born++
		w.pods = append(w.pods, Pod{
			Name: fmt.Sprintf("pod-%d", w.born), UID: fmt.Sprintf("%08x", uint32(w.born)*2654435761),
			Node: fmt.Sprintf("node-%d", w.born%3), Phase: PhasePending, Created: at,
		})
	}
	if surplus := len(w.pods) - int(w.replicas); surplus > 0 {
		w.pods = replicaSetOrder(w.pods, at)[surplus:]
	}
	slices.SortFunc(w.pods, func(a, b Pod) int { return cmp.Compare(a.Name, b.Name) })
}

// replicaSetOrder sorts by the documented ranks, each as one number.
func replicaSetOrder(pods []Pod, at time.Time) []Pod {
	onNode := map[string]int{}
	for _, p := range pods {
		onNode[p.Node]++
	}
	bucket := func(t time.Time) float64 { return math.Floor(math.Log2(max(0.5, float64(at.Sub(t))))) }
	key := func(p Pod) []float64 {
		k := []float64{1, 0, 0, float64(p.Cost), -float64(onNode[p.Node]), 0, -float64(p.Restarts), bucket(p.Created)}
		if p.Node == "" {
			k[0] = 0
		}
		k[1] = map[Phase]float64{PhasePending: 0, PhaseUnknown: 1, PhaseRunning: 2}[p.Phase]
		if p.Ready {
			k[2], k[5] = 1, bucket(p.ReadySince)
		}
		return k
	}
	out := slices.Clone(pods)
	slices.SortStableFunc(out, func(a, b Pod) int {
		ka, kb := key(a), key(b)
		readyTied := a.Ready && b.Ready && !a.ReadySince.Equal(b.ReadySince)
		if c := slices.Compare(ka[:6], kb[:6]); c != 0 || readyTied {
			return cmp.Or(c, cmp.Compare(a.UID, b.UID))
		}
		return cmp.Or(slices.Compare(ka, kb), cmp.Compare(a.UID, b.UID))
	})
	return out
}

func (w *world) observe() Observation {
	o := Observation{Now: w.now, Replicas: w.replicas, Pods: slices.Clone(w.pods), Unsteerable: w.blocked}
	for i, l := range w.policy.Loads {
		samples := w.samples
		if i > 0 {
			samples = w.second
		}
		if w.tick <= len(samples) {
			o.Readings = append(o.Readings, w.reading(l, samples[w.tick-1], o.ready()))
		}
	}
	return o
}

// reading is what is known of a load after its newest sample. A repeated wake
// sees the very reading of the first.
func (w *world) reading(l Load, s sample, ready int32) Reading {
	last := w.lastOf[l.Name]
	if w.woken > 1 {
		return last
	}
	r := Reading{Load: l.Name, Value: last.Value, At: last.At, Problem: s.problem}
	switch {
	case s.problem == Stale:
		r.Problem = ""
	case s.problem != "":
		r.Message = "the back end does not answer"
	default:
		r.Value, r.At = s.value, w.now
		if w.work {
			r.Value /= float64(max(1, ready))
		}
	}
	if w.lastOf == nil {
		w.lastOf = map[string]Reading{}
	}
	w.lastOf[l.Name] = r
	return r
}

// blink makes the first n pods unready, and all others ready again.
func (w *world) blink(n int) {
	for i := range w.pods {
		p := &w.pods[i]
		if i < n {
			p.Ready, p.ReadySince, p.UnreadySince = false, time.Time{}, w.now
		} else if !p.UnreadySince.IsZero() {
			p.Ready, p.ReadySince, p.UnreadySince = true, w.now, time.Time{}
		}
	}
}

// apply writes the decision and lets the ReplicaSet act, checking who dies.
func (w *world) apply(t judge, d Decision) {
	t.Helper()
	if d.Replicas == w.replicas {
		return
	}
	before, overMax := slices.Clone(w.pods), w.replicas > w.policy.Max
	w.history = w.history.Moved(w.now, w.replicas, d.Replicas)
	w.replicas = d.Replicas
	w.settle(w.now.Add(w.delay))
	for _, p := range before {
		gone := !slices.ContainsFunc(w.pods, func(q Pod) bool { return q.UID == p.UID })
		if gone && !overMax && w.isYoung(p) {
			t.Errorf("at %s %s was removed at the age of %s; minPodAge is %s\n%s\nbefore %+v\nafter %+v", w.now.Sub(epoch), p.Name, w.now.Sub(p.Created), w.policy.MinPodAge, ledgerOf(d), before, w.pods)
		}
	}
}

// isYoung is the promise in its own words: created less than minPodAge ago, not
// broken, and not past the deadline for becoming ready.
func (w *world) isYoung(p Pod) bool {
	if w.policy.MinPodAge == 0 {
		return false
	}
	since := p.Created
	if w.policy.AgeFromReady {
		if !p.Ready {
			return p.Broken == "" && w.unreadyFor(p) <= w.policy.StartDeadline
		}
		since = p.ReadySince
	}
	hopeless := p.Broken != "" || w.unreadyFor(p) > w.policy.StartDeadline
	return !hopeless && w.now.Sub(since) < w.policy.MinPodAge
}

// unreadyFor is how long the pod has not served without a break.
func (w *world) unreadyFor(p Pod) time.Duration {
	switch {
	case p.Ready:
		return 0
	case p.UnreadySince.After(p.Created):
		return w.now.Sub(p.UnreadySince)
	default:
		return w.now.Sub(p.Created)
	}
}
