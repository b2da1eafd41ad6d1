package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// Run replays a trace under a policy, from its beginning until all requests
// have been served. It fails on a world or a trace that is not valid, when more
// than ten million requests wait at once, and, at any moment, when the context ends.
func (w World) Run(ctx context.Context, t Trace, c Contender) (Result, error) {
	if err := w.check(); err != nil {
		return Result{}, err
	}
	every := c.Every
	if every <= 0 {
		every = w.Interval
	}
	r := &replay{World: w, began: cmp.Or(t.Begin, Epoch), policy: c.New(w), every: every, look: every, random: rand.New(rand.NewPCG(w.Seed, 1)), waits: newWaits(w.Limit)}
	r.result = Result{Trace: t.Name, Policy: c.Name}
	for range w.Warm {
		r.serve(r.create(0))
	}
	r.asked = w.Warm
	for request, err := range t.Requests(w.Seed) {
		if err == nil {
			err = r.arrives(ctx, request)
		}
		if err != nil {
			return Result{}, fmt.Errorf("replaying %s under %s: %w", t.Name, c.Name, err)
		}
	}
	if err := r.finish(ctx); err != nil {
		return Result{}, fmt.Errorf("replaying %s under %s: %w", t.Name, c.Name, err)
	}
	return r.result, nil
}

func (w World) check() error {
	switch {
	case w.Interval <= 0:
		return fmt.Errorf("the world's Interval: expected more than 0, got %s", w.Interval)
	case w.Start.Median <= 0 || w.Start.P99 < w.Start.Median:
		return fmt.Errorf("the world's Start: expected 0 < Median ≤ P99, got %s and %s", w.Start.Median, w.Start.P99)
	case slices.ContainsFunc(w.Starts, func(d time.Duration) bool { return d <= 0 }):
		return fmt.Errorf("the world's Starts: expected times above 0, got %s", w.Starts)
	case w.Min < 0 || w.Max < 1 || w.Min > w.Max:
		return fmt.Errorf("the world's bounds: expected 0 ≤ Min ≤ Max and Max at least 1, got %d and %d", w.Min, w.Max)
	case w.Warm < 0 || w.Warm > w.Max:
		return fmt.Errorf("the world's Warm: expected 0 to Max (%d), got %d", w.Max, w.Warm)
	case w.Grace < 0:
		return fmt.Errorf("the world's Grace: expected 0s or more, got %s", w.Grace)
	case !(w.Faults.Noise >= 0):
		return fmt.Errorf("the world's Noise: expected 0 or more, got %v", w.Faults.Noise)
	}
	return nil
}

// A replay is one run, at one moment.
type replay struct {
	World
	began       time.Time
	policy      Policy
	every, look time.Duration // between looks; the next look
	random      *rand.Rand
	now         time.Duration
	asked       int32
	pods        []*pod // by creation
	idle        []*pod
	seen        []scaling.Pod // see sights
	queue       line
	due         agenda
	running     int
	ready       int32 // that stay
	leaving     int32
	created     int64
	way         int32 // direction of the last move
	gauge       gauge
	waits       waits
	result      Result
}

// A pod of the model.
type pod struct {
	name    string
	created time.Duration
	// readySince is when it became ready; below 0 while it is not.
	readySince time.Duration
	marked     bool
	leaving    bool
	gone       bool
	// works says that it works on request, since started; stint tells one piece of work from the next.
	works   bool
	request Request
	started time.Duration
	stint   uint32
}

// arrives lets everything happen that comes before a request, then takes the request in.
func (r *replay) arrives(ctx context.Context, q Request) error {
	if q.At < r.now || q.Service < 0 {
		return fmt.Errorf("expected requests by time of arrival, and no negative service time; got one at %s of %s, after %s", q.At, q.Service, r.now)
	}
	if err := r.until(ctx, q.At); err != nil {
		return err
	}
	r.now = q.At
	r.result.Requests++
	if r.result.Offered = added(r.result.Offered, q.Service); r.result.Offered == forever {
		return errTooMuchService
	}
	if p := r.free(); p != nil {
		r.start(p, q)
		return nil
	}
	if r.queue.len() == mostWaiting {
		return fmt.Errorf("expected ten million requests to wait at most, at %s more do: %d pods are too few for this demand; raise the maximum, or replay a part of the trace", r.now, r.asked)
	}
	r.queue.push(q)
	return nil
}

