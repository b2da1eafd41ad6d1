// Package journal keeps what was decided of late, within bounds, and tells
// those who follow it: the page, the API behind it, notifications.
package journal

import (
	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// A Turn is one turn of the crank for one LoadScaler, as the controller tells it.
// Nothing in it is to be changed.
type Turn struct {
	// Scaler is the LoadScaler as the watch shows it; its status may lag behind Status.
	Scaler *v1alpha1.LoadScaler
	// Status is what the status says as of this turn, whether it was written or not.
	Status v1alpha1.LoadScalerStatus
	// Tick is the decision; nil when nothing could be decided, which Status explains.
	Tick *scaling.Tick
	// History is what the decision was made with, so that others like it can be asked for.
	History scaling.History
	// News says that a load was read or replicas were written: other turns are brought about by pods and marks, and there are many.
	News bool
}

// A Follower is told of every turn, from several goroutines at a time. It must not wait.
type Follower interface {
	// Turned is called after each turn.
	Turned(Turn)
	// Gone is called when a LoadScaler is gone.
	Gone(types.NamespacedName)
}
