package simulate

import (
	"strings"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// Original is cusme 1.0.0: an index above 0.8 adds a step, one below 0.5
// takes one, unless any pod is younger than minPodAge. Without an answer it
// believes 0.6. Its faults are left out.
func Original(every time.Duration, step scaling.FixedStep, minPodAge time.Duration) Contender {
	return Contender{
		Name:  "original, every " + minutes(every),
		Every: every,
		New: func(w World) Policy {
			return original{signal: signal{w.Total}, step: step, minPodAge: minPodAge}
		},
	}
}

// minutes writes 5m0s as 5m.
func minutes(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		return strings.TrimSuffix(text, "0s")
	}
	return text
}

type original struct {
	signal
	step      scaling.FixedStep
	minPodAge time.Duration
}

// Decide implements Policy.
func (o original) Decide(s *Sight) Move {
	const high, low = 0.8, 0.5
	switch index, known := o.index(s); {
	case known && index > high:
		return Move{Replicas: s.Replicas + o.step.Up}
	case known && index < low && !o.anyYoung(s):
		return Move{Replicas: max(0, s.Replicas-o.step.Down)}
	default:
		return hold(s)
	}
}

// anyYoung looks at every pod with the target's label, those being removed among them.
func (o original) anyYoung(s *Sight) bool {
	for _, p := range s.Pods() {
		if s.Now.Sub(p.Created) < o.minPodAge {
			return true
		}
	}
	return false
}
