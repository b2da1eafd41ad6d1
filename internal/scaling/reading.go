package scaling

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// mostRatio is the highest ratio per replica that is believed. An overloaded
// service reports tens or hundreds; 1e30 is a broken back end.
const mostRatio = 1e6

// judge returns what a decision at now may make of the reading, and a sentence
// unless that is Fresh. It trusts nobody to have judged the value before, its
// range among it: readings may be replayed, and never have gone through load.
func (r Reading) judge(now time.Time, l Load) (State, string) {
	switch age := now.Sub(r.At); {
	case r.Problem != "":
		return r.Problem, fmt.Sprintf("%s is unknown: %s", r.Load, r.Message)
	case r.At.IsZero():
		return Pending, fmt.Sprintf("%s has not been read yet", r.Load)
	case !(r.Value >= 0) || math.IsInf(r.Value, 1): // NaN compares false
		return Invalid, fmt.Sprintf("%s is %s, which no load can be", r.Load, number(r.Value))
	case l.ValidRange != nil && !l.ValidRange.Holds(r.Value):
		return Invalid, fmt.Sprintf("%s is %s, and its valid range is %s", r.Load, number(r.Value), l.ValidRange)
	case !l.Total && !l.Input && r.Value > mostRatio:
		return Invalid, fmt.Sprintf("%s is %s, which no ratio per replica can be; set the type Total if it is a sum", r.Load, number(r.Value))
	case age > l.StaleAfter:
		return Stale, fmt.Sprintf("%s was %s %s ago, and a reading is believed for %s", r.Load, number(r.Value), brief(age), brief(l.StaleAfter))
	default:
		return Fresh, ""
	}
}

// reading returns the newest reading of a load, or an empty one.
func (o Observation) reading(load string) Reading {
	for _, r := range o.Readings {
		if r.Load == load {
			return r
		}
	}
	return Reading{Load: load}
}

// number writes a load as people do: three significant digits, no exponent for everyday sizes.
func number(v float64) string {
	if v >= 100 && v < 1e6 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// brief writes a duration in whole seconds without trailing zero units: 5m, not 5m0s.
func brief(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := d/time.Hour, d/time.Minute%60, d/time.Second%60
	out := ""
	if h > 0 {
		out += fmt.Sprintf("%dh", h)
	}
	if m > 0 {
		out += fmt.Sprintf("%dm", m)
	}
	if s > 0 || out == "" {
		out += fmt.Sprintf("%ds", s)
	}
	return out
}
