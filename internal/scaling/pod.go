package scaling

import "time"

// A Pod is what a decision needs to know of one pod of the target.
type Pod struct {
	Name string
	UID  string
	// Node is the node it is assigned to; empty while it is not.
	Node  string
	Phase Phase
	Ready bool
	// ReadySince is when it last became ready; zero unless Ready.
	ReadySince time.Time
	// UnreadySince is when it was last found not to be ready; zero while Ready, or while nobody looked.
	UnreadySince time.Time
	Created      time.Time
	// Restarts is the highest restart count among its containers, and
	// SidecarRestarts among its restartable init containers.
	Restarts, SidecarRestarts int32
	// Ordinal is its number in a StatefulSet, counted from the set's first; 0 elsewhere.
	Ordinal int32
	// Cost is its controller.kubernetes.io/pod-deletion-cost.
	Cost int32
	// Marked says that Cost is cusme's own, set for a scale-in.
	Marked bool
	// Busy says whether it works on a request, as far as that is known.
	Busy Busy
	// Broken says why it cannot serve, such as CrashLoopBackOff; empty when nothing says so.
	Broken string
	// SoldOut is the provider's own message when it had no stock to run this pod; empty otherwise.
	SoldOut string
	// Doomed says what will soon take it away, such as a spot reclaim; empty
	// otherwise. It may serve until then, and is not counted on.
	Doomed string
	// Evicted says of a doomed pod that it goes at once. Its own controller
	// replaces it as it goes, so that nothing has to make up for it.
	Evicted bool
	// Elastic says that it runs on an elastic node, paid by the second.
	Elastic bool
	// Outdated says that a rollout is to replace it: it was made from a template that is not the newest.
	Outdated bool
	// Leaving says that it is being deleted, or has ended: it is neither capacity nor a victim.
	Leaving bool
	// Ended says that all its containers have, for good: it costs nothing any more.
	Ended bool
}

// MarkedCost is the deletion cost of pods that are to go: just below 0, which
// is what pods without a cost count as.
const MarkedCost = -1

// Busy is whether a pod works on a request. The zero value says that nobody knows.
type Busy string

const (
	Idle    Busy = "Idle"
	Working Busy = "Busy"
)

// Phase is a pod's phase, as far as the order of removal tells phases apart.
type Phase string

const (
	PhasePending Phase = "Pending"
	PhaseUnknown Phase = "Unknown"
	PhaseRunning Phase = "Running"
)
