// Package scaling decides how many replicas a target should have, which of its
// pods would go, and why.
//
// It is pure: a decision is a function of values, the time among them. There is
// no clock, logger, client or metric in here, so that the same code can run
// under a controller, in a simulation of a fortnight, and in a fuzzer.
package scaling

import (
	"slices"
	"strings"
	"time"
)

// steps is the whole algorithm, in order. Each step receives the number of
// replicas the steps before it want and returns its own, with a sentence when
// it has something to say. A new rule is one file and one line here.
var steps = []step{
	{Demand, demand},         // What the load asks for. First: everything after it only tempers this.
	{Forecast, forecast},     // What the profile of the week expects. After demand: it raises what the load asks for. Before schedule: a window outranks it.
	{OnSchedule, onSchedule}, // What a window asks for. After demand: it bounds what the load asks for. Before stabilize: the rules for moves of the load are not for it.
	{Stabilize, stabilize},   // Remember recent demands, so that a dip of one reading moves nothing. Before pace, as in HPA, so that waiting is not counted as pacing.
	{Pace, pace},             // How fast replicas may move. After stabilize: it limits the move that will really be made.
	{Bounce, bounce},         // No step down that would have to be taken back. After pace: a slower move may not bounce at all.
	{InStock, stock},         // Ask for no pods that the elastic provider has no stock for. After pace: what cannot be had is given up at once.
	{Young, young},           // Shrink only by pods that go before the first young one. After all that sets the number of pods that would really go.
	{AskBusy, busy},          // Ask the pods at stake whether they are busy. After young: only those that may go are asked.
	{Bounds, bounds},         // Minimum and maximum. Last, so that nothing outranks the maximum: it is a promise about money.
}

// Steps of a decision, as they appear in reasons.
const (
	Demand     Step = "demand"
	Forecast   Step = "forecast"
	OnSchedule Step = "schedule"
	Stabilize  Step = "stabilize"
	Pace       Step = "pace"
	Bounce     Step = "bounce"
	InStock    Step = "stock"
	Young      Step = "young"
	AskBusy    Step = "busy"
	Bounds     Step = "bounds"
)

// Step names one rule of the algorithm.
type Step string

type step struct {
	name Step
	// temper returns the replicas wanted after this step, and a sentence;
	// no sentence means the step has nothing to say and changes nothing.
	temper func(in *input, want int32) (int32, string)
}

// input is everything a step may look at.
type input struct {
	Observation
	Policy
	History
	loads    []Verdict // what was made of each reading, in the policy's order
	going    []Pod     // see order
	due      time.Time // when pods were last due to be created
	doubted  []Pod     // see doubts
	corridor corridor
}

// Decide returns what to do about o under p, given what happened before.
// It changes none of its arguments, and gives the same answer every time.
func Decide(o Observation, p Policy, h History) Decision {
	in := &input{Observation: o, Policy: p, History: h}
	in.Stock = in.takeStock()
	was, is, came := in.changed()
	in.learn(came)
	in.corridor = in.corridorNow()
	in.Min, in.Max = in.corridor.least, in.corridor.most
	in.doubted = in.doubts()
	in.Workloads = in.takeIn()
	in.Learned = in.Learned.keep(in.Workloads)
	in.loads = in.assess()
	in.Learned.Profile = in.profile()
	began := !in.blind() && h.unseen(o.Now, p) || len(h.Recommendations) == 0
	if began {
		in.History = in.History.begun(o)
	}

	d := Decision{Replicas: o.Replicas, Loads: in.loads, Pods: in.census(), Gone: in.departures(was, is), Starting: in.Starting, Stock: in.Stock, Began: began, Next: in.next()}
	in.due = in.dueSince(d.Gone)
	d.Due = in.due
	for _, s := range steps {
		want, why := s.temper(in, d.Replicas)
		switch s.name {
		case Demand:
			d.Demand = want
		case AskBusy:
			d.Ask = names(in.asking(max(d.Replicas, in.fewest())))
		}
		if why == "" {
			continue
		}
		d.Reasons = append(d.Reasons, Reason{Step: s.name, From: d.Replicas, To: want, Why: why})
		d.Replicas = want
	}
	d.Learned, d.Workloads = in.Learned, in.Workloads
	lose := in.losing(d.Replicas)
	d.Lose, d.Mark = names(lose), names(in.marking(lose))
	return d
}

