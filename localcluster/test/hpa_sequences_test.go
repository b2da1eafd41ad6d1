package test

import (
	"math"
	"math/rand/v2"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// perReplica is the target of every HorizontalPodAutoscaler here: a load of 80 asks for 8.
const perReplica = 10

// A load is the total load after so long.
type load func(since time.Duration) int

// A sequence is one HorizontalPodAutoscaler's behavior and its load.
type sequence struct {
	name     string
	from     int32 // replicas at the start
	up, down *autoscalingv2.HPAScalingRules
	load     load
	// ups and downs are the fewest moves without which it would prove nothing.
	ups, downs int
	// forgets marks the one known difference, see hpaMoves.
	forgets bool
}

func sequences() []sequence {
	free := rules(0)
	return []sequence{
		{name: "defaults", from: 2, up: &autoscalingv2.HPAScalingRules{}, down: &autoscalingv2.HPAScalingRules{}, load: steps(6, 30, 95, 160, 60, 500), ups: 1},
		{name: "down-window", from: 4, up: free, down: rules(10), load: steps(3, 90, 40, 60, 30, 30, 30, 30, 80, 20), ups: 1, downs: 1},
		{name: "up-window", from: 4, up: rules(8), down: free, load: steps(3, 90, 100, 60, 30, 90, 95, 120, 130, 130, 20), ups: 1, downs: 1},
		{name: "both-windows", from: 6, up: rules(5), down: rules(7), load: walk(1, 80, 25), ups: 1, downs: 1},
		{name: "pods-up", from: 3, up: rules(0, podsPer(2, 5)), down: free, load: steps(12, 90, 15, 150, 30), ups: 1, downs: 1},
		{name: "percent-up", from: 1, up: rules(0, percentPer(10, 3)), down: rules(0, percentPer(60, 3)), load: steps(20, 300, 10, 300), ups: 1, downs: 1},
		{name: "max-of-both", from: 2, up: choose("Max", rules(0, podsPer(3, 4), percentPer(50, 4))), down: choose("Max", rules(0, podsPer(2, 3), percentPer(20, 3))), load: steps(17, 400, 20, 200), ups: 1, downs: 1},
		{name: "min-of-both", from: 2, up: choose("Min", rules(0, podsPer(3, 4), percentPer(50, 4))), down: choose("Min", rules(0, podsPer(2, 3), percentPer(20, 3))), load: steps(17, 400, 20, 200), ups: 1, downs: 1},
		{name: "percent-down", from: 33, up: rules(0, percentPer(900, 4)), down: rules(0, percentPer(30, 4)), load: steps(18, 10, 330, 60), ups: 1, downs: 1},
		{name: "up-disabled", from: 40, up: choose("Disabled", rules(0)), down: rules(2), load: steps(4, 350, 400, 270, 290, 200, 150, 310, 120, 60, 90, 20), downs: 1},
		{name: "down-disabled", from: 1, up: rules(2), down: choose("Disabled", rules(0)), load: steps(4, 20, 40, 10, 60, 100, 30, 150, 200, 120, 260, 300), ups: 1},
		{name: "several-periods", from: 5, up: choose("Min", rules(0, podsPer(2, 3), podsPer(5, 12))), down: choose("Max", rules(0, podsPer(1, 2), percentPer(40, 12))), load: steps(13, 220, 20, 300, 40), ups: 1, downs: 1},
		{name: "tolerant-up", from: 8, up: tolerant("300m", rules(0)), down: tolerant("0", rules(0)), load: walk(2, 80, 20), ups: 1, downs: 1},
		{name: "tolerant-down", from: 8, up: tolerant("0", rules(0)), down: tolerant("400m", rules(0)), load: walk(3, 80, 20), ups: 1, downs: 1},
		{name: "oscillating", from: 5, up: rules(0, podsPer(6, 5)), down: rules(3, percentPer(50, 5)), load: wave(4*time.Second, 20, 140), ups: 1, downs: 1},
		{name: "everything", from: 10, up: choose("Min", rules(2, podsPer(4, 3), percentPer(100, 6))), down: choose("Max", rules(4, podsPer(1, 2), percentPer(25, 6))), load: walk(4, 100, 70), ups: 1, downs: 1},
		{name: "forgets", from: 4, up: rules(0, podsPer(2, 2)), down: rules(0, podsPer(1, 20)), load: steps(12, 200, 10, 250, 10), ups: 1, downs: 1, forgets: true},
		{name: "forgets-down", from: 33, up: rules(0), down: rules(0, percentPer(30, 4)), load: steps(18, 10, 330, 60), ups: 1, downs: 1, forgets: true},
	}
}

func rules(window int32, policies ...autoscalingv2.HPAScalingPolicy) *autoscalingv2.HPAScalingRules {
	return &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: &window, Policies: policies}
}

func choose(which autoscalingv2.ScalingPolicySelect, r *autoscalingv2.HPAScalingRules) *autoscalingv2.HPAScalingRules {
	r.SelectPolicy = &which
	return r
}

func tolerant(by string, r *autoscalingv2.HPAScalingRules) *autoscalingv2.HPAScalingRules {
	tolerance := resource.MustParse(by)
	r.Tolerance = &tolerance
	return r
}

func podsPer(n, seconds int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: n, PeriodSeconds: seconds}
}

func percentPer(n, seconds int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: n, PeriodSeconds: seconds}
}

// steps holds each value for so many seconds, and the last one for ever.
func steps(seconds int, values ...int) load {
	return func(since time.Duration) int {
		return values[min(int(since.Seconds())/seconds, len(values)-1)]
	}
}

func wave(period time.Duration, low, high int) load {
	return func(since time.Duration) int {
		turn := 2 * math.Pi * since.Seconds() / period.Seconds()
		return low + int(float64(high-low)*(1-math.Cos(turn))/2)
	}
}

// walk changes by up to stride every second. It does not reach 10: HPA never asks for less than one replica, and this is not about bounds.
func walk(seed uint64, from, stride int) load {
	random := rand.New(rand.NewPCG(seed, seed))
	path := make([]int, 120)
	for i := range path {
		path[i] = from
		from = min(max(from+random.IntN(2*stride+1)-stride, 11), 300)
	}
	return func(since time.Duration) int {
		return path[min(int(since.Seconds()), len(path)-1)]
	}
}
