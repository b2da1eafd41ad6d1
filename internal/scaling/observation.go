package scaling

import "time"

// An Observation is everything a decision knows of the world at one moment.
type Observation struct {
	// Now is the moment of the decision.
	Now time.Time
	// Readings holds the newest reading of each load, found by name; a load without one has not been read yet.
	Readings []Reading
	// Replicas is the number asked for at present (spec.replicas), not the number that exist.
	Replicas int32
	// Pods are the target's pods, leaving and broken ones included.
	Pods []Pod
	// Order is the order in which the target's own controller removes pods.
	Order Order
	// Unsteerable says who or what decides which pods go where cusme does not,
	// such as "a rollout with 2 live ReplicaSets"; empty with OrderCost only.
	Unsteerable string
}

// Order is how a target's own controller chooses the pods that a scale-in removes.
type Order string

const (
	// OrderUnknown is any order: it must be assumed that the pod one least wants to lose goes first.
	OrderUnknown Order = ""
	// OrderCost is the ReplicaSet controller's, with deletion costs that cusme
	// sets: among pods in the same state it is cusme that chooses.
	OrderCost Order = "cost"
	// OrderRank is the ReplicaSet controller's, with costs that are not cusme's to set.
	OrderRank Order = "rank"
	// OrderOrdinal is the StatefulSet controller's: the highest ordinals go.
	OrderOrdinal Order = "ordinal"
)

// A Reading is one load's value at one time, or the reason why there is none.
// A missing value is a value, not an error, and never 0.
type Reading struct {
	// Load is the load's name.
	Load string
	// Value is the last good value.
	Value float64
	// At is when Value was true, by the application's own clock where it says so; zero when there is no good value yet.
	At time.Time
	// Drift is how far the newest value is above Value, or below, where Value is made of several; 0 where it is the newest
	// itself.
	Drift float64
	// Problem says how the newest attempt to read went wrong; empty when it went well.
	Problem State
	// Message is the sentence behind Problem. Without a problem it is a remark on the value.
	Message string
	// Partial says what the value leaves out, such as pods that gave no answer: it may add replicas and take none away.
	// Empty when it speaks of the whole.
	Partial string
}

// State is what a decision makes of a reading.
type State string

const (
	// Pending means that there was nothing to read yet: no attempt has ended, nothing was pushed, or no pod is ready.
	Pending State = "Pending"
	// Fresh means that the value may move replicas.
	Fresh State = "Fresh"
	// Stale means that the value is older than the load's StaleAfter.
	Stale State = "Stale"
	// Failed means that the newest attempt brought no answer.
	Failed State = "Failed"
	// Invalid means that the newest answer held no number that the load can be: missing, not a number, infinite, negative
	// or outside the load's valid range.
	Invalid State = "Invalid"
)

// A Verdict is a reading with what a decision made of it.
type Verdict struct {
	Reading
	State State
	// Input says that the load is only a term of other loads' formulas.
	Input bool
	// Since is since when the load is known to have had no fresh reading; zero when State is Fresh, of an input, and when
	// there was nothing to read yet.
	Since time.Time
	// Total is the load of the whole service, in the load's own unit: a ratio
	// times the pods that were ready when the reading was first seen, or the
	// sum itself. It is 0 unless State is Fresh.
	Total float64
	// Demand is the number of replicas that this load alone asks for; an input asks for none.
	Demand int32
	// Holds says that Demand is only what there is, with what was given up for
	// lack of stock: the reading is not fresh and no fallback is due, or it is
	// partial and would take replicas away.
	Holds bool
	// Why is the sentence behind Demand, or says what is wrong with the reading.
	Why string
}

// Outcome is what became of a decision.
type Outcome struct {
	// Wrote reports whether the replicas were written and accepted.
	Wrote bool
	// Settling is how long the marks of the pods to lose need before the replicas
	// may be written; 0 when nothing waits for them.
	Settling time.Duration
	// Refused says why a write was not made or not accepted; empty otherwise.
	Refused string
}

// A Tick is one turn of the crank, whole: what was seen, under which policy,
// what was decided, and what came of it.
type Tick struct {
	// Scaler names the LoadScaler, as namespace/name.
	Scaler      string
	Observation Observation
	Policy      Policy
	Decision    Decision
	Outcome     Outcome
}
