package simulate

import (
	"fmt"
	"math"
	"time"
)

// Defaults of Datadog's WatermarkPodAutoscaler, from
// apis/datadoghq/v1alpha1/watermarkpodautoscaler_default.go.
const (
	watermarkSync      = 15 * time.Second
	watermarkTolerance = 0.1
	watermarkUpPause   = time.Minute     // since the last move in either direction
	watermarkDownPause = 5 * time.Minute // likewise
	watermarkUpMost    = 50              // % of the replicas, at least 1
	watermarkDownMost  = 20              // likewise
)

// Watermark is Datadog's WatermarkPodAutoscaler with the algorithm absolute:
// it goes to the nearer watermark from outside of both, in steps with pauses.
// It takes no index of 0 for a reason to move, knows nothing between none and
// one replica, and so keeps at least one.
func Watermark(high, low float64) Contender {
	return Contender{
		Name:  fmt.Sprintf("Datadog WPA %v/%v", high, low),
		Every: watermarkSync,
		New: func(w World) Policy {
			return &watermark{signal: signal{w.Total}, high: high, low: low, least: max(1, w.Min)}
		},
	}
}

// watermark is getReplicaCount of controllers/datadoghq/replica_calculator.go
// and shouldScale of watermarkpodautoscaler_controller.go, in our words.
type watermark struct {
	signal
	high, low float64
	least     int32
	moved     time.Time // zero until the first look, which counts as a move
}

// Decide implements Policy.
func (p *watermark) Decide(s *Sight) Move {
	index, known := p.index(s)
	if !known || s.Ready == 0 {
		return Move{Replicas: max(p.least, s.Replicas)}
	}
	want := p.normal(s, p.want(s, milli(index)))
	if !p.moved.IsZero() && !p.mayMove(s, want) {
		return hold(s)
	}
	p.moved = s.Now
	return Move{Replicas: want}
}

// want is what the index, in thousandths, asks for.
func (p *watermark) want(s *Sight, index float64) int32 {
	high, low, ready := milli(p.high), milli(p.low), float64(s.Ready)
	switch {
	case index == 0:
		return s.Ready
	case index > high*(1+watermarkTolerance):
		return max(s.Replicas, int32(math.Ceil(ready*index/high)))
	case index < low*(1-watermarkTolerance):
		return min(s.Replicas, max(1, int32(math.Floor(ready*index/low))))
	default:
		return s.Replicas
	}
}

// normal limits a move to a share of the replicas. Where even that would
// leave more than are ready it is put off.
func (p *watermark) normal(s *Sight, want int32) int32 {
	if down := s.Replicas - most(watermarkDownMost, s.Replicas); want < down {
		want = down
		if s.Ready < want {
			want = s.Replicas
		}
	}
	return max(p.least, min(want, s.Replicas+most(watermarkUpMost, s.Replicas)))
}

func most(percent, replicas int32) int32 { return max(1, percent*replicas/100) }

func (p *watermark) mayMove(s *Sight, want int32) bool {
	since := s.Now.Sub(p.moved)
	return want > s.Replicas && since >= watermarkUpPause || want < s.Replicas && since >= watermarkDownPause
}
