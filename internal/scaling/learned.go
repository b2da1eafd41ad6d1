package scaling

import "time"

// Learned is what a target's past taught, and what a restart is not to forget.
// It is a value: what is added makes a new one.
type Learned struct {
	// Ordinary and Elastic are how long pods on such nodes took to start.
	Ordinary, Elastic Starts
	// Started is when the newest of these pods became ready; zero when there is none.
	Started time.Time
	// Objective is what the objective estimates of each load, by the load's name. It is never changed in place.
	Objective map[string]Estimates
	// Profile is what the hours of the week needed.
	Profile Profile
}

// Estimates are numbers by what they are of, such as a service time in seconds.
// What is kept of them are at most 8 for each of at most 4 loads, under names of
// at most 16 letters, with six digits: no Unix times. What comes back after a
// restart is finite, and may be anything else; it is of the time up to which the Account is complete.
type Estimates map[string]float64

// of returns the starts of one kind.
func (l Learned) of(elastic bool) Starts {
	if elastic {
		return l.Elastic
	}
	return l.Ordinary
}

// with returns what is learned once the starts of pods are over.
func (l Learned) with(pods []*Pod) Learned {
	var ordinary, elastic []time.Duration
	for _, p := range pods {
		took := p.ReadySince.Sub(p.Created)
		if p.Elastic {
			elastic = append(elastic, took)
		} else {
			ordinary = append(ordinary, took)
		}
		l.Started = later(l.Started, p.ReadySince)
	}
	l.Ordinary, l.Elastic = l.Ordinary.with(ordinary...), l.Elastic.with(elastic...)
	return l
}
