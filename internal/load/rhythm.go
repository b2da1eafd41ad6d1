package load

import (
	"errors"
	"math/rand/v2"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// longestPause is how long an endpoint that fails is left alone at most, in
// intervals. One that is back is noticed within it, and it is little beyond the
// three intervals after which a reading is stale by default.
const longestPause = 4

// A rhythm says when an endpoint is asked next: on a grid of whole intervals as
// long as it answers, and less often while it fails. What is not fit for a load
// is an answer as well.
type rhythm struct {
	interval time.Duration
	grid     time.Time // one of its points
	onGrid   bool      // it has been asked on it
	asked    time.Time // last
	due      time.Time // next
	failures int       // since the last answer
}

// newRhythm begins now, and its grid a random part of an interval later: a
// controller that starts a thousand pollers together must not ask a thousand
// endpoints in the same instant for ever.
func newRhythm(interval time.Duration, now time.Time) *rhythm {
	return &rhythm{interval: interval, grid: now.Add(rand.N(interval)), due: now}
}

// after notes what an attempt came to that began when asked says, and when to
// ask next.
func (r *rhythm) after(err error, asked, now time.Time) {
	r.onGrid = r.onGrid || !asked.Before(r.grid)
	r.asked, r.due = asked, nextOn(r.grid, r.interval, now)
	if err == nil || problem("", err).Problem != scaling.Failed {
		r.failures = 0
		return
	}
	r.failures++
	r.due = later(r.due, asked.Add(r.pause()))
	if plea := (deferral{}); errors.As(err, &plea) {
		r.due = later(r.due, now.Add(min(plea.wait, longestPause*r.interval)))
	}
}

// pause is how long to leave alone what fails. One failure happens, and may be
// over at the next point of the grid. From the second on it is up to two
// intervals, then up to four, less a random part of one: what broke down for all
// pollers together does not come back to all of them at once.
func (r *rhythm) pause() time.Duration {
	switch r.failures {
	case 1:
		return 0
	case 2:
		return 2*r.interval - rand.N(r.interval)
	default:
		return longestPause*r.interval - rand.N(r.interval)
	}
}

// retime changes the interval. The endpoint is asked one new interval after the
// last time, or now if that is over; what fails is not asked any sooner than its
// pause allows, of which there is none longer than four new intervals.
func (r *rhythm) retime(interval time.Duration, now time.Time) {
	if interval == r.interval {
		return
	}
	r.interval = interval
	switch {
	case r.asked.IsZero(): // and so it is due now
		r.grid = now.Add(rand.N(interval))
		return
	case r.onGrid:
		r.grid = later(r.asked.Add(interval), now)
	default:
		r.grid = r.asked.Add(rand.N(interval))
	}
	if r.failures > 0 {
		r.due = earlier(r.due, r.asked.Add(longestPause*interval))
		return
	}
	r.due = r.grid
}

// nextOn returns the first point of the grid after now. Points that passed
// during a slow attempt are dropped: catching up would only load what is slow.
func nextOn(grid time.Time, interval time.Duration, now time.Time) time.Time {
	if now.Before(grid) {
		return grid
	}
	return grid.Add(now.Sub(grid).Truncate(interval) + interval)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
