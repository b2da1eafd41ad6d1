package main

import "time"

// A pod is one pod of the Deployment, as the demo shows and counts it.
type pod struct {
	name    string
	created time.Time
	removed time.Time // when its removal was asked for; zero while it was not
	node    string    // empty until it is scheduled
	elastic bool      // its node is a virtual one, paid by the second
	ready   bool
}

func (p pod) leaving() bool { return !p.removed.IsZero() }

// A fleet remembers all pods of the Deployment, those that are gone included.
type fleet struct {
	pods map[string]pod // those that exist
	gone []pod          // removed, or its disappearance, is always set
}

func newFleet() *fleet {
	return &fleet{pods: map[string]pod{}}
}

// see takes the pods that exist at a moment.
func (f *fleet) see(now time.Time, pods []pod) {
	next := map[string]pod{}
	for _, p := range pods {
		next[p.name] = p
	}
	for name, p := range f.pods {
		if _, there := next[name]; there {
			continue
		}
		if !p.leaving() {
			p.removed = now // it went faster than the watch could tell
		}
		f.gone = append(f.gone, p)
	}
	f.pods = next
}

// counts are the pods that exist, by kind; starting ones are not ready yet.
type counts struct {
	ordinary, elastic                 int // ready
	startingOrdinary, startingElastic int
	leaving                           int
}

func (c counts) ready() int    { return c.ordinary + c.elastic }
func (c counts) starting() int { return c.startingOrdinary + c.startingElastic }

func (f *fleet) counts() counts {
	var c counts
	for _, p := range f.pods {
		switch {
		case p.leaving():
			c.leaving++
		case p.ready && p.elastic:
			c.elastic++
		case p.ready:
			c.ordinary++
		case p.elastic:
			c.startingElastic++
		default:
			c.startingOrdinary++
		}
	}
	return c
}

// podTime is how long pods existed, and so were paid for, by kind of node.
func (f *fleet) podTime(now time.Time) (ordinary, elastic time.Duration) {
	add := func(p pod, until time.Time) {
		switch {
		case p.node == "": // nothing is paid for a pod without a node
		case p.elastic:
			elastic += until.Sub(p.created)
		default:
			ordinary += until.Sub(p.created)
		}
	}
	for _, p := range f.gone {
		add(p, p.removed)
	}
	for _, p := range f.pods {
		if p.leaving() {
			add(p, p.removed)
			continue
		}
		add(p, now)
	}
	return ordinary, elastic
}

// youngest is the least age at which a pod was removed; false when none was.
func (f *fleet) youngest() (time.Duration, bool) {
	var least time.Duration
	found := false
	look := func(p pod) {
		if age := p.removed.Sub(p.created); p.leaving() && (!found || age < least) {
			least, found = age, true
		}
	}
	for _, p := range f.gone {
		look(p)
	}
	for _, p := range f.pods {
		look(p)
	}
	return least, found
}
