package simulate

import (
	"testing"
	"time"
)

// Numbers of TestAPAAlgorithm_ComputeTargetReplicas in AIBrix' pkg/controller/podautoscaler/algorithm/apa_test.go at 2aff67a.
func TestAIBrixCalculates(t *testing.T) {
	for _, c := range []struct {
		name     string
		replicas int32
		usage    float64
		want     int32
	}{
		{"basic_scale_up", 2, 45, 3},
		{"scale_up_upto_ceiling", 2, 35, 3},
		{"scale_up_upto_max_scale_up", 2, 90, 4},
		{"basic_scale_down", 6, 20, 4},
		{"scale_down_upto_ceiling", 6, 18, 4},
		{"scale_down_upto_max_scale_down", 6, 10, 3},
		{"no_scaling_as_within_up_tolerance", 2, 33, 2},
		{"no_scaling_as_within_down_tolerance", 2, 27, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := AIBrix(30).New(everywhere()).(*aibrix)
			if got := a.want(c.replicas, c.usage); got != c.want {
				t.Errorf("expected %d, got %d", c.want, got)
			}
		})
	}
}

// What was lowest within five minutes is gone back to at the next reason to shrink.
func TestAIBrixRemembersTheDeepestDip(t *testing.T) {
	a := AIBrix(1).New(everywhere()).(*aibrix)
	a.indexes.span = aibrixTick // no average: the asked ones are the point
	for i, c := range []struct {
		index float64
		want  int32
	}{
		{1, 10}, {1, 10}, {0.3, 5}, {0.89, 5}, {0.8, 5},
	} {
		if got := a.Decide(sight(time.Duration(i)*aibrixTick, c.index, 10)).Replicas; got != c.want {
			t.Fatalf("look %d: expected %d, got %d", i+1, c.want, got)
		}
	}
}