// until lets everything happen that is due up to a moment. Of what happens at
// one moment the oldest comes first, and a look comes last, after the requests
// that arrive then: one trace has its arrivals on a grid that polls fall on.
func (r *replay) until(ctx context.Context, end time.Duration) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, looks := r.coming()
		if next > end || looks && next == end {
			return nil
		}
		r.now = next
		if !looks {
			r.happens(r.due.pop())
			continue
		}
		r.decide()
		r.look += r.every
	}
}

// coming is the moment of what comes next, and whether that is a look.
func (r *replay) coming() (at time.Duration, looks bool) {
	at, due := r.due.next()
	if !due || r.look < at {
		return r.look, true
	}
	return at, false
}

// finish goes on until nothing is left to do.
func (r *replay) finish(ctx context.Context) error {
	for r.running > 0 || r.queue.len() > 0 {
		if r.stalled() {
			return errors.New("requests wait and the policy has no pods for them, for 30 days")
		}
		next, _ := r.coming()
		if err := r.until(ctx, next+1); err != nil {
			return err
		}
	}
	for _, p := range slices.Clone(r.pods) {
		r.end(p)
	}
	if r.result.Billed == forever {
		return errTooManyPods
	}
	r.result.Span = r.now
	r.result.Waits = r.waits.sum()
	return nil
}

// stalled reports whether a queue has waited for so long that it never ends.
func (r *replay) stalled() bool {
	return r.running == 0 && r.queue.len() > 0 && r.now-r.queue.head().At > 30*24*time.Hour
}

// happens carries out an event.
func (r *replay) happens(e event) {
	p := e.pod
	switch {
	case p.gone || e.stint != p.stint:
	case e.kind == becomesReady:
		r.serve(p)
	case e.kind == isDone:
		r.done(p)
	case e.kind == isKilled:
		r.kill(p)
	}
}

// create begins a pod that is billed from now on.
func (r *replay) create(startUp time.Duration) *pod {
	r.created++
	p := &pod{name: "pod-" + strconv.FormatInt(r.created, 10), created: r.now, readySince: -1}
	r.pods = append(r.pods, p)
	if startUp > 0 {
		r.result.Started++
		r.due.push(event{at: r.now + startUp, kind: becomesReady, pod: p})
	}
	return p
}

// serve has a pod that became ready take work.
func (r *replay) serve(p *pod) {
	p.readySince = r.now
	r.result.Starting += r.now - p.created
	r.ready++
	r.next(p)
}

// next gives a pod the request that has waited longest.
func (r *replay) next(p *pod) {
	if r.queue.len() == 0 {
		r.idle = append(r.idle, p)
		return
	}
	r.start(p, r.queue.pop())
}

// free takes the pod that has been idle for longest, if there is one.
func (r *replay) free() *pod {
	if len(r.idle) == 0 {
		return nil
	}
	p := r.idle[0]
	r.idle = slices.Delete(r.idle, 0, 1)
	return p
}

func (r *replay) start(p *pod, q Request) {
	p.works, p.request, p.started = true, q, r.now
	p.stint++
	r.running++
	r.due.push(event{at: r.now + q.Service, kind: isDone, pod: p, stint: p.stint})
}

func (r *replay) done(p *pod) {
	p.works = false
	r.running--
	r.waits.add(p.started - p.request.At)
	if r.served != nil {
		r.served(p.request, p.started-p.request.At)
	}
	if p.leaving {
		r.leaving--
		r.end(p)
		return
	}
	r.next(p)
}

