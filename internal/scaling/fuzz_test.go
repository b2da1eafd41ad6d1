package scaling

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestInvariants plays random worlds under random policies: whatever happens,
// the invariants hold and no young pod dies.
func TestInvariants(t *testing.T) {
	rapid.Check(t, playRandom)
}

// FuzzDecide is the same under the native fuzzer: go test -fuzz FuzzDecide ./internal/scaling
func FuzzDecide(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed []byte) {
		rapid.MakeFuzz(playRandom)(t, seed)
	})
}

func playRandom(r *rapid.T) {
	w := randomWorld(r)
	for w.next() {
		w.disturb(r)
		o := w.observe()
		d := Decide(o, w.policy, w.history)
		checkInvariants(r, w, o, d)
		w.history = w.history.After(o, d)
		w.apply(r, d)
	}
}

func randomWorld(r *rapid.T) *world {
	seconds := func(name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(r, name)) * time.Second
	}
	low := rapid.Float64Range(0, 2).Draw(r, "low")
	high := low + rapid.Float64Range(0.01, 2).Draw(r, "width")
	w := &world{
		every:    time.Duration(rapid.IntRange(1, 120).Draw(r, "every")) * time.Second,
		start:    seconds("start", 600),
		delay:    seconds("delay", 60),
		replicas: int32(rapid.IntRange(0, 30).Draw(r, "replicas")),
		order:    rapid.SampledFrom([]Order{OrderCost, OrderCost, OrderRank, OrderOrdinal}).Draw(r, "order"),
		machines: rapid.IntRange(0, 30).Draw(r, "machines"),
		stock:    rapid.IntRange(0, 30).Draw(r, "stock"),
		refused:  map[string]time.Time{},
		births:   map[string]time.Time{},
		refusal:  time.Duration(rapid.IntRange(1, 100).Draw(r, "refusal")) * 100 * time.Millisecond,
		kept:     rapid.IntRange(0, 5).Draw(r, "kept"),
	}
	w.policy = Policy{
		Min:           int32(rapid.IntRange(0, 5).Draw(r, "min")),
		MinPodAge:     seconds("minPodAge", 1200),
		AskBusy:       rapid.Bool().Draw(r, "askBusy"),
		AgeFromReady:  rapid.Bool().Draw(r, "ageFromReady"),
		StartDeadline: time.Second + seconds("deadline", 600),
		Up:            randomRules(r, "up"),
		Down:          randomRules(r, "down"),
		Loads: []Load{{
			Name: "load", Total: rapid.Bool().Draw(r, "total"),
			Low: low, High: high, Target: (low + high) / 2, StaleAfter: 3 * w.every,
		}},
	}
	w.policy.Max = w.policy.Min + int32(rapid.IntRange(1, 30).Draw(r, "room"))
	if rapid.Bool().Draw(r, "fixed") {
		w.policy.Step = &FixedStep{Up: int32(rapid.IntRange(1, 5).Draw(r, "stepUp")), Down: int32(rapid.IntRange(1, 5).Draw(r, "stepDown"))}
	}
	w.samples = rapid.SliceOfN(rapid.Custom(randomSample), 1, 40).Draw(r, "samples")
	if rapid.Bool().Draw(r, "outage") {
		from := rapid.IntRange(0, len(w.samples)-1).Draw(r, "from")
		for i := from; i < min(len(w.samples), from+20); i++ {
			w.samples[i] = sample{problem: w.samples[i].problem}
			if w.samples[i].problem == "" {
				w.samples[i].problem = Failed
			}
		}
	}
	w.policy.Schedules = randomSchedules(r, time.Duration(len(w.samples))*w.every)
	w.wakes = rapid.IntRange(1, 3).Draw(r, "wakes")
	w.average = rapid.SampledFrom([]int{0, 0, 4}).Draw(r, "average")
	if rapid.Bool().Draw(r, "two") {
		second := w.policy.Loads[0]
		second.Name, second.Total = "second", !second.Total
		w.policy.Loads = append(w.policy.Loads, second)
		w.second = rapid.SliceOfN(rapid.Custom(randomSample), 1, 40).Draw(r, "second")
	}
	w.distrust(r)
	if rapid.Bool().Draw(r, "objective") {
		wait := time.Duration(rapid.SampledFrom([]int{1, 30, 86400}).Draw(r, "wait")) * time.Second
		w.policy.Objective = &Objective{Wait: wait, Percentile: rapid.Float64Range(50, 99.9).Draw(r, "percentile")}
		w.policy.Step = nil
		w.foretell(r)
	}
	w.startWarm()
	return w
}

