package simulate

import (
	"errors"
	"math"
	"time"
)

// A Result is what a policy made of a trace.
type Result struct {
	Trace, Policy string
	// Span is how long the replay took, in its own time.
	Span time.Duration
	// Requests counts those served, Lost those among them that a removed pod had to give back, each time.
	Requests, Lost int64
	// Offered is the service time of all requests, Billed the time of all pods from creation to end, Starting the part of it
	// before they were ready, Wasted the work on requests that were given back. None is forever.
	Offered, Billed, Starting, Wasted time.Duration
	// Waits are the times from arrival to the start of the service that ended well.
	Waits Waits
	// Started counts the pods created, Removed those that a scale-in took, Young those of them younger than the world's YoungAge.
	Started, Removed, Young int64
	// Moves counts the changes of replicas, Reversals those in the other direction than the one before.
	Moves, Reversals int64
}

// Waits sums up how long requests waited.
type Waits struct {
	Mean, P50, P95, P99, Max time.Duration
	// Over is the share of requests that waited longer than the world's Limit, 0 to 1.
	Over float64
}

// Ratio is what was billed for each hour of service that was asked for; 1 is what no policy can be below
// unless requests are lost. It is 0 without any demand.
func (r Result) Ratio() float64 {
	if r.Offered == 0 {
		return 0
	}
	return float64(r.Billed) / float64(r.Offered)
}

// forever is the longest Duration, of 292 years: a thousand pods for 107 days. Sums end there, for beyond it they would be negative.
const forever time.Duration = math.MaxInt64

// What cannot be summed up.
var (
	errTooMuchService = errors.New("expected less than 292 years of service in one replay, got more: replay a part of the trace")
	errTooManyPods    = errors.New("expected less than 292 years of pods in one replay, got more: replay a part of the trace")
)

// added is a sum of times from 0 on, at most forever.
func added(a, b time.Duration) time.Duration {
	if a > forever-b {
		return forever
	}
	return a + b
}

// A Moment is what an observer sees of a replay at each look of its policy.
type Moment struct {
	Sight
	Move
	// At is the time since the beginning.
	At time.Duration
	// Queued and Running count requests.
	Queued, Running int
	// Waiting is how long the request at the head of the queue has waited; 0 without a queue.
	Waiting time.Duration
	// Billed is what was billed so far.
	Billed time.Duration
}

// snapshot is what an observer sees of a look.
func (r *replay) snapshot(s *Sight, m Move) *Moment {
	seen := &Moment{Sight: *s, Move: m, At: r.now, Queued: r.queue.len(), Running: r.running, Billed: r.billed()}
	if r.queue.len() > 0 {
		seen.Waiting = r.now - r.queue.head().At
	}
	return seen
}
