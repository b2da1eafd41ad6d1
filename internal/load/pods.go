package load

import (
	"fmt"

	"cusme.dev/cusme/api/v1alpha1"
)

// A Pod is one of a target's pods as loads are read from it.
type Pod struct {
	Name string
	// Address is the pod's IP, of either family; empty as long as it has none.
	Address string
	// Ready pods are asked.
	Ready bool
}

// SeePods tells which pods a scaler's target has. The first time, loads that
// are read from pods are asked at once.
func (r *Readings) SeePods(scaler string, pods []Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.scalers[scaler] != nil {
		r.rosters[scaler] = pods
	}
}

// roster returns the pods that were seen last.
func (r *Readings) roster(scaler string) ([]Pod, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pods, known := r.rosters[scaler]
	return pods, known
}

func openPods(_ place, field string, _ v1alpha1.PodsSource) (Source, error) {
	return Source{}, fmt.Errorf("%s: pods are not asked yet", field)
}
