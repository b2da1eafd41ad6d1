package controller

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// mostRamp is the longest time before a window opens in which its minimum may rise.
const mostRamp = 24 * time.Hour

// schedulesOf resolves the schedules of a spec whose own bounds are those of p.
func schedulesOf(specs []v1alpha1.Schedule, p scaling.Policy) ([]scaling.Schedule, error) {
	var out []scaling.Schedule
	var errs []error
	names := map[string]bool{}
	for i, spec := range specs {
		name := spec.Name
		if name == "" {
			name = strconv.Itoa(i)
		}
		refuse := func(err error) {
			if err != nil {
				errs = append(errs, fmt.Errorf("schedules[%s].%w", name, err))
			}
		}
		s, err := scheduleOf(spec)
		refuse(err)
		refuse(checkSchedule(s, p))
		if names[name] {
			refuse(errors.New("name: expected another for each schedule"))
		}
		names[name] = true
		out = append(out, s)
	}
	return out, errors.Join(errs...)
}

// scheduleOf resolves one schedule. One without a name is called by its start.
func scheduleOf(spec v1alpha1.Schedule) (scaling.Schedule, error) {
	s := scaling.Schedule{Name: spec.Name, Min: spec.MinReplicas, Max: spec.MaxReplicas}
	if s.Name == "" {
		s.Name = spec.Start
	}
	if spec.Ramp != nil {
		s.Ramp = &spec.Ramp.Duration
	}
	calendar, err := calendarOf(calendarKey{spec.Start, spec.End, spec.TimeZone})
	if err == nil {
		s.Windows = calendar
	}
	return s, err
}

// checkSchedule holds what the CRD's rules hold, for specs that no API server has seen.
func checkSchedule(s scaling.Schedule, p scaling.Policy) error {
	least, most := orDefault(s.Min, p.Min), orDefault(s.Max, p.Max)
	switch {
	case s.Min == nil && s.Max == nil:
		return errors.New("minReplicas: expected a number, here or in maxReplicas, got neither")
	case least < 0:
		return fmt.Errorf("minReplicas: expected 0 or more, got %d", least)
	case least > most && s.Min != nil:
		return fmt.Errorf("minReplicas: expected 0 to maxReplicas (%d), got %d", most, least)
	case least > most:
		return fmt.Errorf("maxReplicas: expected minReplicas (%d) or more, got %d", least, most)
	case s.Ramp != nil && s.Min == nil:
		return errors.New("ramp: expected none without minReplicas, as it is the minimum that rises")
	case s.Ramp != nil && (*s.Ramp < 0 || *s.Ramp > mostRamp):
		return fmt.Errorf("ramp: expected 0s to 24h, got %s", *s.Ramp)
	}
	return nil
}