// foretell gives the world weeks before it, of which a profile says that the hours differ, most often rightly.
func (w *world) foretell(r *rapid.T) {
	w.policy.Objective.Zone = rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("odd", 27*60), nil}).Draw(r, "zone")
	number := rapid.SampledFrom([]float64{-1, 0, 1, 3, 9.5, 40, 9999})
	score := rapid.Custom(func(r *rapid.T) Score {
		of := rapid.SampledFrom([]float64{100, 20, 5, 4, 0})
		return Score{Rises: of.Draw(r, "rises"), Foretold: of.Draw(r, "foretold"), Off: of.Draw(r, "off"), Waiting: of.Draw(r, "waiting")}
	})
	p := Profile{
		Began: epoch.AddDate(0, 0, -rapid.SampledFrom([]int{60, 60, 60, 14, 13, 0}).Draw(r, "days")),
		Needs: slices.Repeat(rapid.SliceOfN(number, 4, 4).Draw(r, "needs"), SlotsAWeek/4),
		Ever:  Score{Rises: 20, Foretold: 100, Off: 4, Waiting: 100},
		rise:  Rise{From: epoch, Until: epoch.Add(time.Hour), Replicas: rapid.SampledFrom([]int32{30, 99, 3, 0}).Draw(r, "rise")},
	}
	if p.Lately = p.Ever; rapid.IntRange(0, 2).Draw(r, "doubtful") == 0 {
		p.Ever, p.Lately = score.Draw(r, "ever"), score.Draw(r, "lately")
	}
	took := time.Duration(rapid.SampledFrom([]int{1, 60, 600}).Draw(r, "took")) * time.Second
	w.teach(Learned{Profile: p, Ordinary: NewStarts(slices.Repeat([]time.Duration{took}, rapid.IntRange(8, 12).Draw(r, "starts")))})
	quiet := recalled("load", nil)
	quiet.Past, quiet.now = []Stretch{{time.Minute, 1}}, glimpse{at: epoch.Add(-w.every)}
	w.history.Workloads = []Workload{quiet}
}

// distrust gives the world an input, a range of values, and rules for what is not fresh.
func (w *world) distrust(r *rapid.T) {
	last := &w.policy.Loads[len(w.policy.Loads)-1]
	last.Input = len(w.policy.Loads) > 1 && rapid.Bool().Draw(r, "input")
	if rapid.Bool().Draw(r, "ranged") {
		w.policy.Loads[0].ValidRange = &Range{Min: rapid.Float64Range(0, 1).Draw(r, "least"), Max: rapid.SampledFrom([]float64{2, 4, math.Inf(1)}).Draw(r, "most")}
	}
	w.policy.Fallbacks = rapid.MapOfN(
		rapid.SampledFrom([]State{Stale, Failed, Invalid}),
		rapid.Custom(func(r *rapid.T) Fallback {
			return Fallback{
				After:    time.Duration(rapid.SampledFrom([]int{0, 1, 60, 600}).Draw(r, "after")) * time.Second,
				Replicas: int32(rapid.IntRange(0, 40).Draw(r, "fallback")),
				Behavior: rapid.SampledFrom([]FallbackBehavior{"", FallbackStatic, FallbackCurrent, FallbackHigher, FallbackLower}).Draw(r, "behavior"),
			}
		}), 0, 3).Draw(r, "fallbacks")
}

