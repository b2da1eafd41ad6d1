package target

import (
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
		"settled":                                 {settled, 1, ""},
		"asleep":                                  {appsv1.DeploymentStatus{ObservedGeneration: 5}, 0, ""},
		"growing, its pods not created yet":       {appsv1.DeploymentStatus{ObservedGeneration: 5, Replicas: 1, UpdatedReplicas: 1}, 1, ""},
		"old pods are still there":                {settled, 2, "a rollout with 2 live ReplicaSets"},
		"begun, no new pod yet":                   {appsv1.DeploymentStatus{ObservedGeneration: 5, Replicas: 4}, 1, "a rollout that updated 0 of 4 replicas"},
		"its controller has not looked yet":       {appsv1.DeploymentStatus{ObservedGeneration: 4, Replicas: 4, UpdatedReplicas: 4}, 1, "a Deployment controller that has yet to see generation 5"},
		"both live, and the controller is behind": {appsv1.DeploymentStatus{ObservedGeneration: 4, Replicas: 4, UpdatedReplicas: 4}, 3, "a rollout with 3 live ReplicaSets"},
	} {
		d := &appsv1.Deployment{Status: c.status}
		d.Generation = 5
		if got := rollout(d, c.live); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
