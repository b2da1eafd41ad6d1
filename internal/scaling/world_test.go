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
	taught   int // starts that were learned from before
	events   []event
	blocked  string
	average  int // how many values make one reading; 0 is one
	window   []float64
	heard    int      // the tick of its newest
	second   []sample // of a second load
	wakes    int      // decisions on each reading
	woken    int      // of them made
	lastOf   map[string]Reading
	silent   map[string]time.Time // since when a load has had no fresh reading, as far as the history reaches
	delay    time.Duration        // how much later the ReplicaSet looks at the pods
	order    Order
	machines int                  // pods that have room on ordinary nodes; the others are elastic
	stock    int                  // elastic pods that the provider has room for
	refused  map[string]time.Time // elastic pods it had none for, by name: when it will say so
	refusal  time.Duration        // how long it takes to say so
	kept     int                  // pods that have ended, and are kept by the garbage collector
	offset   time.Duration        // of the readings, from the whole second
	births   map[string]time.Time // of the pods, to the nanosecond
	shortage time.Time            // when the newest pod was created that was refused
	said     time.Time            // when the first was
}

// plenty is more pods than any scenario has.
const plenty = 1 << 20

// sample is one reading as the scenario gives it.
type sample struct {
	value   float64
	problem State
	partial bool
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
	w.now = epoch.Add(time.Duration(w.tick)*w.every + w.offset)
	for len(w.events) > 0 && !epoch.Add(w.events[0].at).After(w.now) {
		w.events[0].do(w)
		w.events = w.events[1:]
	}
	w.spin(w.now)
	w.ripen(w.now)
	w.settle(w.now)
	w.tick++
	return true
}

// restart lets a new cusme begin, which remembers nothing.
func (w *world) restart() {
	w.history = History{}
	clear(w.silent)
}

// listen notes since when each load has had no fresh reading.
func (w *world) listen(o Observation, d Decision) {
	if w.silent == nil {
		w.silent = map[string]time.Time{}
	}
	for _, v := range d.Loads {
		if _, known := w.silent[v.Load]; v.State == Fresh {
			delete(w.silent, v.Load)
		} else if !known && v.State != Pending {
			w.silent[v.Load] = o.Now
		}
	}
}

// due is what a load's fallback is to ask for, if anything: the rule in its own words.
func (w *world) due(o Observation, v Verdict) (least, most int32, due bool) {
	f, ruled := w.policy.Fallbacks[v.State]
	now := o.Replicas + w.history.Stock.Given
	switch {
	case v.Input || !ruled || f.Behavior == FallbackCurrent || o.Now.Before(w.silent[v.Load].Add(f.After)):
		return 0, 0, false
	case f.Behavior == FallbackHigher && now > f.Replicas, f.Behavior == FallbackLower && now < f.Replicas:
		return o.Replicas, now, true
	}
	return f.Replicas, f.Replicas, true
}

// spin lets pods without stock fail, each to be replaced by another at once.
func (w *world) spin(until time.Time) {
	for {
		first := -1
		for i, p := range w.pods {
			if w.isRefused(p) && !p.Leaving && (first < 0 || w.refused[p.Name].Before(w.refused[w.pods[first].Name])) {
				first = i
			}
		}
		if first < 0 || w.refused[w.pods[first].Name].After(until) {
			return
		}
		p := &w.pods[first]
		p.SoldOut, p.Broken, p.Leaving, p.Ended = "NoStock", "Failed: NoStock", true, true
		failed := w.refused[p.Name]
		w.shortage = later(w.shortage, w.births[p.Name])
		if w.said.IsZero() {
			w.said = failed
		}
		w.collect()
		w.settle(failed)
	}
}

func (w *world) isRefused(p Pod) bool {
	_, refused := w.refused[p.Name]
	return refused
}

// collect lets the garbage collector take all but the newest of the pods that ended.
func (w *world) collect() {
	ended := slices.DeleteFunc(slices.Clone(w.pods), func(p Pod) bool { return !p.Ended })
	slices.SortStableFunc(ended, func(a, b Pod) int { return b.Created.Compare(a.Created) })
	for _, old := range ended[min(w.kept, len(ended)):] {
		w.pods = slices.DeleteFunc(w.pods, func(p Pod) bool { return p.UID == old.UID })
		delete(w.refused, old.Name)
	}
}

// ripen makes pods ready that have started.
func (w *world) ripen(at time.Time) {
	for i := range w.pods {
		p := &w.pods[i]
		if !p.Ready && p.Broken == "" && !w.isRefused(*p) && p.UnreadySince.IsZero() && w.start >= 0 && at.Sub(p.Created) >= w.start {
			p.Ready, p.ReadySince = true, p.Created.Add(w.start)
			p.Phase = PhaseRunning
		}
	}
}