func randomSample(r *rapid.T) sample {
	some := rapid.IntRange(0, 3).Draw(r, "some") == 0
	odd := []float64{math.NaN(), math.Inf(1), -1, 1e300, math.MaxFloat64, 1e-300}
	switch rapid.IntRange(0, 9).Draw(r, "kind") {
	case 0:
		return sample{problem: rapid.SampledFrom([]State{Failed, Invalid, Stale}).Draw(r, "problem")}
	case 1:
		return sample{value: rapid.SampledFrom(odd).Draw(r, "odd")}
	case 2:
		return sample{partial: some}
	default:
		return sample{value: rapid.Float64Range(0, 4).Draw(r, "value"), partial: some}
	}
}

func randomRules(r *rapid.T, name string) Rules {
	return Rules{
		Window: time.Duration(rapid.SampledFrom([]int{0, 0, 30, 300}).Draw(r, name+"Window")) * time.Second,
		Select: rapid.SampledFrom([]Select{SelectMax, SelectMax, SelectMin, SelectDisabled}).Draw(r, name+"Select"),
		Limits: rapid.SliceOfN(rapid.Custom(func(r *rapid.T) Limit {
			return Limit{
				Percent: rapid.Bool().Draw(r, "percent"),
				Value:   int32(rapid.IntRange(1, 150).Draw(r, "value")),
				Period:  time.Duration(rapid.IntRange(1, 600).Draw(r, "period")) * time.Second,
			}
		}), 0, 2).Draw(r, name+"Limits"),
	}
}

// disturb does what a cluster does between two readings: pods break, restart,
// lose and regain readiness, someone sets a cost, a number or a rollout.
func (w *world) disturb(r *rapid.T) {
	if len(w.pods) > 0 && rapid.IntRange(0, 2).Draw(r, "touch") == 0 {
		p := &w.pods[rapid.IntRange(0, len(w.pods)-1).Draw(r, "pod")]
		switch rapid.IntRange(0, 7).Draw(r, "what") {
		case 0:
			p.Broken, p.Ready, p.ReadySince = "CrashLoopBackOff", false, time.Time{}
			p.Restarts++
		case 1:
			p.Cost = int32(rapid.IntRange(-2, 2).Draw(r, "cost"))
		case 2:
			p.Ready, p.ReadySince, p.UnreadySince = false, time.Time{}, w.now
		case 3:
			p.Node = rapid.SampledFrom([]string{"", "node-0", "vci-node1"}).Draw(r, "node")
		case 4:
			p.Phase = rapid.SampledFrom([]Phase{PhasePending, PhaseUnknown, PhaseRunning}).Draw(r, "phase")
		case 5:
			p.Restarts++
		case 6:
			p.Doomed = rapid.SampledFrom([]string{"", "a spot reclaim"}).Draw(r, "doomed")
		case 7:
			p.Busy = rapid.SampledFrom([]Busy{"", Idle, Working}).Draw(r, "busy")
		}
	}
	switch rapid.IntRange(0, 19).Draw(r, "event") {
	case 0:
		w.replicas = int32(rapid.IntRange(0, 40).Draw(r, "foreign"))
		w.settle(w.now)
	case 1:
		w.restart()
	case 2:
		w.blocked = rapid.SampledFrom([]string{"", "a rollout"}).Draw(r, "blocked")
	}
	if w.blocked != "" {
		w.shuffle(r)
	}
}

// shuffle gives the pods costs at random: when nobody can say who goes, anyone may.
func (w *world) shuffle(r *rapid.T) {
	for i := range w.pods {
		w.pods[i].UID = fmt.Sprintf("%08x-%s", rapid.Uint32().Draw(r, "uid"), w.pods[i].Name)
	}
}
