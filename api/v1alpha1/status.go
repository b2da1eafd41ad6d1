package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LoadScalerStatus is what was last decided, and why. It is written when the
// decision, a step of its reasons, or a condition changed: it is no ticker.
type LoadScalerStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// CurrentReplicas is the number of pods that existed, leaving ones apart.
	CurrentReplicas int32 `json:"currentReplicas"`
	// DesiredReplicas is the number of replicas decided on.
	DesiredReplicas int32 `json:"desiredReplicas"`
	// ReadyReplicas is the number of ready pods.
	ReadyReplicas int32 `json:"readyReplicas"`
	// StartingReplicas is the number of replicas asked for that are still trusted to become ready.
	StartingReplicas int32 `json:"startingReplicas"`
	// LateReplicas is the number of pods that cannot be counted on: broken ones, those past the start-up deadline, and those
	// that will soon be taken away.
	LateReplicas int32 `json:"lateReplicas,omitempty"`
	// ElasticReplicas is the number of pods on elastic nodes, paid by the second.
	ElasticReplicas int32 `json:"elasticReplicas"`
	// Summary holds short strings for the columns of kubectl get.
	Summary Summary `json:"summary,omitzero"`
	// Loads are the readings behind the last change, those of inputs too.
	Loads []LoadStatus `json:"loads,omitempty"`
	// LastScaleTime is when cusme last wrote replicas.
	LastScaleTime *metav1.Time `json:"lastScaleTime,omitempty"`
	// Recent are the last moves that cusme made, at most 10, newest last.
	Recent []Move `json:"recent,omitempty"`
	// Reasons is the ledger of the last decision: a line for every step that had something to say.
	Reasons []Reason `json:"reasons,omitempty"`
	// Account is what the target cost and what became of its young pods. It is brought up to date with whatever else is written.
	Account Account `json:"account,omitzero"`
	// Learned is what the target's past taught. It is kept here so that a restart knows it, brought up to date with whatever
	// else is written, and every half hour if it changed much. Remove it, and it is forgotten.
	Learned Learned `json:"learned,omitzero"`
	// Conditions: Ready, ScalingActive, AbleToScale, ScalingLimited, ReadingsFresh, Steerable, ElasticCapacity, SecretsReadable.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Summary holds short strings for the columns of kubectl get.
type Summary struct {
	// Target is what is scaled, such as Deployment/webui.
	Target string `json:"target,omitempty"`
	// Load is the reading behind the last change, such as 0.83.
	Load string `json:"load,omitempty"`
	// Band is the band of the deciding load, such as 0.5..0.8, or the objective, such as p95 of waits ≤ 30s.
	Band string `json:"band,omitempty"`
	// Pods counts pods as ready/starting/elastic.
	Pods string `json:"pods,omitempty"`
	// State is one word for what holds, see the State constants.
	State string `json:"state,omitempty"`
	// Why is the last reason's sentence.
	Why string `json:"why,omitempty"`
	// Next says which move is possible next, and when or at which load.
	Next string `json:"next,omitempty"`
}

// States of a LoadScaler: one word that kubectl get, the events, the page and notifications share.
const (
	StateSteady      = "Steady"      // the load asks for what there is
	StateMoving      = "Moving"      // replicas were written, and their pods come or go
	StateStabilizing = "Stabilizing" // a dip, or a peak, is waited out
	StatePaced       = "Paced"       // a move is made, or held, at the pace that behavior allows
	StateWouldBounce = "WouldBounce" // a scale-in that would have to be taken back is not made
	StateYoungPods   = "YoungPods"   // pods younger than minPodAge hold back a scale-in
	StateBusyPods    = "BusyPods"    // pods that work, or are being asked whether they do, hold back a scale-in
	StateRollout     = "Rollout"     // a rollout decides which pods go, so that a scale-in waits
	StateAtMin       = "AtMin"       // the load asks for less than the minimum
	StateAtMax       = "AtMax"       // the load asks for more than the maximum
	StateSoldOut     = "SoldOut"     // the elastic provider has no stock
	StateStale       = "Stale"       // the readings are too old to act on
	StateBlind       = "Blind"       // there is no reading
	StateFallback    = "Fallback"    // the readings failed for so long that the fallback holds
	StatePaused      = "Paused"      // somebody paused it
	StateDryRun      = "DryRun"      // decisions are not applied
	StateConflict    = "Conflict"    // somebody else scales the target
	StateRefused     = "Refused"     // a write was refused
	StateBroken      = "Broken"      // the spec is not understood, or the target is not there
)

