package simulate

import (
	"testing"
	"time"
)

// Numbers of TestAutoscaler… in Knative's pkg/autoscaler/scaling/autoscaler_test.go at 3ec30c4, where the rates
// do not matter to them, or with ours of 1000 and 2.
func TestKnative(t *testing.T) {
	type turn struct {
		at             time.Duration
		ready          int32
		stable, recent float64
		want           int32
	}
	for _, c := range []struct {
		name   string
		target float64
		turns  []turn
	}{
		{"StableModeIncrease", 10, []turn{{0, 1, 50, 10, 5}, {0, 1, 100, 10, 10}}},
		{"StableModeDecrease", 10, []turn{{0, 8, 100, 100, 10}, {61 * time.Second, 8, 50, 50, 5}}},
		{"StableModeNoTrafficScaleToZero", 10, []turn{{0, 1, 1, 0, 1}, {0, 1, 0, 0, 0}}},
		{"UnpanicAfterSlowIncrease", 1, []turn{{0, 10, 11, 25, 25}, {30 * time.Second, 40, 30, 41, 41}, {62 * time.Second, 55, 50, 56, 50}}},
		{"ExtendPanicWindow", 1, []turn{{0, 10, 11, 25, 25}, {30 * time.Second, 40, 30, 80, 80}, {62 * time.Second, 80, 50, 50, 80}}},
		{"PanicModeExponentialTrackAndStabilize", 1, []turn{
			{0, 1, 6, 6, 6}, {0, 6, 36, 36, 36}, {time.Second, 36, 216, 216, 216}, {time.Second, 216, 1296, 1296, 1296}, {2 * time.Second, 1296, 1296, 1296, 1296},
		}},
		{"PanicThenUnPanicScaleDown", 10, []turn{
			{0, 1, 100, 100, 10}, {0, 10, 100, 1000, 100}, {30 * time.Second, 10, 1, 1, 100}, {61 * time.Second, 10, 1, 1, 5},
		}},
		{"RateLimitScaleDown", 10, []turn{{0, 1, 1, 1, 1}, {0, 100, 1, 1, 50}}},
		{"PanicStableLargerThanPanic", 1, []turn{{0, 5, 30, 30, 30}, {5 * time.Second, 5, 50, 30, 50}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := Knative(c.target).New(fromZero()).(*knative)
			for i, turn := range c.turns {
				if got := k.want(sight(turn.at, 0, turn.ready), turn.stable, turn.recent); got != turn.want {
					t.Fatalf("turn %d: expected %d, got %d", i+1, turn.want, got)
				}
			}
		})
	}
}

// TestStartInPanicMode in the same file: with more than one pod it begins in panic, and shrinks nothing for a minute.
func TestKnativeBeginsInPanic(t *testing.T) {
	k := Knative(0.65).New(everywhere())
	for at := time.Duration(0); at <= 2*time.Minute; at += knativeTick {
		want := int32(8)
		if at > time.Minute {
			want = 4
		}
		if got := k.Decide(sight(at, 0, 8)).Replicas; got != want {
			t.Fatalf("after %s: expected %d replicas, got %d", at, want, got)
		}
	}
}

func TestKnativeToZeroAndBack(t *testing.T) {
	w := fromZero()
	k, replicas := Knative(0.65).New(w), int32(1)
	begin := 10 * time.Minute
	for at := time.Duration(0); at <= begin+10*time.Minute; at += knativeTick {
		index := 0.0
		if at <= begin || at >= begin+5*time.Minute {
			index = 0.5
		}
		switch replicas = look(k, w, sight(at, index, replicas)); {
		case at == begin+88*time.Second && replicas != 1:
			t.Fatalf("%s after the last request it has %d replicas; expected one for a window and the grace time", at-begin, replicas)
		case at == begin+94*time.Second && replicas != 0:
			t.Fatalf("%s after the last request it has %d replicas; expected none", at-begin, replicas)
		case at == begin+5*time.Minute && replicas != 1:
			t.Fatalf("with a request it has %d replicas; expected one at once", replicas)
		}
	}
}
