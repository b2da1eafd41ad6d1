package target

import (
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

func TestRollout(t *testing.T) {
	settled := appsv1.DeploymentStatus{ObservedGeneration: 5, Replicas: 4, UpdatedReplicas: 4}
	for name, c := range map[string]struct {
		status appsv1.DeploymentStatus
		live   int
		want   string
	}{
		"settled":                           {settled, 1, ""},
		"asleep":                            {appsv1.DeploymentStatus{ObservedGeneration: 5}, 0, ""},
		"growing, its pods not created yet": {appsv1.DeploymentStatus{ObservedGeneration: 5, Replicas: 1, UpdatedReplicas: 1}, 1, ""},
		"old pods are still there":          {settled, 2, "a rollout with 2 live ReplicaSets"},
		"begun, no new pod yet":             {appsv1.DeploymentStatus{ObservedGeneration: 5, Replicas: 4}, 1, "a rollout that updated 0 of 4 replicas"},
	} {
		d := &appsv1.Deployment{Status: c.status}
		d.Generation = 5
		if got := rollout(d, c.live); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestNothingIsSeenBeforeTheDeploymentControllerLooked(t *testing.T) {
	d := &appsv1.Deployment{}
	d.Generation = 5
	for observed, behind := range map[int64]bool{0: true, 4: true, 5: false} {
		d.Status.ObservedGeneration = observed
		if err := acknowledged(d); errors.Is(err, ErrBehind) != behind {
			t.Errorf("observed generation %d of 5: %v, want ErrBehind %t", observed, err, behind)
		}
	}
}