// next is when to decide again although nothing happens.
func (in *input) next() time.Time {
	c := in.corridor
	if due := in.nextFallback(); !due.IsZero() {
		c.changes(due)
	}
	return c.until
}

// A Decision is a number of replicas and the ledger that led to it.
type Decision struct {
	// Replicas is the number to ask for; equal to the observed one when nothing moves.
	Replicas int32
	// Demand is what the load alone asked for.
	Demand int32
	// Lose names the pods that a scale-in to Replicas is expected to remove, in order of removal.
	Lose []string
	// Mark names those of them that have to carry a deletion cost below all
	// others before the replicas are written; the rest go first in any case.
	Mark []string
	// Ask names the pods to ask whether they are busy, before any is chosen.
	Ask []string
	// Reasons holds one line for every step that had something to say. It is
	// never empty: doing nothing is a decision with a sentence too.
	Reasons []Reason
	// Loads says what was made of each reading, in the policy's order.
	Loads []Verdict
	// Pods says how the pods were counted.
	Pods Census
	// Gone are the pods that went since the last decision, and by what.
	Gone []Departure
	// Starting are the UIDs of the pods whose first readiness is still to come.
	Starting []string
	// Due is when pods were last due to be created; they may exist and not be seen yet.
	Due time.Time
	// Stock is what is known of the elastic providers' stock.
	Stock Stock
	// Began says that a window began with this decision: nothing had been seen for longer than one.
	Began bool
	// Learned is what the target's past taught, up to this decision.
	Learned Learned
	// Workloads are what is known of the requests behind each load; none without an objective.
	Workloads []Workload
	// Next is when to decide again although nothing happens, as a fallback will be due or a window opens or ends; zero when
	// none will.
	Next time.Time
}

// A Reason is what one step made of the number of replicas before it.
type Reason struct {
	Step     Step
	From, To int32
	Why      string
}

// Why returns the last reason's sentence: the rule that had the final say.
func (d Decision) Why() string {
	if len(d.Reasons) == 0 {
		return ""
	}
	return d.Reasons[len(d.Reasons)-1].Why
}

// Ledger returns all reasons as one sentence: what the load asks for, but which
// rules temper it.
func (d Decision) Ledger() string {
	var b strings.Builder
	tempered := false
	for i, r := range d.Reasons {
		switch {
		case i == 0:
		case r.From == r.To:
			b.WriteString("; ")
		case tempered:
			b.WriteString(", and ")
		default:
			b.WriteString(", but ")
			tempered = true
		}
		b.WriteString(r.Why)
	}
	return b.String()
}

// held reports whether protected pods held back a scale-in.
func (d Decision) held() bool {
	return slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Step == Young })
}

// gaveUp reports whether replicas are given up for lack of stock.
func (d Decision) gaveUp() bool {
	return slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Step == InStock && r.To == d.Replicas })
}

// Leading returns the index in Loads of the load that decided; false without any.
func (d Decision) Leading() (int, bool) { return leading(d.Loads) }

// Blind reports whether no load gave a fresh reading, inputs apart.
func (d Decision) Blind() bool {
	return !slices.ContainsFunc(d.Loads, func(v Verdict) bool { return !v.Input && v.State == Fresh })
}

// FellBack reports whether the load that decided did so by its fallback.
func (d Decision) FellBack() bool {
	i, found := d.Leading()
	return found && d.Loads[i].State != Fresh && !d.Loads[i].Holds
}

// asks reports whether some load asked for a number, and did not only hold what there was.
func (d Decision) asks() bool {
	return slices.ContainsFunc(d.Loads, func(v Verdict) bool { return !v.Input && !v.Holds })
}
