package simulate

import (
	"context"
	"fmt"
	"time"
)

// A Bound is what a demand costs somebody who knows it beforehand. All are
// times of pods from creation to end, as Result.Billed is. A start is counted
// as the world's mean start-up time: where starts differ, lucky draws may bring
// a run a little below what is said to be out of reach.
type Bound struct {
	// Offered is the service time of all requests.
	Offered time.Duration
	// NoWait is the least that a pool costs in which no request waits. No run without waits is below it.
	NoWait time.Duration
	// Relaxed is what a pool costs that lets requests wait, none longer than
	// the world's Limit, put together greedily: the least one costs no more.
	Relaxed time.Duration
	// Least is what no run is below in which no request waits longer than
	// Limit. It counts what is proven and is seldom within reach: the less of
	// their service the limit leaves open, the nearer it is to NoWait.
	Least time.Duration
}

// Ratio is a bound for each hour of service that was asked for; 0 without any demand.
func (b Bound) Ratio(billed time.Duration) float64 {
	return Result{Offered: b.Offered, Billed: billed}.Ratio()
}

// Clairvoyant returns the bounds of a demand in a world, whose Max it takes
// for never too small. It reads the trace once, and its memory grows with the
// pods at work at once only. It fails when the trace does, and when the context
// ends.
func Clairvoyant(ctx context.Context, w World, t Trace) (Bound, error) {
	c := newClairvoyance(w)
	for q, err := range t.Requests(w.Seed) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = c.take(q)
		}
		if err != nil {
			return Bound{}, fmt.Errorf("bounds of %s: %w", t.Name, err)
		}
	}
	b := c.bound()
	if max(b.NoWait, b.Relaxed, b.Least) == forever {
		return Bound{}, fmt.Errorf("bounds of %s: %w", t.Name, errTooManyPods)
	}
	return b, nil
}

// A clairvoyance works out all bounds in one pass over the requests.
type clairvoyance struct {
	levels
	limit   time.Duration
	offered time.Duration
	end     time.Duration // when the last request is done if none waits
	exact   stack
	pool    pool
	fill    filling
	lulls   lulls
	sure    stack // of what is at work whoever waits: all but the first Limit of each service
}

func newClairvoyance(w World) *clairvoyance {
	l := levels{start: w.Start.Mean(), warm: int(w.Warm), always: int(min(w.Min, w.Warm))}
	return &clairvoyance{
		levels: l, limit: w.Limit,
		exact: stack{levels: l}, sure: stack{levels: l},
		pool: newPool(l, w.Limit),
		fill: filling{pods: time.Duration(l.always)}, lulls: lulls{levels: l},
	}
}

func (c *clairvoyance) take(q Request) error {
	latest := added(added(q.At, c.limit), q.Service)
	c.offered = added(c.offered, q.Service)
	switch {
	case c.offered == forever:
		return errTooMuchService
	case latest >= forever/time.Duration(max(1, c.always)):
		return errTooManyPods
	}
	c.end = max(c.end, q.At+q.Service)
	c.exact.take(q)
	c.pool.take(q)
	c.fill.take(q, latest)
	c.lulls.take(q.At, latest)
	c.sure.take(Request{At: q.At + c.limit, Service: q.Service - c.limit})
	return nil
}

func (c *clairvoyance) bound() Bound {
	exact := c.exact.billed(c.end)
	return Bound{
		Offered: c.offered,
		NoWait:  exact,
		Relaxed: min(exact, c.pool.billed(c.end)),
		Least:   max(c.unavoidable(), c.sure.billed(c.end)),
	}
}

// unavoidable is the work, what the pods that always stay are idle at least,
// or else what the first pod costs while there is nothing to do, and the starts
// of all others that are needed at once at least.
//
// Pods that are not ready are removed before those that are. So as many as
// always stay are always ready, and starts come on top of their time.
func (c *clairvoyance) unavoidable() time.Duration {
	idle := c.lulls.idle
	if c.always > 0 {
		idle = time.Duration(c.always)*c.end - c.fill.until(c.end)
	}
	starts := max(0, len(c.sure.left)-max(1, c.warm))
	return added(added(c.offered, idle), time.Duration(starts)*c.start)
}
