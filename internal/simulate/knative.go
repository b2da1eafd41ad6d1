package simulate

import (
	"fmt"
	"math"
	"time"
)

// Defaults of Knative's autoscaler, from config/core/configmaps/autoscaler.yaml.
const (
	knativeTick        = 2 * time.Second
	knativeStable      = time.Minute
	knativePanic       = 6 * time.Second // 10 % of the stable window
	knativeThreshold   = 2               // what is wanted, over what is ready, from which it panics
	knativeUpMost      = 1000            // times the ready pods
	knativeDownMost    = 2               // likewise, as a divisor
	knativeToZeroGrace = 30 * time.Second
)

// Knative is the autoscaler of Knative Serving (KPA) on the requests that
// queue and run: averages of a minute, or of the last six seconds while those
// ask for twice the pods that are ready. Then nothing shrinks for a minute.
// At zero its activator sees the first request, here by the next tick.
func Knative(target float64) Contender {
	return Contender{
		Name:  fmt.Sprintf("Knative %v", target),
		Every: knativeTick,
		New: func(w World) Policy {
			return &knative{signal: signal{w.Total}, target: target, toZero: w.Min == 0, totals: window{span: knativeStable}}
		},
	}
}

// knative is Scale of pkg/autoscaler/scaling/autoscaler.go and
// handleScaleToZero of pkg/reconciler/autoscaling/kpa/scaler.go, in our words.
type knative struct {
	signal
	target float64
	toZero bool
	totals window
	began  bool
	panics time.Time // the newest moment that was a reason to panic; zero when calm
	most   int32     // wanted since it panics
	active time.Time // since when pods serve; zero while there are none
	idle   time.Time // since when nothing is wanted, after a stable window; zero before
}

// Decide implements Policy.
func (k *knative) Decide(s *Sight) Move {
	if total, known := k.sum(s); known {
		k.totals.add(s.Now, total)
	}
	stable := k.totals.since(s.Now.Add(-knativeStable))
	if len(stable) == 0 {
		return hold(s)
	}
	recent := k.totals.since(s.Now.Add(-knativePanic))
	if len(recent) == 0 {
		recent = stable[len(stable)-1:]
	}
	want := k.want(s, mean(stable), mean(recent))
	if k.toZero {
		want = k.zero(s, want)
	}
	return Move{Replicas: want}
}

// want is what the averages of the two windows ask for.
func (k *knative) want(s *Sight, stable, recent float64) int32 {
	k.begin(s)
	ready := ready(s)
	limit := func(v float64) int32 {
		return int32(min(max(v, math.Floor(ready/knativeDownMost)), knativeUpMost*ready))
	}
	calm, hasty := math.Ceil(stable/k.target), math.Ceil(recent/k.target)
	switch over := hasty/ready >= knativeThreshold; {
	case over:
		k.panics = s.Now
	case !k.panics.IsZero() && s.Now.Sub(k.panics) > knativeStable:
		k.panics, k.most = time.Time{}, 0
	}
	if k.panics.IsZero() {
		return limit(calm)
	}
	k.most = max(k.most, limit(calm), limit(hasty))
	return k.most
}

// begin panics where there is more than one pod already: what was seen is
// lost, and must not look like a quiet minute.
func (k *knative) begin(s *Sight) {
	if k.began {
		return
	}
	k.began, k.most = true, s.Ready
	if s.Ready > 1 {
		k.panics = s.Now
	}
}

// zero lets the last pod go once it has served for a stable window and then
// nothing was wanted for the grace time.
func (k *knative) zero(s *Sight, want int32) int32 {
	switch {
	case s.Replicas == 0:
		k.active = time.Time{}
	case k.active.IsZero() && s.Ready > 0:
		k.active = s.Now
	}
	if want > 0 {
		k.idle = time.Time{}
		return want
	}
	switch {
	case s.Replicas == 0:
		return 0
	case k.active.IsZero():
		return s.Replicas
	case s.Now.Sub(k.active) < knativeStable:
		return 1
	case k.idle.IsZero():
		k.idle = s.Now
	case s.Now.Sub(k.idle) >= knativeToZeroGrace:
		k.idle = time.Time{}
		return 0
	}
	return s.Replicas
}
