package load

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A formula works a load out from others. The zero value is none.
type formula struct {
	expression
	terms []term
}

// A term is a load that a formula uses.
type term struct {
	load       string
	staleAfter time.Duration // 0 where the load does not say; then the formula's own is what counts
}

// uses reports whether a load is one of the terms.
func (f formula) uses(load string) bool {
	return slices.ContainsFunc(f.terms, func(t term) bool { return t.load == load })
}

// same reports whether two formulas work out the same.
func (f formula) same(o formula) bool {
	return f.text == o.text && slices.Equal(f.terms, o.terms)
}

// gravest orders the problems of terms: of several, the last becomes the
// formula's. One that has not been read yet outweighs all, for nothing is known
// of the formula then.
var gravest = []scaling.State{"", scaling.Stale, scaling.Invalid, scaling.Failed, scaling.Pending}

// reading works the formula out from the newest readings of all loads. Its time
// is that of its oldest term, and through that of its newest. With a problem in
// any of its terms it has that problem.
func (f formula) reading(name string, loads []scaling.Reading, now time.Time) (r scaling.Reading, through time.Time) {
	r = scaling.Reading{Load: name}
	values := map[string]float64{}
	for _, t := range f.terms {
		of := t.reading(loads, now)
		if slices.Index(gravest, of.Problem) > slices.Index(gravest, r.Problem) {
			r.Problem, r.Message = of.Problem, fmt.Sprintf("%s: %s", t.load, of.Message)
		}
		if r.At.IsZero() || of.At.Before(r.At) {
			r.At = of.At
		}
		if of.At.After(through) {
			through = of.At
		}
		if of.Partial != "" {
			r.Partial = cmp.Or(r.Partial, fmt.Sprintf("%s: %s", t.load, of.Partial))
		}
		values[t.load] = of.Value
	}
	if r.Problem != "" {
		return scaling.Reading{Load: name, Problem: r.Problem, Message: r.Message}, through
	}
	value, err := f.work(values)
	if err != nil {
		return problem(name, err), through
	}
	r.Value = value
	return r, through
}

// reading finds the term's own. How old it may be is judged here only where the
// load says so itself: scaling judges the formula by its oldest term, and knows
// of no input.
func (t term) reading(loads []scaling.Reading, now time.Time) scaling.Reading {
	i := slices.IndexFunc(loads, func(r scaling.Reading) bool { return r.Load == t.load })
	if i < 0 {
		return pending(t.load)
	}
	r := loads[i]
	if r.Problem == "" && t.staleAfter > 0 && now.Sub(r.At) > t.staleAfter {
		r.Problem = scaling.Stale
		r.Message = fmt.Sprintf("it is %s as of %s UTC, and staleAfter is %s", plain(r.Value), r.At.UTC().Format(time.DateTime), t.staleAfter)
	}
	return r
}

// work evaluates the formula.
func (f formula) work(values map[string]float64) (float64, error) {
	variables := map[string]any{allLoads: values}
	for name, value := range values {
		if name != allLoads {
			variables[name] = value
		}
	}
	out, _, err := f.program.Eval(variables)
	if err != nil {
		return 0, invalid("%s: %s", f.field, printable(err.Error(), sentenceLimit))
	}
	return f.numeric(out)
}

// workOut brings the follower's formulas up to date with its readings.
// Readings.mu is held.
func (f *follower) workOut() {
	var loads []scaling.Reading // read only once there is a formula: most scalers have none
	for _, s := range f.subs {
		if s.source.from != nil {
			continue
		}
		if loads == nil {
			loads = f.readings()
		}
		s.take(s.source.formula.reading(s.source.load, loads, time.Now()))
	}
}

// readings are the newest of all loads, in their order. Readings.mu is held.
func (f *follower) readings() []scaling.Reading {
	out := make([]scaling.Reading, len(f.subs))
	for i, s := range f.subs {
		out[i] = s.reading
	}
	return out
}
