package main

import (
	"slices"
	"time"

	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

// A trial is a fault of the index, for half an hour at noon of each day.
type trial struct {
	name   string
	faults func(noons []simulate.Span) simulate.Faults
	// policy is what the fault does to a policy that reads the index, where the world has no such fault.
	policy func(simulate.Contender, []simulate.Span) simulate.Contender
}

// held is the trial that all others are compared with.
const held = "holding meanwhile"

var trials = []trial{
	{name: "no fault"},
	{name: held, policy: holding},
	{name: "missing", faults: func(noons []simulate.Span) simulate.Faults { return simulate.Faults{Missing: noons} }},
	{name: "frozen", faults: func(noons []simulate.Span) simulate.Faults { return simulate.Faults{Frozen: noons} }},
	{name: "not a number", faults: func(noons []simulate.Span) simulate.Faults { return simulate.Faults{Broken: noons} }},
	{name: "60 s late", policy: late},
}

// bouts are those of a policy under each fault, on one trace.
func trialsOf(a arena, c simulate.Contender) []bout {
	var noons []simulate.Span
	for noon := 12 * time.Hour; noon < a.Span; noon += 24 * time.Hour {
		noons = append(noons, simulate.Span{From: noon, To: noon + 30*time.Minute})
	}
	var bouts []bout
	for _, t := range trials {
		b := bout{arena: a, Contender: c}
		if t.faults != nil {
			b.world.Faults = t.faults(noons)
		}
		if t.policy != nil {
			b.Contender = t.policy(c, noons)
		}
		b.Contender.Name = t.name
		bouts = append(bouts, b)
	}
	return bouts
}

// decides is a policy that is a function.
type decides func(*simulate.Sight) simulate.Move

func (d decides) Decide(s *simulate.Sight) simulate.Move { return d(s) }

// holding keeps the number for as long as each span, and asks the policy otherwise.
func holding(c simulate.Contender, spans []simulate.Span) simulate.Contender {
	held := c
	held.New = func(w simulate.World) simulate.Policy {
		p := c.New(w)
		return decides(func(s *simulate.Sight) simulate.Move {
			if inAny(spans, s.Now) {
				return simulate.Move{Replicas: s.Replicas}
			}
			return p.Decide(s)
		})
	}
	return held
}

// late shows the policy values of a minute ago as if they were new, during each span.
func late(c simulate.Contender, spans []simulate.Span) simulate.Contender {
	delayed := c
	delayed.New = func(w simulate.World) simulate.Policy {
		p, past := c.New(w), []scaling.Reading(nil)
		return decides(func(s *simulate.Sight) simulate.Move {
			past = append(past, s.Reading)
			if kept := int(time.Minute/w.Interval) + 1; len(past) > kept {
				past = past[1:]
			}
			if inAny(spans, s.Now) {
				s.Reading.Value = past[0].Value
			}
			return p.Decide(s)
		})
	}
	return delayed
}

func inAny(spans []simulate.Span, now time.Time) bool {
	at := now.Sub(simulate.Epoch)
	return slices.ContainsFunc(spans, func(s simulate.Span) bool { return s.From <= at && at < s.To })
}
