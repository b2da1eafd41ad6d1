package simulate

import (
	"fmt"
	"math"
	"time"
)

// Defaults of Kubernetes' HorizontalPodAutoscaler without a behavior, from
// pkg/controller/podautoscaler/config/v1alpha1/defaults.go in 1.37.
const (
	hpaSync      = 15 * time.Second
	hpaWindow    = 5 * time.Minute
	hpaTolerance = 0.1
)

// HPA is a HorizontalPodAutoscaler on an external metric of target type
// Value: the load for each ready pod is to be the target. Pods that are not
// ready yet count for nothing.
func HPA(target float64) Contender {
	return Contender{
		Name:  fmt.Sprintf("HPA %v", target),
		Every: hpaSync,
		New:   func(w World) Policy { return newHPA(w, target) },
	}
}

// HPAAverage is a HorizontalPodAutoscaler on an external metric of target
// type AverageValue: the load of all pods together, divided by the replicas,
// is to be the target.
func HPAAverage(target float64) Contender {
	return Contender{
		Name:  fmt.Sprintf("HPA average %v", target),
		Every: hpaSync,
		New: func(w World) Policy {
			h := newHPA(w, target)
			h.average = true
			return h
		},
	}
}

// hpa is computeReplicasForMetric and normalizeDesiredReplicas of
// pkg/controller/podautoscaler/horizontal.go, in our words.
type hpa struct {
	signal
	target  float64 // in thousandths
	average bool
	asked   window
}

func newHPA(w World, target float64) *hpa {
	return &hpa{signal: signal{w.Total}, target: milli(target), asked: window{span: hpaWindow}}
}

// Decide implements Policy.
func (h *hpa) Decide(s *Sight) Move {
	want, known := h.want(s)
	if !known {
		return hold(s)
	}
	return Move{Replicas: h.temper(s, want)}
}

// want is what the metric alone asks for.
func (h *hpa) want(s *Sight) (int32, bool) {
	if h.average {
		sum, known := h.sum(s)
		return h.perReplica(s.Replicas, milli(sum)), known
	}
	index, known := h.index(s)
	return h.value(s, milli(index)), known
}

func (h *hpa) value(s *Sight, index float64) int32 {
	usage := index / h.target
	switch {
	case s.Replicas == 0:
		return int32(math.Ceil(usage))
	case math.Abs(usage-1) <= hpaTolerance:
		return s.Replicas
	default:
		return int32(math.Ceil(usage * float64(s.Ready)))
	}
}

func (h *hpa) perReplica(replicas int32, sum float64) int32 {
	if replicas > 0 && math.Abs(sum/(h.target*float64(replicas))-1) <= hpaTolerance {
		return replicas
	}
	return int32(math.Ceil(sum / h.target))
}

// temper goes to the most that was asked for within the window, also where
// that is over by now, and no further than twice the replicas at once, or 4. The
// window begins with the number that was found.
func (h *hpa) temper(s *Sight, want int32) int32 {
	if len(h.asked.samples) == 0 {
		h.asked.add(s.Now, float64(s.Replicas))
	}
	h.asked.add(s.Now, float64(want))
	return min(int32(highest(h.asked.samples)), max(2*s.Replicas, 4))
}
