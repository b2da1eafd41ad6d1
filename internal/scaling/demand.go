package scaling

import (
	"fmt"
	"math"
)

// demand returns what the load alone asks for: each load's own demand, then the
// highest. A load that is not fresh asks for what there is, and for what was given
// up for lack of stock, so that it may be outvoted upwards and never lets the
// number fall, unless its fallback is due.
func demand(in *input, _ int32) (int32, string) {
	i, found := leading(in.loads)
	if !found {
		return in.Replicas, "no load is configured"
	}
	top := in.loads[i]
	if top.Holds {
		return top.Demand, "holding: " + top.Why
	}
	return top.Demand, top.Why
}

// leading is the index of the load that decides: the highest demand, and of
// equals one that only holds, for it is what keeps the number from falling.
// There is none among inputs alone.
func leading(loads []Verdict) (top int, found bool) {
	for i, v := range loads {
		t := loads[top]
		if !v.Input && (!found || v.Demand > t.Demand || v.Demand == t.Demand && v.Holds && !t.Holds) {
			top, found = i, true
		}
	}
	return top, found
}

func (in *input) assess() []Verdict {
	out := make([]Verdict, len(in.Policy.Loads))
	for i, l := range in.Policy.Loads {
		out[i] = in.verdict(l)
	}
	return out
}

// verdict is what one load asks for.
func (in *input) verdict(l Load) Verdict {
	v := Verdict{Reading: in.reading(l.Name), Input: l.Input}
	v.State, v.Why = v.judge(in.Now, l)
	switch {
	case l.Input && v.State == Fresh:
		v.Why = fmt.Sprintf("%s is %s", l.Name, number(v.Value))
		return v
	case l.Input:
		return v
	case v.State != Fresh:
		return in.unread(v)
	}
	v.Total = in.total(l, v.Reading)
	if in.Objective != nil {
		v.Demand, v.Why = in.meet(l, v)
	} else {
		v.Demand, v.Why = in.size(l, v)
	}
	if v.Partial != "" && v.Demand < in.held() {
		v.Demand, v.Holds = in.held(), true
		v.Why = fmt.Sprintf("%s, but %s: removes nothing", v.Why, v.Partial)
	}
	return v
}

// total turns a reading into the load of the whole service. A ratio speaks of
// the pods that were ready when it was taken: multiplied again after a pod
// became ready, the same reading would claim more load than there is.
func (in *input) total(l Load, r Reading) float64 {
	if l.Total {
		return r.Value
	}
	return r.Value * float64(in.sighting(in.Observation, r).Ready)
}

// span returns the least and the most that the load of the whole service may
// be: a ratio made of several speaks of pods before the newest value's, and a
// formula's with the time of an old term may speak of those that are ready now.
func (in *input) span(l Load, v Verdict) (least, most float64) {
	if l.Total {
		return v.Total, v.Total
	}
	pods, newest := in.sighting(in.Observation, v.Reading).Ready, v.Value+v.Drift
	return min(v.Value, newest) * float64(pods), max(v.Value, newest) * float64(max(pods, in.ready()))
}

// size returns how many replicas one fresh load asks for. It grows only when
// the load exceeds the band even with all replicas on their way in service, and
// shrinks only when the load is below the band already. It grows by the least
// that the load may be, and shrinks by the most.
func (in *input) size(l Load, v Verdict) (int32, string) {
	n, capacity := in.Replicas, float64(max(1, in.trusted()))
	less, more := v, v
	less.Total, more.Total = in.span(l, v)
	coming := less.Total / capacity
	now, newest := coming, coming
	if !l.Total {
		now, newest = v.Value, v.Value+v.Drift
	}
	says := l.Name + " " + number(now)
	switch {
	case n == 0 && l.Total && v.Total > 0, coming > l.High:
		return in.grow(l, less, l.Name+" "+number(max(now, coming)))
	case now > l.High && newest <= l.High:
		return n, fmt.Sprintf("%s is above %s, but its newest value, %s, is not", says, number(l.High), number(newest))
	case now > l.High && in.starting() == 0:
		return n, fmt.Sprintf("%s is above %s, but it was read before the newest pods were ready: with them it is %s", says, number(l.High), number(coming))
	case now > l.High:
		return n, fmt.Sprintf("%s is above %s, but with %s on the way it will be %s", says, number(l.High), count(in.starting(), "replica"), number(coming))
	case now < l.Low && newest >= l.Low:
		return n, fmt.Sprintf("%s is below %s, but its newest value, %s, is not", says, number(l.Low), number(newest))
	case now < l.Low:
		return in.shrink(l, more, says)
	default:
		return n, fmt.Sprintf("%s is within %s..%s", says, number(l.Low), number(l.High))
	}
}

