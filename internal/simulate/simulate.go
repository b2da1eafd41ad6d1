// Package simulate replays a demand through a policy on a model of one target,
// so that people see what a policy would do before they trust it.
//
// The model is a discrete-event simulation: requests wait in one queue, each
// pod works on one at a time, starts slowly and is billed from its creation.
// cusme's own policies are decided by scaling.Decide, the function that the
// controller runs; there is no second copy of any rule.
package simulate

import (
	"iter"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A Request is one piece of work. It holds one pod for Service.
type Request struct {
	// At is when it arrives, counted from the beginning of its trace.
	At time.Duration
	// Service is how long a pod works on it.
	Service time.Duration
}

// A Trace is a demand that can be replayed any number of times.
type Trace struct {
	Name string
	// Span is within when its requests arrive; 0 where that is not known.
	Span time.Duration
	// Begin is when it began, for schedules and the hours of the week; zero stands for Epoch.
	Begin time.Time
	// Requests yields the requests by time of arrival. An error ends them. The
	// same seed gives the same requests: it is for what a trace leaves open,
	// such as the moments within a bin.
	Requests func(seed uint64) iter.Seq2[Request, error]
}

// A World is the model cluster in which policies are compared.
type World struct {
	// Interval is the time between two polls of the load; above 0.
	Interval time.Duration
	// Start is how long new pods take to become ready.
	Start StartUp
	// Starts are how long the first ones take, by creation, where that was recorded; each above 0. Start is for the rest.
	Starts []time.Duration
	// Drain lets a pod that is removed finish its request, for however long.
	// Otherwise it has Grace to do so; then the request goes back to the head of
	// the queue and starts anew.
	Drain bool
	Grace time.Duration
	// Min and Max bound the replicas of every policy, 0 ≤ Min ≤ Max.
	Min, Max int32
	// Warm is how many pods are ready at the beginning.
	Warm int32
	// Total has the load reported as running and queued requests together;
	// otherwise as their ratio to the ready pods.
	Total bool
	// TellBusy has pods say whether they work on a request.
	TellBusy bool
	// Elastic has all pods run on elastic nodes.
	Elastic bool
	// Faults spoil the readings.
	Faults Faults
	// Limit is the wait beyond which a request waited too long.
	Limit time.Duration
	// YoungAge is the age below which a removed pod counts as removed young.
	YoungAge time.Duration
	// Seed draws start-up times and what a trace leaves open.
	Seed uint64
	// Observe is called after each look of the policy, for charts and logs; nil for nobody. What it is shown is only valid
	// until it returns.
	Observe func(*Moment)
	// served is called for each request that ended well; nil for nobody.
	served func(q Request, wait time.Duration)
}

// A StartUp is a lognormal distribution of start-up times, in the two numbers
// that people know of theirs. Equal ones make all starts alike.
type StartUp struct {
	Median, P99 time.Duration
}

// Faults spoil readings, each during its spans; none by default.
type Faults struct {
	// Missing readings fail, Frozen ones repeat the last value as if it were new, Broken ones are not a number.
	Missing, Frozen, Broken []Span
	// Lag is by how much each reading is older than it says.
	Lag time.Duration
	// Noise is the standard deviation of a reading's error, as a fraction of its value.
	Noise float64
}

// A Span is a part of a replay, From inclusive.
type Span struct {
	From, To time.Duration
}

// Epoch is the moment at which a replay begins whose trace does not say, a Monday.
var Epoch = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)

// A Contender is a policy that can be replayed: a name and how to begin anew.
type Contender struct {
	Name string
	// Every is how often it looks at the load; 0 for each poll.
	Every time.Duration
	// New returns a policy that has seen nothing yet.
	New func(World) Policy
}

// A Policy moves the replicas of the model's target.
type Policy interface {
	// Decide is called at each poll. What it is shown is only valid until it returns.
	Decide(*Sight) Move
}

// A Sight is what a policy sees at a poll.
type Sight struct {
	Now time.Time
	// Reading is the load as the application reports it.
	Reading scaling.Reading
	// Replicas is the number asked for at present.
	Replicas int32
	// Ready and Starting count the pods that stay, Leaving those that are being removed and still work.
	Ready, Starting, Leaving int32
	// Pods returns all pods, leaving ones included.
	Pods func() []scaling.Pod
}

// A Move is what a policy wants.
type Move struct {
	// Replicas is clamped to the world's bounds.
	Replicas int32
	// Mark names the pods that get a deletion cost below all others, in place of those marked before.
	Mark []string
	// Decision is what cusme's own policies decided; nil of any other.
	Decision *scaling.Decision
}
