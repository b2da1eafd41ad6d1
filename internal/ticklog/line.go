// Package ticklog writes down what was seen and decided, one JSON object a line,
// and reads it again: a log of a running controller is a history to rehearse with.
package ticklog

import (
	"encoding/json"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// Version is that of the lines. One that could be misunderstood by a reader of the last gets another.
const Version = "v1"

// A Line is one decision, of all that led to it what fits into a line. It is an
// observation as cusme decide takes them, and says what was decided besides;
// docs/traces.md describes it.
type Line struct {
	Version string    `json:"version"`
	Time    time.Time `json:"time"`
	// Scaler names the LoadScaler, as namespace/name.
	Scaler string `json:"scaler"`
	// Loads holds the value of each load by its name; nil where there was no fresh one.
	Loads map[string]*float64 `json:"loads"`
	// Replicas were asked for before the decision.
	Replicas int32 `json:"replicas"`
	// Ready and Starting pods stay, Leaving ones are being deleted and have not ended.
	Ready       int32 `json:"ready"`
	Starting    int32 `json:"starting"`
	Leaving     int32 `json:"leaving"`
	MinReplicas int32 `json:"minReplicas"`
	MaxReplicas int32 `json:"maxReplicas"`
	// Pods are those that stay, where the log is to hold them.
	Pods []Pod `json:"pods,omitempty"`
	// Decided is the number that was decided on, Wrote whether it was written and
	// accepted, and Refused why a write was not made or not accepted.
	Decided int32    `json:"decided"`
	Wrote   bool     `json:"wrote,omitempty"`
	Refused string   `json:"refused,omitempty"`
	Reasons []Reason `json:"reasons"`
}

// A Pod is one of the target's.
type Pod struct {
	Name         string        `json:"name"`
	Created      time.Time     `json:"created,omitzero"`
	Ready        bool          `json:"ready"`
	ReadySince   time.Time     `json:"readySince,omitzero"`
	Node         string        `json:"node"`
	Phase        scaling.Phase `json:"phase,omitempty"`
	DeletionCost int32         `json:"deletionCost,omitempty"`
	Busy         *bool         `json:"busy,omitempty"`
	Elastic      bool          `json:"elastic,omitempty"`
}

// A Reason is what one step made of the number before it.
type Reason struct {
	Step scaling.Step `json:"step"`
	From int32        `json:"from"`
	To   int32        `json:"to"`
	Why  string       `json:"why"`
}

// lineOf writes a tick down, with its pods where they are wanted.
func lineOf(t scaling.Tick, pods bool) Line {
	o, d := t.Observation, t.Decision
	l := Line{
		Version: Version, Time: o.Now.UTC().Round(0), Scaler: t.Scaler, Loads: make(map[string]*float64, len(d.Loads)),
		Replicas: o.Replicas, Ready: d.Pods.Ready, Starting: d.Pods.Starting, MinReplicas: t.Policy.Min, MaxReplicas: t.Policy.Max,
		Decided: d.Replicas, Wrote: t.Outcome.Wrote, Refused: t.Outcome.Refused, Reasons: make([]Reason, len(d.Reasons)),
	}
	for _, v := range d.Loads {
		l.Loads[v.Load] = nil
		if v.State == scaling.Fresh {
			l.Loads[v.Load] = &v.Value
		}
	}
	for i, r := range d.Reasons {
		l.Reasons[i] = Reason{r.Step, r.From, r.To, r.Why}
	}
	for _, p := range o.Pods {
		switch {
		case p.Leaving && !p.Ended:
			l.Leaving++
		case pods && !p.Leaving:
			l.Pods = append(l.Pods, podOf(p))
		}
	}
	return l
}

func podOf(p scaling.Pod) Pod {
	out := Pod{
		Name: p.Name, Created: p.Created.UTC(), Ready: p.Ready, ReadySince: p.ReadySince.UTC(), Node: p.Node, Phase: p.Phase,
		DeletionCost: p.Cost, Elastic: p.Elastic,
	}
	if p.Busy != "" {
		works := p.Busy == scaling.Working
		out.Busy = &works
	}
	return out
}

// encode is a tick as a line with its end.
func encode(t scaling.Tick, pods bool) ([]byte, error) {
	text, err := json.Marshal(lineOf(t, pods))
	return append(text, '\n'), err
}
