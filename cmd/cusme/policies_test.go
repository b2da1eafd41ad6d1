package main

import (
	"math"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

// The tests here take all processors, and none of them is parallel: others wait for a control plane meanwhile.

const noTraces = "no recorded traces: set CUSME_TRACES to a directory of CSV files"

// arenasFor are the recorded ones, or none and the test is skipped.
func arenasFor(t *testing.T) []arena {
	t.Helper()
	arenas := recordedArenas(t)
	if len(arenas) == 0 {
		t.Skip(noTraces)
	}
	return arenas
}

// eight are the traces for which the figures below were set: public ones, of which these are the names.
var eight = []string{
	"img_genai_day", "img_sd_nov", "llm_azure_conv", "llm_mooncake_conv",
	"llm_servegen_mlarge", "llm_servegen_msmall", "web_nasa_july", "jobs_openb",
}

// theEight are the arenas of these traces.
func theEight(t *testing.T, arenas []arena) (all []arena) {
	t.Helper()
	for _, name := range eight {
		all = append(all, arenaNamed(t, arenas, name))
	}
	return all
}

// One setting for all traces: nothing but an objective, and the same with protected pods.
func TestObjectiveOnRecordedTraces(t *testing.T) {
	arenas := theEight(t, arenasFor(t))
	for _, c := range []struct {
		file    string
		ratio   float64
		started int64
		young   bool
	}{
		{"objective", 1.70, 42_800, true},
		{"objective-young", 1.95, 42_800, false},
	} {
		bouts := boutsOf(arenas, cusmeOf(t, c.file))
		fight(t, bouts)
		for _, b := range bouts {
			t.Logf("%s on %s: %s, %d started, %.2f s", c.file, b.arena.Name, b.cell(), b.Started, b.took.Seconds())
		}
		s := scoreOf(bouts)
		t.Logf("%s: ratio %.3f, %d goals, %.2f %% waited too long, %d started, %d of them gone young", c.file, s.ratio, s.goals, 100*s.over, s.started, s.young)
		if s.ratio > c.ratio || s.goals < len(eight) || s.over > 0.02 || s.started > c.started || !c.young && s.young > 0 {
			t.Errorf("%s: expected a ratio of at most %.2f, %d goals, at most 2 %% that waited too long and %d started; with protection none gone young", c.file, c.ratio, len(eight), c.started)
		}
	}
}

func boutsOf(arenas []arena, c simulate.Contender) []bout {
	bouts := make([]bout, len(arenas))
	for i, a := range arenas {
		bouts[i] = bout{arena: a, Contender: c}
	}
	return bouts
}

// The world is one in which others have been measured before, by another simulation: a Deployment of one slot per pod and one queue,
// lognormal start-ups of 60 s and 150 s, polls each 15 s, a grace of 30 s. Ratios of that, by eight; and their geometric mean with
// the jobs drained.
func TestWorldIsTheOneMeasuredBefore(t *testing.T) {
	arenas := theEight(t, arenasFor(t))
	step := scaling.FixedStep{Up: 3, Down: 1}
	for _, c := range []struct {
		simulate.Contender
		ratios []float64
		mean   float64
	}{
		{simulate.Original(time.Minute, step, 10*time.Minute), []float64{2.33, 7.90, 1.83, 1.85, 3.59, 3.52, 2.82, 1.89}, 2.84},
		{simulate.Original(5*time.Minute, step, 10*time.Minute), []float64{2.18, 6.06, 1.72, 1.62, 2.71, 2.68, 2.30, 1.87}, 2.41},
		{simulate.HPA(0.65), []float64{2.70, 7.38, 1.94, 2.08, 5.05, 6.02, 3.80, 1.88}, 3.39},
	} {
		drained := boutsOf(arenas, c.Contender)
		killed := boutsOf(arenas, c.Contender)
		for i := range killed {
			killed[i].world.Drain = false
		}
		fight(t, drained)
		fight(t, killed)
		for i, b := range killed {
			if off := b.Ratio()/c.ratios[i] - 1; math.Abs(off) > 0.03 {
				t.Errorf("%s on %s: expected a ratio within 3 %% of %.2f, got %.2f", c.Name, b.arena.Name, c.ratios[i], b.Ratio())
			}
		}
		if s := scoreOf(drained); math.Abs(s.ratio/c.mean-1) > 0.03 {
			t.Errorf("%s: expected a mean ratio within 3 %% of %.2f, got %.2f", c.Name, c.mean, s.ratio)
		}
	}
}

// Knative's autoscaler has 3.5 with a p95 of 45 s here, and KEDA 5.5 with 15 s.
func TestObjectiveFromZero(t *testing.T) {
	bouts := []bout{fromZero(arenaNamed(t, arenasFor(t), "img_sd_nov"), cusmeOf(t, "objective"))}
	fight(t, bouts)
	t.Logf("from zero: %s", bouts[0].cell())
	if bouts[0].Ratio() > 3.3 || bouts[0].Waits.P95 > 45*time.Second {
		t.Errorf("from zero: expected a ratio of at most 3.3 with a p95 of at most 45 s, got %s", bouts[0].cell())
	}
}

func fromZero(a arena, c simulate.Contender) bout {
	a.world.Min, a.world.Warm = 0, 0
	return bout{arena: a, Contender: c}
}

// Under a grace of 30 s, with pods that tell whether they work. An HPA loses 616 requests here.
func TestJobsAreNotLost(t *testing.T) {
	bouts := []bout{killed(arenaNamed(t, arenasFor(t), "jobs_openb"), cusmeOf(t, "objective"))}
	fight(t, bouts)
	t.Logf("jobs: %s, %d lost", bouts[0].cell(), bouts[0].Lost)
	if bouts[0].Ratio() > 1.4 || bouts[0].Lost > 0 {
		t.Errorf("jobs: expected a ratio of at most 1.4 and none lost, got %s and %d lost", bouts[0].cell(), bouts[0].Lost)
	}
}

func killed(a arena, c simulate.Contender) bout {
	a.world.Drain, a.world.TellBusy = false, true
	return bout{arena: a, Contender: c}
}

// The mean of three seeds, as one alone moves ratios by 2 %, and the share that waited too long by 1 in a thousand.
func TestFaultsAreAsGoodAsHolding(t *testing.T) {
	const seeds = 3
	var bouts []bout
	for seed := range uint64(seeds) {
		a := arenaNamed(t, arenasFor(t), "web_nasa_july")
		a.world.Seed = seed + 1
		bouts = append(bouts, trialsOf(a, cusmeOf(t, "objective"))...)
	}
	fight(t, bouts)
	ratio, over := map[string]float64{}, map[string]float64{}
	for _, b := range bouts {
		t.Logf("%s, seed %d: %s, %.2f %% waited too long, %d started", b.Contender.Name, b.world.Seed, b.cell(), 100*b.Waits.Over, b.Started)
		ratio[b.Contender.Name] += b.Ratio() / seeds
		over[b.Contender.Name] += b.Waits.Over / seeds
	}
	for name := range ratio {
		if ratio[name] > 1.02*ratio[held] || over[name] > over[held]+0.001 {
			t.Errorf("%s: expected what holding comes to, a ratio of %.3f and %.2f %% that waited too long; got %.3f and %.2f %%", name, ratio[held], 100*over[held], ratio[name], 100*over[name])
		}
	}
}
