package load

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// A pollKey is what loads must have in common to share one poll.
type pollKey struct {
	address
	interval time.Duration
}

// A poller asks one endpoint, again and again, for everybody who wants to know.
type poller struct {
	pollKey
	stop context.CancelFunc

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

// join adds a subscription to the key's poller, and starts one if there is
// none. r.mu is held.
func (r *Readings) join(key pollKey, s *subscription) *poller {
	p := r.pollers[key]
	if p == nil {
		ctx, stop := context.WithCancel(r.context)
		p = &poller{pollKey: key, stop: stop, subs: map[*subscription]bool{}}
		r.pollers[key] = p
		r.running.Go(func() { r.poll(ctx, p) })
	}
	p.subs[s] = true
	return p
}

// leave ends a subscription; the last one stops its poller. r.mu is held.
func (r *Readings) leave(s *subscription) {
	p := s.poller
	delete(p.subs, s)
	if len(p.subs) == 0 && r.pollers[p.pollKey] == p {
		p.stop()
		delete(r.pollers, p.pollKey)
	}
}

// poll asks at once, then on a grid of whole intervals that begins a random
// part of the interval later: a controller that starts a thousand pollers
// together must not ask a thousand endpoints in the same instant for ever.
func (r *Readings) poll(ctx context.Context, p *poller) {
	e := p.connect()
	defer e.close()
	grid := time.Now().Add(rand.N(p.interval))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for number := 1; ; number++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		answer, err := e.ask(ctx)
		if ctx.Err() != nil {
			return // the error is only that nobody wants to know any more
		}
		r.deliver(p, attempt{number, answer, err})
		timer.Reset(time.Until(nextOn(grid, p.interval, time.Now())))
	}
}

// nextOn returns the first point of the grid after now. Points that passed
// during a slow attempt are dropped: catching up would only load what is slow.
func nextOn(grid time.Time, interval time.Duration, now time.Time) time.Time {
	if now.Before(grid) {
		return grid
	}
	return grid.Add(now.Sub(grid).Truncate(interval) + interval)
}

// deliver tells everybody who subscribed what an attempt brought. The answer is
// parsed once, and no lock is held meanwhile.
func (r *Readings) deliver(p *poller, a attempt) {
	r.mu.Lock()
	p.latest = a
	subs := slices.Collect(maps.Keys(p.subs))
	r.mu.Unlock()
	d := understand(a.answer, a.err)
	for _, s := range subs {
		r.settle(s, a.number, d)
	}
}

// catchUp gives a subscription the latest attempt of a poller that was there
// before it.
func (r *Readings) catchUp(s *subscription) {
	r.mu.Lock()
	a := s.poller.latest
	r.mu.Unlock()
	if a.number > 0 {
		r.settle(s, a.number, understand(a.answer, a.err))
	}
}

// settle makes a subscription's reading of an attempt, unless it has a newer
// one: a joiner catches up while the next answer may already be arriving.
func (r *Readings) settle(s *subscription, number int, d document) {
	newest := s.source.reading(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	if number <= s.judged {
		return
	}
	s.judged, s.reading = number, after(s.reading, newest)
	r.ring(s.bell)
}
