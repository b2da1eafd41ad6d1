package scaling

import (
	"fmt"
	"math"
	"time"
)

// A Policy is a LoadScaler's spec with every default resolved.
type Policy struct {
	// Min and Max bound the replicas, 0 ≤ Min ≤ Max, while no window of a schedule says otherwise.
	Min, Max int32
	// Schedules open windows in which other bounds hold.
	Schedules []Schedule
	// Loads are the signals; the highest demand wins.
	Loads []Load
	// Fallbacks say, for Stale, Failed and Invalid, what a load asks for that has had no fresh reading for long. In a
	// state without one it holds the number, for however long.
	Fallbacks map[State]Fallback
	// Objective sizes the target for a wait; nil goes by the loads' bands.
	Objective *Objective
	// Step gives fixed steps; nil sizes moves by the load.
	Step *FixedStep
	// Up and Down pace moves in their direction.
	Up, Down Rules
	// MinPodAge is the age below which a pod is never chosen for removal; 0 protects none.
	MinPodAge time.Duration
	// AgeFromReady counts a pod's age from when it became ready, not from its creation.
	AgeFromReady bool
	// StartDeadline is the age by which a pod should be ready. A younger one
	// is capacity on its way; an older one is broken.
	StartDeadline time.Duration
	// AskBusy says that pods can be asked whether they work on a request; then none is chosen unasked, except to come down to Max.
	AskBusy bool
}

// A Load is one signal and the band in which all is well.
type Load struct {
	Name string
	// Input makes it a term of other loads' formulas only: it is judged and shown, asks for no replicas, and holds none.
	// The band means nothing then.
	Input bool
	// Total says that values are a sum over the service, such as a queue's
	// length; otherwise they are a ratio per ready replica.
	Total bool
	// Low, High and Target are per replica: below Low replicas go, above High
	// replicas come, and either way the move aims at Target. Low ≤ Target ≤ High, Target > 0. All are 0 under an objective.
	Low, High, Target float64
	// StaleAfter is the age beyond which a reading is not believed.
	StaleAfter time.Duration
	// ValidRange is what values can be at all; nil for whatever any load can be.
	ValidRange *Range
}

// An Objective is how long people may wait: the given share of requests is to wait no longer than that.
type Objective struct {
	// Wait is the longest wait that is good enough, above 0.
	Wait time.Duration
	// Percentile is the share of requests to which that is promised, in percent: 50 to 99.9.
	Percentile float64
	// Zone is that of the hours and weekdays by which a profile of demand is learned; nil learns and foretells none.
	Zone *time.Location
}

// String writes the objective as sentences do.
func (o Objective) String() string {
	return fmt.Sprintf("p%s of waits ≤ %s", number(o.Percentile), brief(o.Wait))
}

// A Range bounds a value. Both ends belong to it; Max may be infinite.
type Range struct {
	Min, Max float64
}

// Holds reports whether a value lies within the range.
func (r Range) Holds(value float64) bool { return r.Min <= value && value <= r.Max }

// String writes the range as sentences do.
func (r Range) String() string {
	if math.IsInf(r.Max, 1) {
		return number(r.Min) + " or more"
	}
	return number(r.Min) + ".." + number(r.Max)
}

// A Fallback is how long a load without a fresh reading holds the number, and
// what it asks for then.
type Fallback struct {
	// After is how long it holds, from the first decision that found no fresh reading; 0 is not at all.
	After time.Duration
	// Replicas is the number it asks for, 0 or more.
	Replicas int32
	// Behavior says what becomes of the current number; the zero value is Static.
	Behavior FallbackBehavior
}

// FallbackBehavior says which of the fallback's and the current number is asked for, in KEDA's words.
type FallbackBehavior string

const (
	// FallbackStatic asks for the fallback's number.
	FallbackStatic FallbackBehavior = "Static"
	// FallbackCurrent goes on holding the current one.
	FallbackCurrent FallbackBehavior = "CurrentReplicas"
	// FallbackHigher asks for the higher of the two.
	FallbackHigher FallbackBehavior = "CurrentReplicasIfHigher"
	// FallbackLower asks for the lower of the two.
	FallbackLower FallbackBehavior = "CurrentReplicasIfLower"
)

// FixedStep moves by a fixed number of replicas, as the original cusme did.
type FixedStep struct {
	Up, Down int32
}

// Rules pace moves in one direction, with the meaning of HPA's HPAScalingRules.
type Rules struct {
	// Window is HPA's stabilizationWindowSeconds.
	Window time.Duration
	// Select is HPA's selectPolicy; the zero value is Max.
	Select Select
	// Limits are HPA's policies. None means no limit.
	Limits []Limit
}

// Select says which of several limits holds.
type Select string

const (
	// SelectMax takes the limit that allows the greatest change.
	SelectMax Select = "Max"
	// SelectMin takes the limit that allows the smallest change.
	SelectMin Select = "Min"
	// SelectDisabled allows no change in this direction.
	SelectDisabled Select = "Disabled"
)

// A Limit is how far replicas may move within a period.
type Limit struct {
	// Percent says that Value is a percentage of the replicas at the period's start; otherwise it counts pods.
	Percent bool
	Value   int32
	Period  time.Duration
}
