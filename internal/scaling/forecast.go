package scaling

import (
	"cmp"
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
	if in.Objective == nil || in.Objective.Zone == nil {
		return want, ""
	}
	p := in.Learned.Profile
	expected := min(p.rise.Replicas, in.Max)
	if expected <= want || !p.rise.holds(in.Now) {
		return want, ""
	}
	says := fmt.Sprintf("the profile of the week expects %d for %s", expected, p.rise.ready().In(in.Objective.Zone).Format("Monday 15:04 MST"))
	if doubt := cmp.Or(in.unclear(), p.doubt(in.Now)); doubt != "" {
		return want, says + ", but stands aside: " + doubt
	}
	return expected, fmt.Sprintf("%s; in the last weeks it was off by %s", says, p.Ever.compared())
}

// unclear names a load that does not tell how much there is to do; empty when all tell.
func (in *input) unclear() string {
	for i, l := range in.Policy.Loads {
		if w, v := in.workload(l.Name), in.loads[i]; !l.Input && (v.State != Fresh || v.Partial != "" || len(w.Past) == 0 || w.frozen()) {
			return l.Name + " does not tell enough now"
		}
	}
	return ""
}

// doubt says why the profile is not acted upon; empty when it has proven itself.
func (p Profile) doubt(now time.Time) string {
	age := now.Sub(p.Began)
	switch {
	case age < provenAfter:
		return fmt.Sprintf("it has seen %d of %d days", int(age/(24*time.Hour)), int(provenAfter/(24*time.Hour)))
	case p.Ever.Rises < provenRises-0.5: // Each fades a little before the next.
		return fmt.Sprintf("it has foretold %.0f rises, and %d are needed to judge it", p.Ever.Rises, provenRises)
	case p.Ever.Off > provenBy*p.Ever.Waiting:
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
	if in.Objective == nil || in.Objective.Zone == nil || in.unclear() != "" {
		return p
	}
	now := in.Now.In(in.Objective.Zone)
	if since := now.Sub(p.at); since >= 0 && since < shortestStep {
		return p
	}
	need := in.need()
	p = p.seen(now, need).judged(now, need)
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
	want := in.demanded()
	expected := min(clamp(int64(math.Round(min(then, float64(need)+then-usual)))), in.Max)
	if !rises(float64(want), float64(expected)) {
		return Rise{}
	}
	return Rise{From: now, Until: now.Add(2 * lead), Replicas: expected, Without: want}
}

// rises reports whether a number is above another by enough to speak of.
func rises(from, to float64) bool { return to-from >= max(riseBy, riseOf*from) }

// demanded is what the load alone asks for.
func (in *input) demanded() (most int32) {
	for _, v := range in.loads {
		most = max(most, v.Demand)
	}
	return most
}

// need is how many replicas the last minutes would have needed if none had
// waited before: a queue that pods ordered too late have to drain is not in it.
func (in *input) need() (most int32) {
	for _, l := range in.Policy.Loads {
		if !l.Input {
			most = max(most, in.needed(in.workload(l.Name)))
		}
	}
	return min(most, in.Max)
}

// needed is how many replicas one load needed, none when nothing was asked of them.
func (in *input) needed(w Workload) int32 {
	r := in.rehearsal(w)
	r.past = w.Past[since(w.Past, riseStarts*in.start()):]
	n := r.fewest(r.past[0].Demand)
	if n == 1 && w.now.all == 0 && !worked(r.past) {
		return 0
	}
	return n
}

// worked reports whether there was anything to do.
func worked(past []Stretch) bool {
	return slices.ContainsFunc(past, func(s Stretch) bool { return s.Demand > 0.01 })
}
