package simulate

import (
	"testing"
	"time"
)

// Numbers of TestReplicaCalcAbsoluteScale… in Datadog's controllers/datadoghq/replica_calculator_test.go
// at 05119ca: a high watermark of 40, a low one of 20. The tolerance does not matter to them.
func TestWatermarkCalculates(t *testing.T) {
	for _, c := range []struct {
		name            string
		replicas, ready int32
		usage           float64
		want            int32
	}{
		{"AbsoluteScaleUp", 3, 3, 270, 21},
		{"AbsoluteScaleDown", 3, 3, 12, 1},
		{"AbsoluteScaleDownLessScale", 3, 3, 15, 2},
		{"AbsoluteScaleUpPendingLessScale", 3, 2, 120, 6},
		{"AbsoluteScaleUpPendingLessScaleExtraReplica", 3, 2, 120.001, 7},
		{"AbsoluteScaleUpPendingNoScale", 3, 1, 40, 3},
		{"within the tolerance above", 3, 3, 44, 3},
		{"beyond it", 3, 3, 44.001, 4},
		{"within the tolerance below", 3, 3, 18, 3},
		{"beyond it", 3, 3, 17.999, 2},
		{"nothing is no reason", 3, 3, 0, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Watermark(40, 20).New(everywhere()).(*watermark)
			if got := p.want(starting(0, c.usage, c.replicas, c.replicas-c.ready), milli(c.usage)); got != c.want {
				t.Errorf("expected %d, got %d", c.want, got)
			}
		})
	}
}

// Numbers of TestConvertDesiredReplicasWithRules and of the tests of both limits in
// Datadog's controllers/datadoghq/watermarkpodautoscaler_controller_test.go at 599c553.
func TestWatermarkCaps(t *testing.T) {
	if got := 423 - most(73, 423); got != 115 {
		t.Errorf("73 %% off 423: expected 115, got %d", got)
	}
	if got := 50 - most(10, 50); got != 45 {
		t.Errorf("10 %% off 50: expected 45, got %d", got)
	}
	p := Watermark(0.8, 0.5).New(everywhere()).(*watermark)
	for _, c := range []struct {
		name                  string
		replicas, ready, want int32
		capped                int32
	}{
		{"half as many more", 10, 10, 40, 15},
		{"one more at least", 1, 1, 40, 2},
		{"a fifth less", 10, 10, 1, 8},
		{"one less at least", 3, 3, 1, 2},
		{"not below what is ready", 10, 5, 1, 10},
		{"never below the minimum", 1, 1, 0, 1},
	} {
		if got := p.normal(starting(0, 0, c.replicas, c.replicas-c.ready), c.want); got != c.capped {
			t.Errorf("%s: expected %d, got %d", c.name, c.capped, got)
		}
	}
}

func TestWatermarkPauses(t *testing.T) {
	p, w := Watermark(0.8, 0.5).New(everywhere()), everywhere()
	for i, c := range []struct {
		at             time.Duration
		index          float64
		replicas, want int32
	}{
		{0, 2, 4, 6},
		{45 * time.Second, 2, 6, 6},
		{60 * time.Second, 2, 6, 9},
		{5 * time.Minute, 0.1, 9, 9},
		{6 * time.Minute, 0.1, 9, 8},
		{7 * time.Minute, 2, 8, 12}, // up again a minute later
		{20 * time.Minute, 0, 12, 12},
	} {
		if got := look(p, w, sight(c.at, c.index, c.replicas)); got != c.want {
			t.Fatalf("look %d: expected %d, got %d", i+1, c.want, got)
		}
	}
}
