package simulate

import (
	"fmt"
	"math"
	"time"
)

// Defaults of AIBrix' PodAutoscaler, from pkg/controller/podautoscaler/context/context.go
// and podautoscaler_controller.go.
const (
	aibrixTick      = 10 * time.Second
	aibrixWindow    = 3 * time.Minute
	aibrixMemory    = 5 * time.Minute
	aibrixTolerance = 0.1
	aibrixRate      = 2 // most times as many, and least as a divisor
)

// AIBrix is AIBrix' own policy, APA: the index' average of three minutes over
// the target, times all replicas, ready or not. Its memory of five minutes is
// the other way round than that of HPA: it goes to the lowest number within.
// It cannot leave zero on this signal, and so keeps at least one.
func AIBrix(target float64) Contender {
	return Contender{
		Name:  fmt.Sprintf("AIBrix %v", target),
		Every: aibrixTick,
		New: func(w World) Policy {
			return &aibrix{
				signal: signal{w.Total}, target: target, least: max(1, w.Min), most: w.Max,
				indexes: window{span: aibrixWindow}, asked: window{span: aibrixMemory},
			}
		},
	}
}

// aibrix is computeTargetReplicas of pkg/controller/podautoscaler/algorithm/apa.go
// and stabilizeRecommendation of podautoscaler_controller.go, in our words.
type aibrix struct {
	signal
	target         float64
	least, most    int32
	indexes, asked window
}

// Decide implements Policy.
func (a *aibrix) Decide(s *Sight) Move {
	index, known := a.index(s)
	if !known {
		return hold(s)
	}
	a.indexes.add(s.Now, index)
	want := min(max(a.want(s.Replicas, mean(a.indexes.samples)), a.least), a.most)
	a.asked.add(s.Now, float64(want))
	if want < s.Replicas {
		want = int32(lowest(a.asked.samples))
	}
	return Move{Replicas: want}
}

// want is what an average index asks for.
func (a *aibrix) want(replicas int32, index float64) int32 {
	now, usage := float64(replicas), index/a.target
	switch {
	case usage > 1+aibrixTolerance:
		return int32(min(math.Ceil(now*usage), math.Ceil(now*aibrixRate)))
	case usage < 1-aibrixTolerance:
		return int32(max(math.Ceil(now*usage), math.Floor(now/aibrixRate)))
	default:
		return replicas
	}
}