// kill takes a pod away whose time to finish is over; its request is the next to be served again.
func (r *replay) kill(p *pod) {
	p.works = false
	r.running--
	r.result.Lost++
	r.result.Wasted += r.now - p.started
	r.leaving--
	r.end(p)
	if other := r.free(); other != nil {
		r.start(other, p.request)
		return
	}
	r.queue.unshift(p.request)
}

// remove is a scale-in's hand on a pod.
func (r *replay) remove(p *pod) {
	r.result.Removed++
	if r.now-p.created < r.YoungAge && p.created > 0 {
		r.result.Young++
	}
	p.leaving = true
	if p.readySince >= 0 {
		r.ready--
	}
	if !p.works {
		r.idle = slices.DeleteFunc(r.idle, func(i *pod) bool { return i == p })
		r.end(p)
		return
	}
	r.leaving++
	if !r.Drain {
		r.due.push(event{at: r.now + r.Grace, kind: isKilled, pod: p, stint: p.stint})
	}
}

// end takes a pod off the bill.
func (r *replay) end(p *pod) {
	p.gone = true
	r.result.Billed = added(r.result.Billed, r.now-p.created)
	if p.readySince < 0 {
		r.result.Starting += r.now - p.created
	}
	r.pods = slices.DeleteFunc(r.pods, func(o *pod) bool { return o == p })
}

// decide has the policy look, and does what it wants.
func (r *replay) decide() {
	s := &Sight{
		Now: r.moment(r.now), Reading: r.reading(), Replicas: r.asked,
		Ready: r.ready, Starting: int32(len(r.pods)) - r.ready - r.leaving, Leaving: r.leaving, Pods: r.sights,
	}
	m := r.policy.Decide(s)
	m.Replicas = min(max(m.Replicas, r.Min), r.Max)
	if r.Observe != nil {
		r.Observe(r.snapshot(s, m))
	}
	if m.Replicas != r.asked {
		r.scale(m)
	}
}

// scale carries out a move.
func (r *replay) scale(m Move) {
	way := int32(1)
	if m.Replicas < r.asked {
		way = -1
	}
	r.result.Moves++
	if way == -r.way {
		r.result.Reversals++
	}
	r.way = way
	for range m.Replicas - r.asked {
		r.create(r.startUp())
	}
	if way < 0 {
		r.scaleIn(int(r.asked-m.Replicas), m.Mark)
	}
	r.asked = m.Replicas
}

// scaleIn removes pods in the ReplicaSet controller's own order.
func (r *replay) scaleIn(n int, mark []string) {
	stays := make(map[string]*pod, len(r.pods))
	for _, p := range r.pods {
		p.marked = slices.Contains(mark, p.name)
		if !p.leaving {
			stays[p.name] = p
		}
	}
	all := slices.DeleteFunc(r.sights(), func(p scaling.Pod) bool { return p.Leaving })
	for _, p := range scaling.RemovalOrder(all, r.moment(r.now))[:min(n, len(all))] {
		r.remove(stays[p.Name])
	}
}

// sights returns the pods as a policy sees them, until it is called again.
func (r *replay) sights() []scaling.Pod {
	r.seen = slices.Grow(r.seen[:0], len(r.pods))[:len(r.pods)]
	for i, p := range r.pods {
		r.seen[i] = scaling.Pod{
			Name: p.name, UID: p.name, Node: "node", Phase: scaling.PhaseRunning, Created: r.moment(p.created),
			Leaving: p.leaving, Elastic: r.Elastic,
		}
		s := &r.seen[i]
		if p.created == 0 {
			s.Created = r.moment(-time.Hour) // those that were there at the beginning are not young
		}
		if p.marked {
			s.Cost, s.Marked = scaling.MarkedCost, true
		}
		if p.readySince >= 0 {
			s.Ready, s.ReadySince = true, r.moment(p.readySince)
		}
		if r.TellBusy {
			s.Busy = scaling.Idle
			if p.works {
				s.Busy = scaling.Working
			}
		}
	}
	return r.seen
}

func (r *replay) billed() time.Duration {
	sum := r.result.Billed
	for _, p := range r.pods {
		sum = added(sum, r.now-p.created)
	}
	return sum
}
