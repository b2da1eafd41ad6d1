package main

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

// A setting is a LoadScaler's spec with some knobs turned.
type setting struct {
	candidate
	world simulate.World
}

// every is the interval.
func (s setting) every() time.Duration { return controller.IntervalOf(s.spec) }

// String names the knobs and how they stand.
func (s setting) String() string {
	says := ""
	if o := s.policy.Objective; o != nil {
		says = fmt.Sprintf("objective %s p%v", o.Wait, o.Percentile)
	} else {
		l := s.policy.Loads[0]
		says = fmt.Sprintf("band %v..%v", l.Low, l.High)
	}
	if s.policy.Step != nil {
		says += fmt.Sprintf(", step +%d -%d", s.policy.Step.Up, s.policy.Step.Down)
	}
	if w := s.policy.Down.Window; w > 0 {
		says += ", window " + brief(w)
	}
	says += fmt.Sprintf(", every %s, min %d", brief(s.every()), s.policy.Min)
	if len(s.policy.Schedules) > 0 {
		says += ", schedules"
	}
	return says
}

// settings are those to try, each once.
type settings struct {
	all []setting
	of  func(v1alpha1.LoadScalerSpec) (setting, error)
}

// add takes a spec in, unless it cannot be or is there already.
func (s *settings) add(spec *v1alpha1.LoadScalerSpec) {
	fresh, err := s.of(*spec)
	if err != nil {
		return // the rest of the spec forbids this turn of a knob
	}
	for _, o := range s.all {
		if o.every() == fresh.every() && reflect.DeepEqual(o.policy, fresh.policy) {
			return
		}
	}
	s.all = append(s.all, fresh)
}

// of makes a setting of a spec.
func (t *tuner) of(task task) func(v1alpha1.LoadScalerSpec) (setting, error) {
	return func(spec v1alpha1.LoadScalerSpec) (setting, error) {
		turned := task.present.subject
		turned.spec = spec
		c, err := t.understand(turned)
		if err != nil {
			return setting{}, err
		}
		s := setting{candidate: c, world: t.model.world(spec, c.policy)}
		s.world.Limit = task.wish.Wait
		return s, nil
	}
}

// What is searched. Bands are in requests at work and waiting for each pod: from 1 on some wait.
var (
	objectives = []float64{0.25, 0.5, 0.75, 1, 1.5, 2, 3} // times the wish
	bands      = [][2]string{{"0.2", "0.5"}, {"0.3", "0.6"}, {"0.4", "0.7"}, {"0.5", "0.8"}, {"0.6", "0.9"}, {"0.7", "1"}, {"0.8", "1.2"}}
	windows    = []int32{60, 300, 900} // seconds
	intervals  = []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
)

// shapes turn the knobs that say what a size is.
func (t task) shapes(s *settings) {
	own := &t.scaler.Spec
	several := asking(own) > 1
	if own.Objective != nil || !several {
		for _, times := range objectives {
			s.add(withObjective(own, t.wish, times))
		}
	}
	if own.Objective != nil && several {
		return // the other loads have no band to go by
	}
	for _, band := range bands {
		for _, window := range windows {
			s.add(withBand(own, t.present.load.Name, band, window))
		}
	}
}

// asking counts the loads that ask for replicas.
func asking(spec *v1alpha1.LoadScalerSpec) (n int) {
	for _, l := range spec.Loads {
		if !l.Input {
			n++
		}
	}
	return n
}

// withObjective goes by an objective so many times the wish, and by nothing that has no place beside one.
func withObjective(own *v1alpha1.LoadScalerSpec, wish scaling.Objective, times float64) *v1alpha1.LoadScalerSpec {
	spec := own.DeepCopy()
	wait := time.Duration(times * float64(wish.Wait)).Round(time.Second)
	wait = min(max(wait, time.Second), 24*time.Hour)
	if spec.Objective == nil {
		spec.Objective = &v1alpha1.Objective{}
	}
	spec.Objective.Wait, spec.Objective.Percentile = metav1.Duration{Duration: wait}, ptr.To(int32(wish.Percentile))
	spec.Step = nil
	for i := range spec.Loads {
		spec.Loads[i].Low, spec.Loads[i].High, spec.Loads[i].Target = nil, nil, nil
	}
	if spec.Behavior != nil && spec.Behavior.ScaleDown != nil {
		spec.Behavior.ScaleDown.StabilizationWindowSeconds = nil
	}
	return spec
}

// withBand goes by a band of one load, and a window of stabilization for the way down.
func withBand(own *v1alpha1.LoadScalerSpec, load string, band [2]string, window int32) *v1alpha1.LoadScalerSpec {
	spec := own.DeepCopy()
	spec.Objective, spec.Step = nil, nil
	for i := range spec.Loads {
		if l := &spec.Loads[i]; l.Name == load {
			l.Low, l.High, l.Target = ptr.To(resource.MustParse(band[0])), ptr.To(resource.MustParse(band[1])), nil
		}
	}
	if spec.Behavior == nil {
		spec.Behavior = &v1alpha1.Behavior{}
	}
	if spec.Behavior.ScaleDown == nil {
		spec.Behavior.ScaleDown = &v1alpha1.ScalingRules{}
	}
	spec.Behavior.ScaleDown.StabilizationWindowSeconds = ptr.To(window)
	return spec
}

// turns of the other knobs of a setting. Work is how many pods the demand keeps busy on average.
func (s *settings) turns(of setting, work float64) {
	for _, every := range intervals {
		if followable(of.spec, every) {
			spec := of.spec.DeepCopy()
			spec.Interval = &metav1.Duration{Duration: every}
			s.add(spec)
		}
	}
	for _, least := range []int32{of.policy.Min + 1, int32(math.Ceil(work / 2)), int32(math.Ceil(work))} {
		if least > of.policy.Min {
			spec := of.spec.DeepCopy()
			spec.MinReplicas = ptr.To(least)
			s.add(spec)
		}
	}
	if len(of.spec.Schedules) > 0 {
		spec := of.spec.DeepCopy()
		spec.Schedules = nil
		s.add(spec)
	}
}

// followable reports whether loads can be read at an interval: pushed ones come
// when they come, and others must not be stale before the next reading.
func followable(spec v1alpha1.LoadScalerSpec, every time.Duration) bool {
	for _, l := range spec.Loads {
		if l.Push != nil || l.StaleAfter != nil && l.StaleAfter.Duration < 2*every {
			return false
		}
	}
	return true
}
