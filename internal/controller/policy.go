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
	var objectiveErr, fallbackErr, scheduleErr error
	p.Objective, objectiveErr = objectiveOf(spec)
	p.Fallbacks, fallbackErr = fallbacksOf(spec.Fallback)
	p.Schedules, scheduleErr = schedulesOf(spec.Schedules, p)
	up, down := behaviorOf(spec)
	p.Up, p.Down = up.rules, down.rules
	for _, l := range spec.Loads {
		out := loadOf(l, IntervalOf(spec))
		if !l.Input && p.Objective == nil {
			out.Low, out.Target, out.High = bandOf(l, up.tolerance, down.tolerance)
		}
		p.Loads = append(p.Loads, out)
	}
	return p, errors.Join(check(p), objectiveErr, fallbackErr, scheduleErr)
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

// pacing is what a spec says of moves in one direction.
type pacing struct {
	rules     scaling.Rules
	tolerance float64 // as a fraction of the target
}

// behaviorOf resolves how moves up and down are paced. HPA's defaults temper a number that follows each reading. An
// objective looks back over minutes by itself, and with a window beside it would look back twice: it has no defaults.
func behaviorOf(spec v1alpha1.LoadScalerSpec) (up, down pacing) {
	defaultUp, defaultDown := hpaUp, hpaDown
	if spec.Objective != nil {
		defaultUp, defaultDown = scaling.Rules{}, scaling.Rules{}
	}
	var b v1alpha1.Behavior
	if spec.Behavior != nil {
		b = *spec.Behavior
	}
	return pacingOf(b.ScaleUp, defaultUp), pacingOf(b.ScaleDown, defaultDown)
}

func pacingOf(spec *v1alpha1.ScalingRules, r scaling.Rules) pacing {
	if spec == nil {
		return pacing{r, defaultTolerance}
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
	return pacing{r, quantity(spec.Tolerance, defaultTolerance)}
}

// loadOf resolves what of a load is not its band.
func loadOf(l v1alpha1.Load, interval time.Duration) scaling.Load {
	out := scaling.Load{
		Name:       l.Name,
		Input:      l.Input,
		Total:      l.Type == v1alpha1.Total,
		StaleAfter: duration(l.StaleAfter, staleIntervals*interval),
	}
	if r := l.ValidRange; r != nil {
		out.ValidRange = &scaling.Range{Min: quantity(r.Min, 0), Max: quantity(r.Max, math.Inf(1))}
	}
	return out
}

// bandOf resolves a load's band. A target given alone gets HPA's tolerance.
func bandOf(l v1alpha1.Load, up, down float64) (low, target, high float64) {
	if l.Target != nil && l.Low == nil && l.High == nil {
		target = l.Target.AsApproximateFloat64()
		return target * max(0, 1-down), target, target * (1 + up)
	}
	low, high = quantity(l.Low, defaultLow), quantity(l.High, defaultHigh)
	return low, quantity(l.Target, (low+high)/2), high
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
		if !l.Input && p.Objective == nil && !(0 <= l.Low && l.Low <= l.Target && l.Target <= l.High && l.Target > 0) {
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
