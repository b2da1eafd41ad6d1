package scaling

import "time"

// A Policy is a LoadScaler's spec with every default resolved.
type Policy struct {
	// Min and Max bound the replicas, 0 ≤ Min ≤ Max.
	Min, Max int32
	// Loads are the signals; the highest demand wins.
	Loads []Load
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
	// Total says that values are a sum over the service, such as a queue's
	// length; otherwise they are a ratio per ready replica.
	Total bool
	// Low, High and Target are per replica: below Low replicas go, above High
	// replicas come, and either way the move aims at Target. Low ≤ Target ≤ High, Target > 0.
	Low, High, Target float64
	// StaleAfter is the age beyond which a reading is not believed.
	StaleAfter time.Duration
}

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