// settle makes the pods match the replicas asked for.
func (w *world) settle(at time.Time) {
	for int32(len(active(w.pods))) < w.replicas {
		w.pods = append(w.pods, w.birth(at))
	}
	if surplus := len(active(w.pods)) - int(w.replicas); surplus > 0 {
		left := slices.DeleteFunc(slices.Clone(w.pods), func(p Pod) bool { return !p.Leaving })
		w.pods = append(left, w.RemovalOrder(active(w.pods), at)[surplus:]...)
	}
	slices.SortFunc(w.pods, func(a, b Pod) int { return cmp.Compare(a.Name, b.Name) })
}

// birth is a new pod, on an ordinary node while there is room.
func (w *world) birth(at time.Time) Pod {
	w.born++
	p := Pod{
		Name: fmt.Sprintf("pod-%d", w.born), UID: fmt.Sprintf("%08x", uint32(w.born)*2654435761),
		Node: fmt.Sprintf("node-%d", w.born%3), Phase: PhasePending, Created: at.Truncate(time.Second), // as in the API
	}
	w.births[p.Name] = at
	taken, elastic := map[int32]bool{}, 0
	for _, q := range active(w.pods) {
		taken[q.Ordinal] = true
		if q.Elastic {
			elastic++
		}
	}
	if w.order == OrderOrdinal {
		for taken[p.Ordinal] {
			p.Ordinal++
		}
	}
	if len(active(w.pods))-elastic < w.machines {
		return p
	}
	p.Node, p.Elastic = "vci-node1", true
	if elastic >= w.stock {
		w.refused[p.Name] = at.Add(w.refusal)
	}
	return p
}

// RemovalOrder is how the target's own controller sorts the pods.
func (w *world) RemovalOrder(pods []Pod, at time.Time) []Pod {
	if w.order == OrderOrdinal {
		slices.SortFunc(pods, func(a, b Pod) int { return cmp.Compare(b.Ordinal, a.Ordinal) })
		return pods
	}
	return replicaSetOrder(pods, at)
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
	o := Observation{Now: w.now, Replicas: w.replicas, Pods: slices.Clone(w.pods), Order: w.order, Unsteerable: w.blocked}
	if w.blocked != "" {
		o.Order = OrderUnknown
	}
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
		if s.partial {
			r.Partial = "2 of 5 pods gave no answer"
		}
		if w.work {
			r.Value /= float64(max(1, ready))
		}
		w.smooth(&r)
	}
	if w.lastOf == nil {
		w.lastOf = map[string]Reading{}
	}
	w.lastOf[l.Name] = r
	return r
}

// smooth makes one value of the last ones, however often the newest is looked at.
func (w *world) smooth(r *Reading) {
	if w.average == 0 {
		return
	}
	if w.heard < w.tick {
		w.heard, w.window = w.tick, append(w.window, r.Value)
		w.window = w.window[max(0, len(w.window)-w.average):]
	}
	sum := 0.0
	for _, v := range w.window {
		sum += v
	}
	r.Value = sum / float64(len(w.window))
	r.Drift = w.window[len(w.window)-1] - r.Value
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

// hang keeps the first n pods that are not ready from ever being.
func (w *world) hang(n int32) {
	for i := range w.pods {
		if p := &w.pods[i]; n > 0 && !p.Ready && p.UnreadySince.IsZero() {
			p.UnreadySince = p.Created
			n--
		}
	}
}

// apply writes the decision and lets the ReplicaSet act, checking who dies.
func (w *world) apply(t judge, d Decision) {
	t.Helper()
	w.answer(d)
	if d.Replicas == w.replicas {
		return
	}
	w.mark(d)
	before, overMax := active(w.pods), w.overMax()
	w.history = w.history.Moved(w.observe(), d)
	from := w.replicas
	w.replicas = d.Replicas
	w.checkPatience(t, from, d)
	w.settle(w.now.Add(w.delay))
	w.checkLost(t, before, d)
	for _, p := range before {
		gone := !slices.ContainsFunc(w.pods, func(q Pod) bool { return q.UID == p.UID })
		if gone && !overMax && w.isYoung(p) {
			t.Errorf("at %s %s was removed at the age of %s; minPodAge is %s\n%s\nbefore %+v\nafter %+v", w.now.Sub(epoch), p.Name, w.now.Sub(p.Created), w.policy.MinPodAge, ledgerOf(d), before, w.pods)
		}
	}
}

// mark sets the deletion costs that the decision needs, and takes back those it does not.
func (w *world) mark(d Decision) {
	if w.blocked != "" || w.order != OrderCost {
		return
	}
	for i := range w.pods {
		p := &w.pods[i]
		if p.Marked = slices.Contains(d.Mark, p.Name); p.Marked {
			p.Cost = -1
		} else {
			p.Cost = 0
		}
	}
}

// answer lets the pods that were asked say whether they are busy: every second one is.
func (w *world) answer(d Decision) {
	for i := range w.pods {
		p := &w.pods[i]
		if !slices.Contains(d.Ask, p.Name) {
			continue
		}
		if p.Busy = Idle; p.UID < "8" {
			p.Busy = Working
		}
	}
}