// LoadStatus is one load's reading behind the last change.
type LoadStatus struct {
	// Name of the load.
	Name string `json:"name"`
	// Value is the last good value.
	Value string `json:"value,omitempty"`
	// ObservedAt is when that value was true.
	ObservedAt *metav1.Time `json:"observedAt,omitempty"`
	// State is Pending, Fresh, Stale, Failed or Invalid.
	State string `json:"state"`
	// Message says what is wrong, and of a fresh value what it leaves out.
	Message string `json:"message,omitempty"`
}

// Move is a change of replicas that cusme made.
type Move struct {
	// At is when the replicas were written.
	At metav1.Time `json:"at"`
	// From is the number of replicas before.
	From int32 `json:"from"`
	// To is the number of replicas written.
	To int32 `json:"to"`
	// Why is the ledger in one sentence: what the load asked for, but which rules tempered it.
	Why string `json:"why"`
}

// Account sums up since the LoadScaler began.
type Account struct {
	// Until is up to when the account is complete.
	Until *metav1.Time `json:"until,omitempty"`
	// ElasticSeconds is for how long elastic pods were billed, of all pods together.
	ElasticSeconds int64 `json:"elasticSeconds,omitempty"`
	// ProtectedSeconds is for how long protected pods held back a scale-in.
	ProtectedSeconds int64 `json:"protectedSeconds,omitempty"`
	// RemovedPods is how many pods cusme's scale-ins took.
	RemovedPods int64 `json:"removedPods,omitempty"`
	// MissedPods is how many of these were not the ones chosen.
	MissedPods int64 `json:"missedPods,omitempty"`
	// YoungPods counts the pods that went before their age, by what made them go.
	YoungPods YoungPods `json:"youngPods,omitzero"`
}

// YoungPods counts pods that went before their age.
type YoungPods struct {
	// Cusme took them by a scale-in of its own.
	Cusme int64 `json:"cusme,omitempty"`
	// Rollout replaced their ReplicaSet.
	Rollout int64 `json:"rollout,omitempty"`
	// Eviction took them: a drain, a preemption, a spot reclaim.
	Eviction int64 `json:"eviction,omitempty"`
	// Outside is anybody else, such as kubectl delete.
	Outside int64 `json:"outside,omitempty"`
}

// Reason is one step's line in the ledger of a decision.
type Reason struct {
	// Step that spoke, such as demand or young.
	Step string `json:"step"`
	// From is the number of replicas wanted before the step.
	From int32 `json:"from"`
	// To is the number of replicas wanted after it.
	To int32 `json:"to"`
	// Why is its sentence.
	Why string `json:"why"`
}

// Condition types of a LoadScaler.
const (
	// ConditionReady is True when the spec is understood and the target exists.
	ConditionReady = "Ready"
	// ConditionScalingActive is True when decisions rest on a fresh reading.
	ConditionScalingActive = "ScalingActive"
	// ConditionAbleToScale is True when the last write of replicas was accepted, or none was needed.
	ConditionAbleToScale = "AbleToScale"
	// ConditionScalingLimited is True when a rule other than the load sets the number of replicas.
	ConditionScalingLimited = "ScalingLimited"
	// ConditionReadingsFresh is True when every load's reading is fresh.
	ConditionReadingsFresh = "ReadingsFresh"
	// ConditionSteerable is True when cusme chooses which pods a scale-in removes.
	ConditionSteerable = "Steerable"
	// ConditionElasticCapacity is True unless the elastic provider has no stock for the pods asked for.
	ConditionElasticCapacity = "ElasticCapacity"
	// ConditionSecretsReadable is there once a right to read a Secret was missing, and False while it is: its message then
	// is a manifest that grants it.
	ConditionSecretsReadable = "SecretsReadable"
)
