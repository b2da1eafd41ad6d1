package load

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// apart is how much later than the first a second opinion must be. A push is
// found again at every poll, and a cache repeats what it has: that is the same
// answer, not another one. Ages of cached answers come in whole seconds (RFC
// 9111 section 5.1), so the same one may seem up to 1 s younger.
const apart = time.Second

// trust is what is believed of a load's values. It is comparable.
type trust struct {
	valid          scaling.Range // what values can be at all
	maxJump        float64       // 0: any
	confirmZero    bool
	unchangedAfter time.Duration // 0: values may stay what they are
	window         time.Duration // of the aggregate; 0: values stand for themselves
	by             string
}

func trustOf(l v1alpha1.Load) trust {
	t := trust{valid: scaling.Range{Max: math.Inf(1)}, confirmZero: l.Push == nil && l.Expression == ""}
	if l.ConfirmZero != nil {
		t.confirmZero = *l.ConfirmZero
	}
	if r := l.ValidRange; r != nil {
		t.valid = scaling.Range{Min: float(r.Min, 0), Max: float(r.Max, t.valid.Max)}
	}
	t.maxJump = float(l.MaxJump, 0)
	if l.UnchangedAfter != nil {
		t.unchangedAfter = l.UnchangedAfter.Duration
	}
	if l.Aggregate != nil {
		t.window, t.by = l.Aggregate.Window.Duration, l.Aggregate.By
	}
	return t
}

func float(q *resource.Quantity, otherwise float64) float64 {
	if q == nil {
		return otherwise
	}
	return Nearest(*q)
}

// Nearest returns the float that is nearest to a quantity, which its own
// AsApproximateFloat64 does not: it makes 0.8300000000000001 of 0.83.
func Nearest(q resource.Quantity) float64 {
	f, _ := strconv.ParseFloat(q.AsDec().String(), 64) // decimals are always understood; the only error is a range, and comes with ±Inf
	return f
}

// doubts is what has to be remembered of a load's values to judge the next one.
// It is a value: judging leaves it alone and returns the next.
type doubts struct {
	believed float64
	inForce  scaling.Reading // what the believed values came to; its At is zero before the first
	doubted  *opinion        // nil when the newest value is believed
	heard    opinion         // the newest value, and from when it has been the same
	samples  []sample        // what the window holds, oldest first; never written to
}

// An opinion is a value that was said.
type opinion struct {
	value float64
	// at is when it was true. A formula's terms differ in that: at is the oldest's, through the newest's.
	at, through time.Time
}

// after judges the newest reading, and returns what to remember and what to
// believe. Through is the reading's own time, or of a formula's the time of its
// newest term.
//
// A value that is doubted waits for the next good reading; failures in between
// neither confirm nor clear it. Meanwhile the last reading stays in force with
// its own time, so that it can grow too old.
func (d doubts) after(t trust, newest scaling.Reading, through time.Time) (doubts, scaling.Reading) {
	if newest.Problem != "" {
		return d, newest
	}
	// Scaling judges the range too, of readings that never went through here.
	// Here it keeps what is outside out of the memory: no jump, no window.
	if !t.valid.Holds(newest.Value) {
		return d, problem(newest.Load, invalid("it is %s, and its valid range is %s", plain(newest.Value), t.valid))
	}
	said := opinion{newest.Value, newest.At, through}
	d.heard = d.heard.orSame(said)
	if remark := d.remark(t, said); remark != "" {
		d.doubted = d.doubted.orNext(t, said)
		held := d.inForce
		held.Message = remark
		return d, held
	}
	d.believed, d.doubted = said.value, nil
	if err := d.frozen(t, said); err != nil {
		return d, problem(newest.Load, err)
	}
	if t.window > 0 {
		d.samples = t.remember(d.samples, newest)
		newest.Value, newest.Partial = t.aggregate(d.samples)
		newest.Drift = said.value - newest.Value
	}
	d.inForce = newest
	return d, newest
}

// remark says why a value is not believed yet; empty when it is.
func (d doubts) remark(t trust, said opinion) string {
	fell := t.confirmZero && said.value == 0 && d.believed > 0
	jumped := !t.near(said.value, d.believed)
	switch {
	case d.inForce.At.IsZero(), !fell && !jumped, d.doubted.confirms(t, said):
		return ""
	case fell:
		return fmt.Sprintf("0 after %s: believed when the next reading says so too", plain(d.believed))
	default:
		return fmt.Sprintf("%s after %s, farther than maxJump %s: believed when the next reading is near it", plain(said.value), plain(d.believed), plain(t.maxJump))
	}
}

// near reports whether one value may follow the other unasked.
func (t trust) near(a, b float64) bool {
	return t.maxJump == 0 || math.Abs(a-b) <= t.maxJump
}

// agrees reports whether o says the same as said, as far as that is doubted.
func (o *opinion) agrees(t trust, said opinion) bool {
	return o != nil && t.near(o.value, said.value) && (!t.confirmZero || said.value != 0 || o.value == 0)
}

// confirms reports whether said, after the doubted o, is a second opinion.
func (o *opinion) confirms(t trust, said opinion) bool {
	return o.agrees(t, said) && said.at.Sub(o.through) >= apart
}

// orNext returns what waits for a second opinion from now on: the same answer,
// if it was only heard again. A time before it is that of a clock that was set.
func (o *opinion) orNext(t trust, said opinion) *opinion {
	if o.agrees(t, said) && !said.at.Before(o.at) {
		return o
	}
	return &said
}

// orSame returns since when the value has been what is said now.
func (o opinion) orSame(said opinion) opinion {
	if o.at.IsZero() || o.value != said.value {
		return said
	}
	return o
}

// frozen says that a value has been the same for too long. The sentence stays
// the same as well, so that no status is rewritten at every poll.
func (d doubts) frozen(t trust, said opinion) error {
	if t.unchangedAfter == 0 || said.at.Sub(d.heard.at) < t.unchangedAfter {
		return nil
	}
	return fault{scaling.Stale, fmt.Errorf("it has been exactly %s since %s UTC, and unchangedAfter is %s: its source seems frozen",
		plain(said.value), d.heard.at.UTC().Format(time.DateTime), t.unchangedAfter)}
}

// plain writes a value with six significant digits.
func plain(f float64) string { return fmt.Sprintf("%.6g", f) }