func (in *input) grow(l Load, v Verdict, says string) (int32, string) {
	if stuck := in.stuck(); stuck > in.ready() {
		return in.Replicas, fmt.Sprintf("%s is above %s, but %s cannot start: more would not help", says, number(l.High), count(stuck, "pod"))
	}
	if in.Step != nil {
		return in.takeStep(v, in.Step.Up, fmt.Sprintf("%s is above %s", says, number(l.High)))
	}
	want := max(1, atLeast(v.Total/l.Target))
	if in.Replicas == 0 {
		return want, fmt.Sprintf("%s, and nothing serves it: %d would bring it to %s", says, want, number(v.Total/float64(want)))
	}
	why := fmt.Sprintf("%s on %s is above %s: %d would bring it to %s", says, count(in.ready(), "ready pod"), number(l.High), want, number(v.Total/float64(want)))
	if gap := in.Replicas - in.trusted(); gap > 0 {
		want = clamp(int64(want) + int64(gap))
		why += fmt.Sprintf("; made up for: %s", count(gap, "pod that cannot be counted on", "pods that cannot be counted on"))
		if len(in.doubted) > 0 {
			why += fmt.Sprintf(" (%s)", in.doubtful(in.doubted[0]))
		}
	}
	return max(in.Replicas, want), why
}

func (in *input) shrink(l Load, v Verdict, says string) (int32, string) {
	n := in.Replicas
	if n == 0 {
		return 0, fmt.Sprintf("%s is below %s, and there is nothing to remove", says, number(l.Low))
	}
	if in.Step != nil {
		return in.takeStep(v, -in.Step.Down, fmt.Sprintf("%s is below %s", says, number(l.Low)))
	}
	want := min(n, atLeast(v.Total/l.Target))
	if want == n {
		return n, fmt.Sprintf("%s is below %s, and %s needed to stay within %s", says, number(l.Low), are(n), number(l.Target))
	}
	return want, fmt.Sprintf("%s on %s is below %s: %s enough", says, count(in.ready(), "ready pod"), number(l.Low), are(want))
}

// takeStep moves by a fixed step, once per reading: one that was taken before
// the last move cannot know of it and would order the same step again.
func (in *input) takeStep(v Verdict, by int32, why string) (int32, string) {
	last, moved := in.lastMove()
	switch {
	case by == 0:
		return in.Replicas, why + ": the step in this direction is 0"
	case moved && !v.At.After(last.At):
		return in.Replicas, why + ": answered already, waiting for the next reading"
	case by < 0:
		return max(0, in.Replicas+by), fmt.Sprintf("%s: a step of %d down", why, -by)
	default:
		return clamp(int64(in.Replicas) + int64(by)), fmt.Sprintf("%s: a step of %d up", why, by)
	}
}

// atLeast rounds up to whole replicas. The slack keeps 2.6/0.65, a hair above
// 4 in binary, from becoming 5. It does not make nothing of the least load:
// what starts a replica at zero must not stop it again.
func atLeast(replicas float64) int32 {
	switch up := math.Ceil(replicas - 1e-9); {
	case replicas <= 0:
		return 0
	case up >= math.MaxInt32:
		return math.MaxInt32
	default:
		return int32(max(1, up))
	}
}

func clamp(n int64) int32 {
	return int32(min(n, math.MaxInt32))
}

// count writes a number with its noun. A plural that is not the noun with an s is given.
func count(n int32, noun string, plural ...string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case len(plural) > 0:
		return fmt.Sprintf("%d %s", n, plural[0])
	default:
		return fmt.Sprintf("%d %ss", n, noun)
	}
}

// are writes a number of replicas with its verb.
func are(n int32) string {
	if n == 1 {
		return "1 replica is"
	}
	return fmt.Sprintf("%d replicas are", n)
}
