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
	// Cost is its controller.kubernetes.io/pod-deletion-cost.
	Cost int32
	// Broken says why it cannot serve, such as CrashLoopBackOff; empty when nothing says so.
	Broken string
	// Elastic says that it runs on an elastic node, paid by the second.
	Elastic bool
	// Leaving says that it is being deleted, or has ended: it is neither capacity nor a victim.
	Leaving bool
}

// Phase is a pod's phase, as far as the order of removal tells phases apart.
type Phase string

const (
	PhasePending Phase = "Pending"
	PhaseUnknown Phase = "Unknown"
	PhaseRunning Phase = "Running"
)
