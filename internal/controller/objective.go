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
	return &scaling.Objective{Wait: wait, Percentile: float64(percentile)}, errors.Join(errs...)
}
