package main

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

// A rerun is a studio's hour in the model. It is told what no model can know of a
// cluster: when the load was read, how long pods took to come and to go, and what
// they were called. What is decided of that, and what becomes of the requests, is the model's own.
type rerun struct {
	policy scaling.Policy
	trace  simulate.Trace
	// starts are how long pods took, by creation.
	starts []time.Duration
	was    asItWas
}

func (s *studio) rerun(t testing.TB, file string) rerun {
	t.Helper()
	scaler, err := scalerFile{path: file}.only()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := controller.PolicyOf(scaler.Spec)
	if err != nil {
		t.Fatal(err)
	}
	lives := s.witness.all(t, "painter")
	was := asItWas{began: s.began, reads: s.read(), writes: s.sizes(), pods: certificates(lives)}
	for _, shift := range s.shifts()[warmPods:] {
		was.came = append(was.came, shift.from)
	}
	return rerun{policy, s.trace(), s.starts(t, lives), was}
}

// spoiled are reruns with one thing wrong.
func (r rerun) spoiled() map[string]rerun {
	late, slow, other := r, r, r
	late.was.lag, slow.starts = 4, slices.Clone(r.starts)
	for i := range slow.starts {
		slow.starts[i] *= 2
	}
	all := map[string]rerun{"is told the load four polls late": late, "starts pods in twice the time": slow}
	if r.policy.Objective == nil {
		other.policy.Down.Window = 0
		all["lets go at once"] = other
		return all
	}
	lenient := *r.policy.Objective
	lenient.Wait *= 4
	other.policy.Objective = &lenient
	all["lets requests wait for longer"] = other
	return all
}

// rehearse replays the demand.
func (r rerun) rehearse(t testing.TB) timeline {
	t.Helper()
	l, w, cusme := timeline{sizes: []level{{0, warmPods}}}, r.world(), simulate.Cusme("cusme", r.policy)
	w.Starts = slices.Clone(r.starts)
	as := simulate.Contender{Name: cusme.Name, Every: time.Millisecond, New: func(w simulate.World) simulate.Policy {
		look := r.was
		look.Policy, look.timeline, look.starts = cusme.New(w), &l, w.Starts
		return &look
	}}
	if _, err := w.Run(t.Context(), r.trace, as); err != nil {
		t.Fatal(err)
	}
	return l
}

// untold replays the demand as cusme simulate does, told of nothing but the usual start-up.
func (r rerun) untold(t testing.TB) timeline {
	t.Helper()
	l, w := timeline{sizes: []level{{0, warmPods}}}, r.world()
	w.Observe = func(m *simulate.Moment) {
		if m.Move.Replicas != m.Sight.Replicas {
			l.sizes = append(l.sizes, level{m.At, float64(m.Move.Replicas)})
		}
	}
	if _, err := w.Run(t.Context(), r.trace, simulate.Cusme("cusme", r.policy)); err != nil {
		t.Fatal(err)
	}
	return l
}

func (r rerun) world() simulate.World {
	sorted := slices.Sorted(slices.Values(r.starts))
	usual := sorted[len(sorted)/2]
	return simulate.World{
		Interval: shortPoll, Start: simulate.StartUp{Median: usual, P99: usual},
		Min: r.policy.Min, Max: r.policy.Max, Warm: warmPods,
	}
}

// trace is the demand as the model takes it.
func (s *studio) trace() simulate.Trace {
	return simulate.Trace{Name: "short", Begin: s.began, Requests: func(uint64) iter.Seq2[simulate.Request, error] {
		return func(yield func(simulate.Request, error) bool) {
			for _, r := range s.demand {
				if !yield(r, nil) {
					return
				}
			}
		}
	}}
}

// starts is how long pods took to come, by creation, from the look at which they were asked
// for. One that went before it had come counts as the longest of all.
func (s *studio) starts(t testing.TB, lives []*life) (all []time.Duration) {
	t.Helper()
	sizes, looks, longest := s.witness.changes(s.name), s.looks(), time.Duration(0)
	for _, l := range lives[warmPods:] {
		took, asked := time.Duration(0), s.since(writeBefore(sizes, l.seen[0].version).at)
		if from := s.shift(l, sizes).from; from != never {
			took = from - lastBefore(looks, asked)
		}
		longest = max(longest, took)
		all = append(all, took)
	}
	if longest == 0 {
		t.Fatal("expected pods to be started, found none")
	}
	for i := range all {
		if all[i] == 0 {
			all[i] = longest
		}
	}
	t.Logf("%d pods took %s to %s", len(all), slices.Min(all), slices.Max(all))
	return all
}

// looks are when there was something new to look at: a reading, or a pod that came or went.
func (s *studio) looks() (all []time.Duration) {
	for _, r := range s.read() {
		all = append(all, r.at)
	}
	for _, shift := range s.shifts() {
		all = append(all, shift.from, shift.to)
	}
	return all
}

func lastBefore(all []time.Duration, at time.Duration) (last time.Duration) {
	for _, a := range all {
		if a < at {
			last = max(last, a)
		}
	}
	return last
}

// certificates are the pods as the API server named and dated them, by creation.
func certificates(lives []*life) []scaling.Pod {
	all := make([]scaling.Pod, len(lives))
	for i, l := range lives {
		p := &all[i]
		p.Name, p.UID, p.Created = l.name(), string(l.pod().UID), l.created()
		for _, s := range l.seen {
			for _, c := range s.pod.Status.Conditions {
				switch {
				case c.Type != corev1.PodReady || !p.ReadySince.IsZero():
				case c.Status == corev1.ConditionTrue:
					p.ReadySince = c.LastTransitionTime.Time
				default:
					p.UnreadySince = c.LastTransitionTime.Time
				}
			}
		}
	}
	return all
}

