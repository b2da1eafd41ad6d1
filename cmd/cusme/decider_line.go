package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A line is one observation. docs/decide-input.schema.json describes it.
type line struct {
	Time        string              `json:"time"`
	Load        *float64            `json:"load"`
	Loads       map[string]*float64 `json:"loads"`
	Replicas    int32               `json:"replicas"`
	Pods        []podLine           `json:"pods"`
	Leaving     int32               `json:"leaving"`
	MinReplicas *int32              `json:"minReplicas"`
	MaxReplicas *int32              `json:"maxReplicas"`
}

// A podLine is one pod of an observation.
type podLine struct {
	Name         string  `json:"name"`
	Created      string  `json:"created"`
	Ready        bool    `json:"ready"`
	ReadySince   string  `json:"readySince"`
	Node         *string `json:"node"`
	Phase        string  `json:"phase"`
	DeletionCost int32   `json:"deletionCost"`
	Busy         *bool   `json:"busy"`
	Elastic      bool    `json:"elastic"`
}

// absence says that a load has no value, and which names the line has in its place: a wrong one reads like a failed source.
func (l line) absence(load string) string {
	const none = "the observation has none"
	if _, null := l.Loads[load]; null || len(l.Loads) == 0 {
		return none
	}
	return none + " of that name, only of " + plain(someOf(slices.Sorted(maps.Keys(l.Loads))))
}

func blank(text []byte) bool { return len(bytes.TrimSpace(text)) == 0 }

func parseLine(text []byte) (l line, err error) {
	if err := json.Unmarshal(text, &l); err != nil {
		return l, inWords(err)
	}
	if l.Replicas < 0 {
		return l, fmt.Errorf("replicas: expected 0 or more, got %d", l.Replicas)
	}
	if l.Leaving < 0 || l.Leaving > mostReplicas {
		return l, fmt.Errorf("leaving: expected 0 to %d, got %d", mostReplicas, l.Leaving)
	}
	return l, nil
}

// inWords says what of a line is no JSON, or not of its type.
func inWords(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return fmt.Errorf("expected one JSON object, with null for a load that is no number: %w", err)
	}
	expected := map[reflect.Kind]string{
		reflect.Float64: "a number of 64 bits",
		reflect.Int32:   "a whole number of 32 bits",
		reflect.Bool:    "true or false",
		reflect.String:  "a string",
		reflect.Slice:   "an array",
	}[wrong.Type.Kind()]
	if expected == "" {
		expected = "an object"
	}
	if wrong.Field == "" {
		return fmt.Errorf("expected %s, got %s", expected, wrong.Value)
	}
	return fmt.Errorf("%s: expected %s, got %s", wrong.Field, expected, wrong.Value)
}

// bound returns the policy within the bounds that the line sets, if it does.
func (l line) bound(p scaling.Policy) (scaling.Policy, error) {
	if l.MinReplicas != nil {
		p.Min = *l.MinReplicas
	}
	if l.MaxReplicas != nil {
		p.Max = *l.MaxReplicas
	}
	if p.Max < 1 {
		return p, fmt.Errorf("maxReplicas: expected at least 1, got %d", p.Max)
	}
	if p.Min < 0 || p.Min > p.Max {
		return p, fmt.Errorf("minReplicas: expected 0 to maxReplicas (%d), got %d", p.Max, p.Min)
	}
	return p, nil
}

// pod returns the pod, where before is what the last line said of the one of its name.
func (l podLine) pod(before scaling.Pod, now time.Time) (p scaling.Pod, err error) {
	if l.Name == "" {
		return p, errors.New("name: expected a name, got none")
	}
	p = scaling.Pod{Name: l.Name, UID: l.Name, Ready: l.Ready, Cost: l.DeletionCost, Marked: l.DeletionCost == scaling.MarkedCost, Elastic: l.Elastic}
	if p.Created, err = moment("created", l.Created); err != nil {
		return p, err
	}
	if p.ReadySince, err = moment("readySince", l.ReadySince); err != nil {
		return p, err
	}
	if p.Phase, p.Leaving, err = l.phase(); err != nil {
		return p, err
	}
	p.Ended, p.Node = p.Leaving, l.node()
	if l.Busy != nil {
		p.Busy = map[bool]scaling.Busy{true: scaling.Working, false: scaling.Idle}[*l.Busy]
	}
	date(&p, before, now)
	return p, nil
}

// date sets the times that a line leaves open to when the lines first showed it.
func date(p *scaling.Pod, before scaling.Pod, now time.Time) {
	if p.Created.IsZero() {
		p.Created = before.Created
	}
	if p.Created.IsZero() {
		p.Created = now
	}
	same := p.Created.Equal(before.Created) // Another pod may have got its name.
	switch {
	case !p.Ready && same && before.Ready:
		p.ReadySince, p.UnreadySince = time.Time{}, now
	case !p.Ready && same:
		p.ReadySince, p.UnreadySince = time.Time{}, before.UnreadySince
	case !p.Ready:
		p.ReadySince = time.Time{}
	case p.ReadySince.IsZero() && same && before.Ready:
		p.ReadySince = before.ReadySince
	case p.ReadySince.IsZero():
		p.ReadySince = now
	}
}

// phase returns the phase, and whether the pod has ended.
func (l podLine) phase() (phase scaling.Phase, ended bool, err error) {
	switch l.Phase {
	case "":
		if l.Ready {
			return scaling.PhaseRunning, false, nil
		}
		return scaling.PhasePending, false, nil
	case "Pending", "Running", "Unknown":
		return scaling.Phase(l.Phase), false, nil
	case "Succeeded", "Failed":
		return scaling.PhaseUnknown, true, nil
	}
	return "", false, fmt.Errorf("phase: expected Pending, Running, Succeeded, Failed or Unknown, got %q", l.Phase)
}

// node returns the node. Only a pod that is not ready, and says that its node
// is "", has none yet: a line may leave nodes out.
func (l podLine) node() string {
	switch {
	case l.Node != nil && *l.Node != "":
		return *l.Node
	case l.Node != nil && !l.Ready:
		return ""
	}
	return "unnamed"
}

const aMoment = "a time such as 2026-11-23T17:00:00Z (RFC 3339)"

// moment reads a time; a missing one is zero.
func moment(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s: expected %s, got %q", field, aMoment, text)
	}
	return t, nil
}
