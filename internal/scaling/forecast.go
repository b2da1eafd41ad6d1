package scaling

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// A rise is worth foretelling when it is by a quarter, and by 2 replicas or more: less comes and goes in every hour.
const riseOf, riseBy = 0.25, 2

// forecast orders pods before a rise that the profile of the week expects, so
// that they are ready when it comes. It only ever raises the number, for as long
// as two start-ups take, and only while the profile has been right about rises.
func forecast(in *input, want int32) (int32, string) {
	p := in.Learned.Profile
	if in.Objective == nil || in.Objective.Zone == nil || p.rise.Replicas <= want {
		return want, ""
	}
	ready := p.rise.From.Add(p.rise.Until.Sub(p.rise.From) / 2).In(in.Objective.Zone)
	says := fmt.Sprintf("the profile of the week expects %d for %s", p.rise.Replicas, ready.Format("Monday 15:04 MST"))
	if doubt := p.doubt(in.Now); doubt != "" {
		return want, says + ", but stands aside: " + doubt
	}
	return p.rise.Replicas, fmt.Sprintf("%s; in the last weeks it was off by %s", says, p.Ever.compared())
}

// doubt says why the profile is not acted upon; empty when it has proven itself.
func (p Profile) doubt(now time.Time) string {
	age := now.Sub(p.Began)
	switch {
	case age < provenAfter:
		return fmt.Sprintf("it has seen %d of %d days", int(age/(24*time.Hour)), int(provenAfter/(24*time.Hour)))
	case p.Ever.Rises < provenRises-0.5: // Each fades a little before the next.
		return fmt.Sprintf("it has foretold %.0f rises, and %d are needed to judge it", p.Ever.Rises, provenRises)
	case p.Ever.Off > (1-provenBy)*p.Ever.Waiting:
		return "in the last weeks it was off by " + p.Ever.compared()
	case p.Lately.Off > p.Lately.Waiting:
		return "lately it was off by " + p.Lately.compared()
	}
	return ""
}

// compared says how wrong the profile was, beside the load alone.
func (s Score) compared() string {
	return fmt.Sprintf("%.0f %%, the load alone by %.0f %%", 100*s.Wrong(), 100*s.Waiting/max(1, s.Foretold))
}

// profile returns what is known of the week at this decision.
func (in *input) profile() Profile {
	p := in.Learned.Profile
	if in.Objective == nil || in.Objective.Zone == nil {
		return p
	}
	need, known := in.need()
	if !known {
		return p
	}
	now := in.Now.In(in.Objective.Zone)
	p = p.seen(now, need)
	if !p.rise.From.IsZero() && !now.Before(p.rise.Until) {
		p = p.judged(need)
	}
	if p.rise.From.IsZero() {
		p.rise = in.foretell(p, now, need)
	}
	return p
}

// foretell returns the rise that is to be expected when pods asked for now are
// ready: by as much as other weeks rose, and to no more than they needed.
func (in *input) foretell(p Profile, now time.Time, need int32) Rise {
	lead := in.lead()
	usual, known := p.needs(slotOf(now))
	then, knownThen := p.needs(slotOf(now.Add(lead)))
	if lead == 0 || !known || !knownThen || !rises(usual, then) {
		return Rise{}
	}
	i, _ := leading(in.loads)
	want := in.loads[i].Demand
	expected := min(clamp(int64(math.Round(min(then, float64(need)+then-usual)))), in.Max)
	if !rises(float64(want), float64(expected)) {
		return Rise{}
	}
	return Rise{From: now, Until: now.Add(2 * lead), Replicas: expected, Without: want}
}

// rises reports whether a number is above another by enough to speak of.
func rises(from, to float64) bool { return to-from >= max(riseBy, riseOf*from) }

// need is how many replicas the last minutes would have needed if none had
// waited before: a queue that pods ordered too late have to drain is not in it.
// It is false when a load does not tell.
func (in *input) need() (int32, bool) {
	var most int32
	for i, l := range in.Policy.Loads {
		if l.Input {
			continue
		}
		w := in.workload(l.Name)
		past := w.Past[since(w.Past, riseStarts*in.start()):]
		if v := in.loads[i]; v.State != Fresh || v.Partial != "" || len(past) == 0 {
			return 0, false
		}
		most = max(most, in.needed(w, past))
	}
	return min(most, in.Max), true
}

// needed is how many replicas a past needed, none when nothing was asked of them.
func (in *input) needed(w Workload, past []Stretch) int32 {
	r := in.rehearsal(w)
	r.past = past
	n := r.fewest(past[0].Demand)
	if n == 1 && w.now.all == 0 && !worked(past) {
		return 0
	}
	return n
}

// worked reports whether there was anything to do.
func worked(past []Stretch) bool {
	return slices.ContainsFunc(past, func(s Stretch) bool { return s.Demand > 0.01 })
}
