package load

import (
	"context"
	"maps"
	"slices"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A poller asks one endpoint, again and again, for everybody who wants to know.
type poller struct {
	from    address
	stop    context.CancelFunc
	retimed chan struct{} // its interval changed
	nudged  chan struct{} // it is to ask soon, out of turn

	// Guarded by Readings.mu.
	subs   map[*subscription]bool
	latest attempt
}

// An attempt is what one poll brought.
type attempt struct {
	number int // from 1; 0 is no attempt yet
	answer answer
	err    error
}

// join adds a subscription to the poller of its address, and starts one if
// there is none. r.mu is held.
func (r *Readings) join(s *subscription) {
	from := s.source.from
	p := r.pollers[from]
	if p == nil {
		ctx, stop := context.WithCancel(r.context)
		p = &poller{from: from, stop: stop, retimed: make(chan struct{}, 1), nudged: make(chan struct{}, 1), subs: map[*subscription]bool{}}
		p.subs[s] = true
		r.pollers[from] = p
		r.running.Go(func() { r.poll(ctx, p) })
	}
	p.subs[s] = true
	s.poller = p
	signal(p.retimed)
}

// leave ends a subscription; the last one stops its poller. r.mu is held.
func (r *Readings) leave(s *subscription) {
	p := s.poller
	if p == nil {
		return
	}
	delete(p.subs, s)
	if len(p.subs) == 0 && r.pollers[p.from] == p {
		p.stop()
		delete(r.pollers, p.from)
	}
	signal(p.retimed)
}

// signal tells what waits for the channel, once.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}

// nudge has an address asked soon, if it is polled.
func (r *Readings) nudge(from address) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.pollers[from]; p != nil {
		signal(p.nudged)
	}
}

// pace returns how often a poller asks, and how long one attempt may take: as
// often as the most eager wants, and for as long as the most patient allows
// within that.
func (r *Readings) pace(p *poller) (interval, within time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range p.subs {
		if interval == 0 || s.interval < interval {
			interval = s.interval
		}
		within = max(within, s.source.within())
	}
	return interval, min(within, interval)
}

// poll asks at once, then in the rhythm that the endpoint's answers make. While
// it fails, each attempt is one probe: there is never a second beside it. A nudge
// is news of it, and waits for nothing.
func (r *Readings) poll(ctx context.Context, p *poller) {
	around := r.around
	around.nudge = func() { signal(p.nudged) }
	e := p.from.connect(around)
	defer e.close()
	interval, within := r.pace(p)
	if interval == 0 {
		return // whoever wanted to know left before it began
	}
	rhythm := newRhythm(interval, time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for number := 1; ; {
		select {
		case <-ctx.Done():
			return
		case <-p.retimed:
			if interval, within = r.pace(p); interval > 0 {
				rhythm.retime(interval, time.Now())
				timer.Reset(time.Until(rhythm.due))
			}
			continue
		case <-p.nudged:
		case <-timer.C:
		}
		asked := time.Now()
		attempt := try(ctx, e, within)
		if ctx.Err() != nil {
			return // the error is only that nobody wants to know any more
		}
		attempt.number = number
		number++
		r.deliver(p, attempt)
		rhythm.after(attempt.err, asked, time.Now())
		timer.Reset(time.Until(rhythm.due))
	}
}

// try asks once.
func try(ctx context.Context, e endpoint, within time.Duration) attempt {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answer, err := e.ask(ctx, within)
	return attempt{answer: answer, err: err}
}

// deliver tells everybody who subscribed what an attempt brought. The answer is
// parsed once, and each expression evaluated once; no lock is held meanwhile.
func (r *Readings) deliver(p *poller, a attempt) {
	r.mu.Lock()
	p.latest = a
	subs := slices.Collect(maps.Keys(p.subs))
	r.mu.Unlock()
	d, known := understand(a.answer, a.err), map[[2]string]scaling.Reading{}
	for _, s := range subs {
		r.settle(s, a.number, s.source.once(d, known))
	}
}

// once says what the source makes of a document, unless another one that makes
// the same of it has.
func (s Source) once(d document, known map[[2]string]scaling.Reading) scaling.Reading {
	r, ok := known[s.texts()]
	if !ok {
		r = s.reading(d)
		known[s.texts()] = r
	}
	r.Load = s.load
	return r
}

// catchUp gives a subscription the latest attempt of a poller that was there
// before it.
func (r *Readings) catchUp(s *subscription) {
	r.mu.Lock()
	a := s.poller.latest
	r.mu.Unlock()
	if a.number > 0 {
		r.settle(s, a.number, s.source.reading(understand(a.answer, a.err)))
	}
}

// settle makes newest, which is of an attempt, a subscription's reading, unless
// it has a newer one: a joiner catches up while the next answer may already be
// arriving.
func (r *Readings) settle(s *subscription, number int, newest scaling.Reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if number <= s.judged {
		return
	}
	s.judged = number
	s.take(newest, newest.At)
	s.follower.workOut()
	r.ring(&s.follower.bell)
}

// take makes newest the subscription's reading, as far as it is believed.
// Through is its own time, or of a formula's the time of its newest term.
func (s *subscription) take(newest scaling.Reading, through time.Time) {
	s.doubts, newest = s.doubts.after(s.source.trust, newest, through)
	s.reading = after(s.reading, newest)
}
