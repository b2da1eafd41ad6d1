package main

import (
	"fmt"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A decider decides on one observation after another, as the controller does
// in a cluster. With a policy and a kind alone it has seen nothing yet.
type decider struct {
	policy  scaling.Policy
	kind    string // of the target
	history scaling.History
	// last is the tick before this one.
	last scaling.Tick
	// pods are those of the last tick, by name.
	pods map[string]scaling.Pod
}

// decide answers one line.
func (d *decider) decide(text []byte) (t scaling.Tick, err error) {
	l, err := parseLine(text)
	if err != nil {
		return t, err
	}
	if t.Observation, err = d.observe(l); err != nil {
		return t, err
	}
	if t.Policy, err = l.bound(d.policy); err != nil {
		return t, err
	}
	d.seeThrough(t.Observation)
	t.Decision = scaling.Decide(t.Observation, t.Policy, d.history)
	d.history = d.history.After(t.Observation, t.Decision)
	d.last = t
	return t, nil
}

// seeThrough notes the last move once the replicas show that it was made. One
// that they do not show was refused, as a write that the API server refuses.
func (d *decider) seeThrough(o scaling.Observation) {
	was, is := d.last.Observation.Replicas, d.last.Decision.Replicas
	if is != was && o.Replicas == is {
		d.history = d.history.Moved(d.last.Observation, d.last.Decision)
	}
}

// observe returns what a line tells, on top of what the lines before it told.
func (d *decider) observe(l line) (o scaling.Observation, err error) {
	o.Replicas = l.Replicas
	if o.Now, err = d.clock(l); err != nil {
		return o, err
	}
	if o.Readings, err = d.readings(l, o.Now); err != nil {
		return o, err
	}
	if o.Pods, err = d.look(l.Pods, o.Now); err != nil {
		return o, err
	}
	if o.Order, o.Unsteerable, err = choice(d.kind, o.Pods); err != nil {
		return o, err
	}
	o.Pods = append(o.Pods, leavers(l.Leaving)...)
	return o, nil
}

// clock returns the time of a line.
func (d *decider) clock(l line) (time.Time, error) {
	now, err := moment("time", l.Time)
	switch before := d.last.Observation.Now; {
	case err != nil:
		return now, err
	case now.IsZero():
		return now, fmt.Errorf("time: expected %s, got none", aMoment)
	case now.Before(before):
		return now, fmt.Errorf("time: expected %s as on the line before, or later, got %s", before.Format(time.RFC3339Nano), l.Time)
	}
	return now, nil
}

// readings returns one for each load of the policy. A value that is missing has
// failed to be read; the last good one is kept beside it, as in a cluster.
func (d *decider) readings(l line, now time.Time) ([]scaling.Reading, error) {
	first := d.policy.Loads[0].Name
	if l.Load != nil && l.Loads[first] != nil {
		return nil, fmt.Errorf("load: it stands for %s, which is in loads too; give it once", first)
	}
	readings := make([]scaling.Reading, len(d.policy.Loads))
	for i, load := range d.policy.Loads {
		value := l.Loads[load.Name]
		if i == 0 && value == nil {
			value = l.Load
		}
		r := scaling.Reading{Load: load.Name, Problem: scaling.Failed, Message: l.absence(load.Name)}
		if value != nil {
			r = scaling.Reading{Load: load.Name, Value: *value, At: now}
		} else if before := d.last.Observation.Readings; before != nil {
			r.Value, r.At = before[i].Value, before[i].At
		}
		readings[i] = r
	}
	return readings, nil
}

// look returns the pods of a line, and remembers them for the next.
func (d *decider) look(lines []podLine, now time.Time) ([]scaling.Pod, error) {
	pods, named := make([]scaling.Pod, len(lines)), make(map[string]scaling.Pod, len(lines))
	for i, l := range lines {
		p, err := l.pod(d.pods[l.Name], now)
		if err != nil {
			return nil, fmt.Errorf("pods[%d].%w", i, err)
		}
		if p.Busy == "" && d.policy.AskBusy {
			p.Busy = scaling.Idle // The line is the answer, and there will be no other.
		}
		if _, taken := named[p.Name]; taken {
			return nil, fmt.Errorf("pods[%d].name: expected one that no other pod has, got %q again", i, p.Name)
		}
		pods[i], named[p.Name] = p, p
	}
	d.pods = named
	return pods, nil
}
