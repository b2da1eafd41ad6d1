package simulate

import (
	"fmt"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// Defaults of KEDA's ScaledObject; the activation threshold is 0.
const (
	kedaPoll     = 30 * time.Second
	kedaCooldown = 5 * time.Minute
)

// KEDA is a ScaledObject with metricType Value: KEDA itself goes between no
// replica and one, and a HorizontalPodAutoscaler does the rest. Where at least
// one replica always stays it does what HPA does.
func KEDA(target float64) Contender {
	return Contender{
		Name:  fmt.Sprintf("KEDA %v", target),
		Every: hpaSync,
		New:   func(w World) Policy { return &keda{hpa: newHPA(w, target), toZero: w.Min == 0} },
	}
}

// keda is RequestScale of pkg/scaling/executor/scale_scaledobjects.go, and
// GenerateMetricInMili of pkg/scalers/scaler.go, in our words.
type keda struct {
	*hpa
	toZero         bool
	polled, active time.Time
}

// Decide implements Policy.
func (k *keda) Decide(s *Sight) Move {
	if s.Reading.Problem == scaling.Invalid {
		nothing := *s
		nothing.Reading = scaling.Reading{At: s.Now}
		s = &nothing
	}
	index, known := k.index(s)
	if !known {
		return hold(s)
	}
	polls := s.Now.Sub(k.polled) >= kedaPoll
	if polls {
		k.polled = s.Now
		if index > 0 {
			k.active = s.Now
		}
	}
	switch {
	case s.Replicas == 0 && polls && index > 0:
		return Move{Replicas: 1}
	case s.Replicas == 0:
		return hold(s)
	case k.toZero && polls && index == 0 && s.Now.Sub(k.active) > kedaCooldown:
		return Move{Replicas: 0}
	default:
		return Move{Replicas: max(1, k.hpa.Decide(s).Replicas)}
	}
}
