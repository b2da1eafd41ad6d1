package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Trust says what is believed of a load's values. Without any of it, every number of 0 or more is, except that a fall
// to exactly 0 is confirmed.
type Trust struct {
	// UnchangedAfter takes a load for stale whose value stayed exactly the same for this long: its source may be frozen.
	// Without it, values may stay what they are.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) > duration('0s')",message="unchangedAfter must be a duration above 0s, such as 10m"
	UnchangedAfter *metav1.Duration `json:"unchangedAfter,omitempty"`
	// ValidRange is what values can be at all. One outside is invalid, and never believed.
	ValidRange *Range `json:"validRange,omitempty"`
	// MaxJump is how far a value may be from the one before it. One farther away is believed when the reading after it
	// is within the same distance of it.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="maxJump must be a number above 0, such as '0.5'"
	MaxJump *resource.Quantity `json:"maxJump,omitempty"`
	// ConfirmZero believes a fall to exactly 0 only when a second reading says so too, because that is what broken
	// sources say. Default true, and false for a pushed load, which tells its changes once, and for an expression, whose
	// terms are confirmed already.
	ConfirmZero *bool `json:"confirmZero,omitempty"`
	// Aggregate makes one value of all those of the last minutes.
	Aggregate *Aggregate `json:"aggregate,omitempty"`
}

// Range bounds a value. Both ends belong to it.
//
// +kubebuilder:validation:XValidation:rule="has(self.min) || has(self.max)",message="a range needs an end: give min, or max, or both"
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || !isQuantity(string(self.min)) || !isQuantity(string(self.max)) || quantity(string(self.min)).isLessThan(quantity(string(self.max)))",message="min must be below max"
type Range struct {
	// Min is the least value, 0 or more. Default 0.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",message="min must be a number of 0 or more, such as '0'"
	Min *resource.Quantity `json:"min,omitempty"`
	// Max is the greatest value, above min. Default: none.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="max must be a number above 0, such as '100'"
	Max *resource.Quantity `json:"max,omitempty"`
}

// Aggregate smooths a load. Replicas move by a smoothed Utilization where its newest value is beyond the band as well: the
// others may speak of fewer or more pods. A formula over smoothed Utilizations does not know their newest values; smooth
// the formula instead.
type Aggregate struct {
	// Window is how far back values count, at most 1h.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) > duration('0s') && duration(self) <= duration('1h')",message="window must be a duration above 0s and at most 1h, such as 1m"
	Window metav1.Duration `json:"window"`
	// By is how: avg (default), max or p90.
	//
	// +kubebuilder:validation:Enum=avg;max;p90
	By string `json:"by,omitempty"`
}

// Fallback says what to do when a load gives no fresh reading for long. Until then, and without it, replicas hold. The
// time counts from the first decision that found no fresh reading, in whichever state but Pending: nothing to read yet,
// such as no ready pod to ask, is no failure. After a restart it counts anew.
// What is asked for is a demand like any other: the highest of all loads wins, and every other rule tempers it.
// States may differ: what stale, failed and invalid leave out is as it is given here. With nothing given here, a state
// without a rule of its own holds.
//
// +kubebuilder:validation:XValidation:rule="has(self.after) || ((has(self.stale) && has(self.stale.after)) && (has(self.failed) && has(self.failed.after)) && (has(self.invalid) && has(self.invalid.after))) || (!has(self.replicas) && !has(self.behavior) && (has(self.stale) || has(self.failed) || has(self.invalid)) && (!has(self.stale) || has(self.stale.after)) && (!has(self.failed) || has(self.failed.after)) && (!has(self.invalid) || has(self.invalid.after)))",message="a fallback needs a time: give after, or one in each of stale, failed and invalid that is to fall back"
// +kubebuilder:validation:XValidation:rule="(has(self.replicas) || (has(self.stale) && has(self.stale.replicas)) || (has(self.stale) && has(self.stale.behavior) ? self.stale.behavior : (has(self.behavior) ? self.behavior : 'Static')) == 'CurrentReplicas' || (!has(self.stale) && !has(self.after) && !has(self.behavior))) && (has(self.replicas) || (has(self.failed) && has(self.failed.replicas)) || (has(self.failed) && has(self.failed.behavior) ? self.failed.behavior : (has(self.behavior) ? self.behavior : 'Static')) == 'CurrentReplicas' || (!has(self.failed) && !has(self.after) && !has(self.behavior))) && (has(self.replicas) || (has(self.invalid) && has(self.invalid.replicas)) || (has(self.invalid) && has(self.invalid.behavior) ? self.invalid.behavior : (has(self.behavior) ? self.behavior : 'Static')) == 'CurrentReplicas' || (!has(self.invalid) && !has(self.after) && !has(self.behavior)))",message="a fallback needs a size: give replicas, or one in each of stale, failed and invalid; only the behavior CurrentReplicas needs none"
type Fallback struct {
	FallbackRule `json:",inline"`
	// Stale is for values that are too old.
	Stale *FallbackRule `json:"stale,omitempty"`
	// Failed is for sources that give no answer.
	Failed *FallbackRule `json:"failed,omitempty"`
	// Invalid is for answers that hold no number that the load can be.
	Invalid *FallbackRule `json:"invalid,omitempty"`
}

// FallbackRule is how long to hold, and what to ask for then.
type FallbackRule struct {
	// After is for how long replicas hold without a fresh reading first.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('0s')",message="after must be a duration of 0s or more, such as 5m"
	After *metav1.Duration `json:"after,omitempty"`
	// Replicas to ask for then. They stay within minReplicas and maxReplicas.
	//
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`
	// Behavior is KEDA's word for which of replicas and the current number is asked for. Default Static.
	Behavior FallbackBehavior `json:"behavior,omitempty"`
}

// FallbackBehavior says which number a fallback asks for.
//
// +kubebuilder:validation:Enum=Static;CurrentReplicas;CurrentReplicasIfHigher;CurrentReplicasIfLower
type FallbackBehavior string

const (
	// FallbackStatic asks for the fallback's replicas.
	FallbackStatic FallbackBehavior = "Static"
	// FallbackCurrent goes on holding.
	FallbackCurrent FallbackBehavior = "CurrentReplicas"
	// FallbackHigher asks for the higher of the two: it adds, and takes nothing away.
	FallbackHigher FallbackBehavior = "CurrentReplicasIfHigher"
	// FallbackLower asks for the lower of the two: it takes away, and adds nothing.
	FallbackLower FallbackBehavior = "CurrentReplicasIfLower"
)
