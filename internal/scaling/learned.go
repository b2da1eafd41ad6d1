package scaling

import "time"

// Learned is what a target's past taught, and what a restart is not to forget.
// It is a value: what is added makes a new one.
type Learned struct {
	// Ordinary and Elastic are how long pods on such nodes took to start.
	Ordinary, Elastic Starts
	// Started is when the newest of these pods became ready; zero when there is none.
	Started time.Time
}

// of returns the starts of one kind.
func (l Learned) of(elastic bool) Starts {
	if elastic {
		return l.Elastic
	}
	return l.Ordinary
}

// with returns what is learned once a pod's start is over.
func (l Learned) with(p Pod) Learned {
	took := p.ReadySince.Sub(p.Created)
	if p.Elastic {
		l.Elastic = l.Elastic.with(took)
	} else {
		l.Ordinary = l.Ordinary.with(took)
	}
	l.Started = later(l.Started, p.ReadySince)
	return l
}
