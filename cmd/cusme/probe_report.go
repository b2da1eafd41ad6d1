package main

import (
	"fmt"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/scaling"
)

// A report is what a probe of one LoadScaler found, and its JSON is an interface
// for scripts: fields may be added.
type report struct {
	LoadScaler string          `json:"loadScaler"`
	Now        time.Time       `json:"now"`
	Loads      []loadReport    `json:"loads"`
	Decision   *decisionReport `json:"decision,omitempty"`
	// NoDecision says why there is none.
	NoDecision string `json:"noDecision,omitempty"`
}

// A loadReport is what one load came to.
type loadReport struct {
	Name      string           `json:"name"`
	Source    string           `json:"source"` // the field of the API
	Exchanges []exchangeReport `json:"exchanges,omitempty"`
	State     scaling.State    `json:"state"`
	// Value and At are missing when there was no good value.
	Value      *float64   `json:"value,omitempty"`
	At         *time.Time `json:"at,omitempty"`
	AgeSeconds *float64   `json:"ageSeconds,omitempty"`
	// Message says what is wrong unless State is Fresh.
	Message string `json:"message,omitempty"`
	Partial string `json:"partial,omitempty"`
	// Notes say what one reading by itself cannot show.
	Notes []string `json:"notes,omitempty"`

	awaited bool // pushed, or worked out from what is
}

type exchangeReport struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	Headers     map[string]string `json:"headers,omitempty"`
	Status      string            `json:"status,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	Size        int               `json:"size"`
	Excerpt     string            `json:"excerpt,omitempty"`
}

type decisionReport struct {
	Replicas int32          `json:"replicas"` // asked for at present
	Ready    int            `json:"ready"`
	Demand   int32          `json:"demand"`
	Decided  int32          `json:"decided"`
	Reasons  []reasonReport `json:"reasons"`
}

type reasonReport struct {
	Step scaling.Step `json:"step"`
	From int32        `json:"from"`
	To   int32        `json:"to"`
	Why  string       `json:"why"`
}

// reportOf tells what was read of a load, and what a decision makes of it.
func reportOf(s *v1alpha1.LoadScaler, l v1alpha1.Load, t load.Trace, v scaling.Verdict) loadReport {
	r := loadReport{awaited: t.Awaited, Name: l.Name, Source: sourceOf(l), State: v.State, Partial: v.Partial, Notes: notesOn(s, l, t.Reading)}
	for _, e := range t.Exchanges {
		r.Exchanges = append(r.Exchanges, exchangeReport{e.Method, e.URL, e.Header, e.Status, e.ContentType, e.Size, e.Excerpt})
	}
	if v.State != scaling.Fresh {
		r.Message = v.Message
		if r.Message == "" {
			r.Message = v.Why
		}
	}
	if !v.At.IsZero() {
		age := time.Since(v.At).Seconds()
		r.Value, r.At, r.AgeSeconds = &v.Value, &v.At, &age
	}
	return r
}

func sourceOf(l v1alpha1.Load) string {
	switch {
	case l.HTTP != nil:
		return "http"
	case l.Prometheus != nil:
		return "prometheus"
	case l.Push != nil:
		return "push"
	case l.Pods != nil:
		return "pods"
	case l.ExternalMetric != nil:
		return "externalMetric"
	case l.ObjectMetric != nil:
		return "objectMetric"
	case l.External != nil:
		return "external"
	default:
		return "expression"
	}
}

// notesOn says what matters of a load that one reading cannot show.
func notesOn(s *v1alpha1.LoadScaler, l v1alpha1.Load, r scaling.Reading) (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if l.Push != nil {
		note("nothing can be asked: the application sends this load, as by")
		note(`curl --cacert ca.crt -H "Authorization: Bearer $TOKEN" -d '{"load": %q, "value": 0.5}' https://CUSME/v1/loads/%s/%s`, l.Name, s.Namespace, s.Name)
		return notes
	}
	good := r.Problem == "" && !r.At.IsZero()
	if good && r.Value == 0 && (l.ConfirmZero == nil || *l.ConfirmZero) {
		note("confirmZero: after a value above 0, this 0 would be believed when a second reading says so too")
	}
	if good && l.MaxJump != nil {
		note("maxJump: farther than %s from the value before it, this one would be believed when the next is near it", l.MaxJump)
	}
	if good && l.Aggregate != nil {
		by := l.Aggregate.By
		if by == "" {
			by = "avg"
		}
		note("aggregate: this is one value, and the load is the %s of the last %s", by, l.Aggregate.Window.Duration)
	}
	if good && l.UnchangedAfter != nil {
		note("unchangedAfter: the load is stale once it has been exactly this for %s", l.UnchangedAfter.Duration)
	}
	return notes
}

func decisionOf(d scaling.Decision, o scaling.Observation) *decisionReport {
	r := &decisionReport{Replicas: o.Replicas, Demand: d.Demand, Decided: d.Replicas}
	for _, p := range o.Pods {
		if p.Ready && !p.Leaving {
			r.Ready++
		}
	}
	for _, why := range d.Reasons {
		r.Reasons = append(r.Reasons, reasonReport{why.Step, why.From, why.To, why.Why})
	}
	return r
}