// asItWas has a policy of the model look when the controller did: at the load when it
// was really read, and again at that reading whenever a pod came or went. The policy sees names and
// times of pods as the API server told them, and its scale-ins take as long as they really took.
type asItWas struct {
	simulate.Policy
	began  time.Time
	reads  []level // yet to come
	writes []level // of replicas
	lag    int     // reads by which values are late
	pods   []scaling.Pod
	// starts are those of the world, and came when the pods really were ready.
	starts, came []time.Duration
	// timeline is where it writes down what it read and did.
	timeline *timeline
	reading  scaling.Reading
	// ready and starting pods were there when it looked last.
	ready, starting int32
	// going is a scale-in that was decided, or nil.
	going *farewell
}

// A farewell is a scale-in, made when it is due, one of the model's pods after the other.
type farewell struct {
	due  time.Duration
	to   int32
	pods []string
}

// Decide implements simulate.Policy.
func (a *asItWas) Decide(s *simulate.Sight) simulate.Move {
	now := s.Now.Sub(a.began)
	read := len(a.reads) > 0 && now >= a.reads[0].at
	switch changed := s.Ready != a.ready || s.Starting != a.starting; {
	case a.going != nil && now >= a.going.due:
		return a.letGo(s)
	case read:
		a.timeline.reads = append(a.timeline.reads, level{now, s.Reading.Value})
		a.reads, a.reading = a.reads[1:], s.Reading
		a.reading.Value = a.timeline.reads[max(0, len(a.timeline.reads)-1-a.lag)].value
	case !changed || a.going != nil || a.reading.At.IsZero():
		return simulate.Move{Replicas: s.Replicas}
	}
	a.ready, a.starting, s.Reading = s.Ready, s.Starting, a.reading
	return a.decide(s, now)
}

func (a *asItWas) decide(s *simulate.Sight, now time.Duration) simulate.Move {
	a.going = nil // One that is wanted still is decided again.
	pods, names := a.told(s.Pods())
	s.Pods = func() []scaling.Pod { return pods }
	move := a.Policy.Decide(s)
	stay := simulate.Move{Replicas: s.Replicas, Decision: move.Decision}
	switch {
	case move.Replicas > s.Replicas:
		a.timeline.sizes = append(a.timeline.sizes, level{now, float64(move.Replicas)})
		a.startAt(now)
		return move
	case move.Replicas < s.Replicas:
		a.going = &farewell{a.removal(now), move.Replicas, nil}
		for _, p := range inOrderOfLeaving(pods, move.Decision.Lose) {
			a.going.pods = append(a.going.pods, names[p])
		}
	}
	return stay
}

// startAt has pods that are asked for now, and were asked for then by all that could be seen, come to the millisecond
// when they came: which of two looks in a moment it was that asked for them, nobody saw.
func (a *asItWas) startAt(now time.Duration) {
	for i, took := range a.starts {
		if off := a.came[i] - now - took; off.Abs() < shortMarks {
			a.starts[i] += off
		}
	}
}

// inOrderOfLeaving are the pods to lose: first those that are not ready, which go by their state whatever is marked, and
// then the others by creation, as in the studio.
func inOrderOfLeaving(pods []scaling.Pod, lose []string) (all []string) {
	for _, ready := range []bool{false, true} {
		for _, p := range pods {
			if p.Ready == ready && slices.Contains(lose, p.Name) {
				all = append(all, p.Name)
			}
		}
	}
	return all
}

// letGo takes one pod away; the last look finds none left.
func (a *asItWas) letGo(s *simulate.Sight) simulate.Move {
	in := a.going
	if sizes := a.timeline.sizes; sizes[len(sizes)-1].value != float64(in.to) {
		a.timeline.sizes = append(sizes, level{s.Now.Sub(a.began), float64(in.to)})
	}
	if len(in.pods) == 0 {
		a.going = nil
		return simulate.Move{Replicas: in.to}
	}
	leaves := in.pods[0]
	in.pods = in.pods[1:]
	return simulate.Move{Replicas: max(in.to, s.Replicas-1), Mark: []string{leaves}}
}

// removal is when a scale-in was written that was decided at some time.
func (a *asItWas) removal(decided time.Duration) time.Duration {
	before := levelAt(a.writes, decided)
	for _, size := range a.writes {
		if size.at > decided && size.at < decided+shortPoll && size.value < before {
			return size.at
		}
	}
	return decided + shortMarks
}

// told returns the model's pods, given by creation, as the API server showed those of the same place, and by their names how the model calls them.
func (a *asItWas) told(pods []scaling.Pod) ([]scaling.Pod, map[string]string) {
	names := map[string]string{}
	for i := range pods {
		p, number := &pods[i], 0
		name := p.Name
		if _, err := fmt.Sscanf(name, "pod-%d", &number); err == nil && number <= len(a.pods) {
			shown := a.pods[number-1]
			p.Name, p.UID, p.Created = shown.Name, shown.UID, shown.Created
			if p.Ready {
				p.ReadySince = shown.ReadySince
			} else {
				p.UnreadySince = shown.UnreadySince
			}
		}
		names[p.Name] = name
	}
	return pods, names
}
