package controller

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/scaling"
)

// Defaults of a LoadScaler. The band is the original's; the rest is HPA's where HPA has one.
const (
	defaultMinReplicas   = 1
	defaultInterval      = 15 * time.Second
	defaultLow           = 0.5
	defaultHigh          = 0.8
	defaultTolerance     = 0.1
	defaultStartDeadline = 10 * time.Minute
	staleIntervals       = 3
	downWindow           = 5 * time.Minute
)

// PolicyOf resolves a spec into a policy. It is the only place where defaults
// are resolved. The error names every field that is out of bounds; a spec that
// the API server accepted has none.
func PolicyOf(spec v1alpha1.LoadScalerSpec) (scaling.Policy, error) {
	p := scaling.Policy{
		Min:           orDefault(spec.MinReplicas, defaultMinReplicas),
		Max:           spec.MaxReplicas,
		MinPodAge:     duration(spec.MinPodAge, 0),
		AgeFromReady:  spec.AgeFrom == v1alpha1.AgeFromReady,
		StartDeadline: defaultStartDeadline,
		AskBusy:       spec.Busy != nil,
	}
	if spec.Startup != nil {
		p.StartDeadline = duration(spec.Startup.Deadline, defaultStartDeadline)
	}
	if spec.Step != nil {
		p.Step = &scaling.FixedStep{Up: spec.Step.Up, Down: spec.Step.Down}
	}
	var upTolerance, downTolerance float64
	var up, down *v1alpha1.ScalingRules
	if spec.Behavior != nil {
		up, down = spec.Behavior.ScaleUp, spec.Behavior.ScaleDown
	}
	p.Up, upTolerance = rulesOf(up, hpaUp)
	p.Down, downTolerance = rulesOf(down, hpaDown)
	for _, l := range spec.Loads {
		p.Loads = append(p.Loads, loadOf(l, IntervalOf(spec), upTolerance, downTolerance))
	}
	var err error
	p.Fallbacks, err = fallbacksOf(spec.Fallback)
	return p, errors.Join(check(p), err)
}

// IntervalOf returns how often a spec's loads are polled.
func IntervalOf(spec v1alpha1.LoadScalerSpec) time.Duration {
	return duration(spec.Interval, defaultInterval)
}

// HPA's defaults, from SetDefaults_HorizontalPodAutoscaler in Kubernetes 1.37.
var (
	hpaUp = scaling.Rules{Limits: []scaling.Limit{
		{Value: 4, Period: 15 * time.Second},
		{Percent: true, Value: 100, Period: 15 * time.Second},
	}}
	hpaDown = scaling.Rules{Window: downWindow, Limits: []scaling.Limit{
		{Percent: true, Value: 100, Period: 15 * time.Second},
	}}
)

// rulesOf resolves one direction's rules, and its tolerance as a fraction of the target.
func rulesOf(spec *v1alpha1.ScalingRules, r scaling.Rules) (scaling.Rules, float64) {
	if spec == nil {
		return r, defaultTolerance
	}
	if spec.StabilizationWindowSeconds != nil {
		r.Window = time.Duration(*spec.StabilizationWindowSeconds) * time.Second
	}
	if spec.SelectPolicy != nil {
		r.Select = scaling.Select(*spec.SelectPolicy)
	}
	if spec.Policies != nil {
		r.Limits = nil
	}
	for _, p := range spec.Policies {
		r.Limits = append(r.Limits, scaling.Limit{
			Percent: p.Type == autoscalingv2.PercentScalingPolicy,
			Value:   p.Value,
			Period:  time.Duration(p.PeriodSeconds) * time.Second,
		})
	}
	return r, quantity(spec.Tolerance, defaultTolerance)
}

// loadOf resolves one load. A target given alone gets HPA's tolerance as its band; an input has none.
func loadOf(l v1alpha1.Load, interval time.Duration, upTolerance, downTolerance float64) scaling.Load {
	out := scaling.Load{
		Name:       l.Name,
		Input:      l.Input,
		Total:      l.Type == v1alpha1.Total,
		StaleAfter: duration(l.StaleAfter, staleIntervals*interval),
	}
	if r := l.ValidRange; r != nil {
		out.ValidRange = &scaling.Range{Min: quantity(r.Min, 0), Max: quantity(r.Max, math.Inf(1))}
	}
	if l.Input {
		return out
	}
	if l.Target != nil && l.Low == nil && l.High == nil {
		out.Target = l.Target.AsApproximateFloat64()
		out.Low, out.High = out.Target*max(0, 1-downTolerance), out.Target*(1+upTolerance)
		return out
	}
	out.Low, out.High = quantity(l.Low, defaultLow), quantity(l.High, defaultHigh)
	out.Target = quantity(l.Target, (out.Low+out.High)/2)
	return out
}

// check holds what the CRD's rules hold, for specs that no API server has seen.
func check(p scaling.Policy) error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if p.Min < 0 || p.Min > p.Max {
		refuse("minReplicas: expected 0 to maxReplicas (%d), got %d", p.Max, p.Min)
	}
	if p.Max < 1 {
		refuse("maxReplicas: expected at least 1, got %d", p.Max)
	}
	if p.Step != nil && (p.Step.Up < 0 || p.Step.Down < 0) {
		refuse("step: expected no negative step, got up %d, down %d", p.Step.Up, p.Step.Down)
	}
	if p.MinPodAge < 0 {
		refuse("minPodAge: expected 0s or more, got %s", p.MinPodAge)
	}
	switch {
	case len(p.Loads) == 0:
		refuse("loads: expected at least one")
	case !slices.ContainsFunc(p.Loads, func(l scaling.Load) bool { return !l.Input }):
		refuse("loads: expected one that asks for replicas, got inputs only")
	}
	for _, l := range p.Loads {
		if r := l.ValidRange; r != nil && !(0 <= r.Min && r.Min <= r.Max) {
			refuse("loads[%s].validRange: expected 0 ≤ min ≤ max, got min %v, max %v", l.Name, r.Min, r.Max)
		}
		if !l.Input && !(0 <= l.Low && l.Low <= l.Target && l.Target <= l.High && l.Target > 0) {
			refuse("loads[%s]: expected 0 ≤ low ≤ target ≤ high and target above 0, got low %v, target %v, high %v", l.Name, l.Low, l.Target, l.High)
		}
	}
	return errors.Join(errs...)
}

func orDefault(n *int32, otherwise int32) int32 {
	if n == nil {
		return otherwise
	}
	return *n
}

func duration(d *metav1.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return d.Duration
}

func quantity(q *resource.Quantity, otherwise float64) float64 {
	if q == nil {
		return otherwise
	}
	return load.Nearest(*q)
}
