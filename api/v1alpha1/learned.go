package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Learned is what a target's past taught. Numbers and durations are text: what
// somebody else writes here must not keep a LoadScaler from being read.
type Learned struct {
	// StartUp is how long the target's pods take from their creation to their first readiness.
	StartUp LearnedStartUp `json:"startUp,omitzero"`
	// Objective is what the objective estimates, of at most 4 loads.
	//
	// +listType=map
	// +listMapKey=load
	Objective []LearnedLoad `json:"objective,omitempty"`
	// Profile is what the hours of the week needed.
	Profile *LearnedProfile `json:"profile,omitempty"`
}

// LearnedProfile is what the hours of the week needed, and how right that was about rises.
type LearnedProfile struct {
	// Since is when it began.
	Since *metav1.Time `json:"since,omitempty"`
	// Week holds the mean replicas needed in each half hour of each day, from Monday on and from 0:00 on; - where nothing
	// was seen yet.
	//
	// +listType=atomic
	Week []string `json:"week,omitempty"`
	// Score is how right it was, over weeks (rises, foretold, off, waiting) and lately (lateRises and so on): how many rises
	// it foretold, how many replicas that were, and by how many it and the load alone were off. Older ones count less.
	Score map[string]string `json:"score,omitempty"`
}

// LearnedStartUp is how long pods take to start, by the kind of their node.
type LearnedStartUp struct {
	// Ordinary is of pods on ordinary nodes.
	Ordinary *StartUp `json:"ordinary,omitempty"`
	// Elastic is of pods on elastic nodes.
	Elastic *StartUp `json:"elastic,omitempty"`
	// NewestAt is when the newest of these pods became ready.
	NewestAt *metav1.Time `json:"newestAt,omitempty"`
}

// StartUp sums up the last starts of one kind.
type StartUp struct {
	// P50 is within how long half of them were over, such as 1m5s. A newer start counts more.
	P50 string `json:"p50,omitempty"`
	// P95 is within how long 95 % of them were over.
	P95 string `json:"p95,omitempty"`
	// Seen is how many starts this rests on, at most 50. Below 10 nothing is decided by it.
	Seen int32 `json:"seen,omitempty"`
	// Took is how long each took, in seconds, newest last. The other fields are made of it.
	Took string `json:"took,omitempty"`
}

// LearnedLoad is what the objective estimates of one load.
type LearnedLoad struct {
	// Load is the load's name.
	Load string `json:"load"`
	// Estimates are numbers by what they are of, such as serviceSeconds: "34.2".
	Estimates map[string]string `json:"estimates,omitempty"`
}

// IsZero reports whether nothing was learned.
func (l Learned) IsZero() bool {
	return l.StartUp.Ordinary == nil && l.StartUp.Elastic == nil && len(l.Objective) == 0 && l.Profile == nil
}
