package controller

import (
	"errors"
	"fmt"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// Bounds of an objective, and the share of requests that is meant where none is given.
const (
	leastWait         = time.Second
	mostWait          = 24 * time.Hour
	leastPercentile   = 50
	mostPercentile    = 99
	defaultPercentile = 95
)

// objectiveOf resolves the objective, nil where the spec gives none. It is
// instead of bands and of fixed steps, so that both beside it are refused.
func objectiveOf(spec v1alpha1.LoadScalerSpec) (*scaling.Objective, error) {
	if spec.Objective == nil {
		return nil, nil
	}
	wait, percentile := spec.Objective.Wait.Duration, orDefault(spec.Objective.Percentile, defaultPercentile)
	var errs []error
	if wait < leastWait || wait > mostWait {
		errs = append(errs, fmt.Errorf("objective.wait: expected 1s to 24h, got %s", wait))
	}
	if percentile < leastPercentile || percentile > mostPercentile {
		errs = append(errs, fmt.Errorf("objective.percentile: expected %d to %d, got %d", leastPercentile, mostPercentile, percentile))
	}
	if spec.Step != nil {
		errs = append(errs, errors.New("step: expected none beside an objective, which gives moves their size; leave out one of them"))
	}
	for _, l := range spec.Loads {
		if l.Low != nil || l.High != nil || l.Target != nil {
			errs = append(errs, fmt.Errorf("loads[%s]: expected no low, high and target beside an objective, which is instead of bands; leave out one of them", l.Name))
		}
	}
	zone, err := forecastZone(*spec.Objective)
	errs = append(errs, err)
	return &scaling.Objective{Wait: wait, Percentile: float64(percentile), Zone: zone}, errors.Join(errs...)
}

// forecastZone is the zone that a forecast learns by, nil where there is to be none.
func forecastZone(o v1alpha1.Objective) (*time.Location, error) {
	switch o.Forecast {
	case "", v1alpha1.ForecastAuto:
	case v1alpha1.ForecastDisabled:
		return nil, nil
	default:
		return nil, fmt.Errorf("objective.forecast: expected Auto or Disabled, got %q", o.Forecast)
	}
	if o.TimeZone == "" {
		return time.UTC, nil
	}
	zone, err := zoneOf(o.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("objective.timeZone: %w", err)
	}
	return zone, nil
}
