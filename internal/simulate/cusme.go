package simulate

import "cusme.dev/cusme/internal/scaling"

// Cusme is cusme itself under a policy of one load: what the controller would decide.
func Cusme(name string, p scaling.Policy) Contender {
	return Contender{Name: name, New: func(World) Policy { return &cusme{policy: p} }}
}

type cusme struct {
	policy  scaling.Policy
	history scaling.History
}

func (c *cusme) Decide(s *Sight) Move {
	s.Reading.Load = c.policy.Loads[0].Name
	o := scaling.Observation{Now: s.Now, Readings: []scaling.Reading{s.Reading}, Replicas: s.Replicas, Pods: s.Pods(), Order: scaling.OrderCost}
	d := scaling.Decide(o, c.policy, c.history)
	c.history = c.history.After(o, d)
	if d.Replicas != o.Replicas {
		c.history = c.history.Moved(o, d)
	}
	return Move{Replicas: d.Replicas, Mark: d.Mark, Decision: &d}
}
