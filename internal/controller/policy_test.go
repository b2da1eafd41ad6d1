package controller

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

func specOf(t *testing.T, text string) v1alpha1.LoadScalerSpec {
	t.Helper()
	var spec v1alpha1.LoadScalerSpec
	if err := yaml.UnmarshalStrict([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// The smallest spec resolves to the original's band and HPA's pace.
func TestPolicyDefaults(t *testing.T) {
	got, err := PolicyOf(specOf(t, `
maxReplicas: 20
loads: [{name: backend}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := scaling.Policy{
		Min: 1, Max: 20,
		Loads:         []scaling.Load{{Name: "backend", Low: 0.5, High: 0.8, Target: 0.65, StaleAfter: 45 * time.Second}},
		StartDeadline: 10 * time.Minute,
		Up:            scaling.Rules{Limits: []scaling.Limit{{Value: 4, Period: 15 * time.Second}, {Percent: true, Value: 100, Period: 15 * time.Second}}},
		Down:          scaling.Rules{Window: 5 * time.Minute, Limits: []scaling.Limit{{Percent: true, Value: 100, Period: 15 * time.Second}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Every field of a spec reaches the policy.
func TestPolicyOfEveryField(t *testing.T) {
	got, err := PolicyOf(specOf(t, `
minReplicas: 0
maxReplicas: 8
interval: 5s
loads:
- {name: queue, type: Total, low: 2, high: 8, target: 6, staleAfter: 1m, validRange: {min: 1, max: "99.5"}}
- {name: gpu, input: true, validRange: {min: "0.5"}}
fallback: {after: 5m, replicas: 4}
step: {up: 3, down: 1}
behavior:
  scaleUp: {stabilizationWindowSeconds: 30, selectPolicy: Min, policies: [{type: Pods, value: 2, periodSeconds: 60}]}
  scaleDown: {selectPolicy: Disabled}
minPodAge: 10m
ageFrom: Ready
startup: {deadline: 4m}`))
	if err != nil {
		t.Fatal(err)
	}
	want := scaling.Policy{
		Min: 0, Max: 8,
		Loads: []scaling.Load{
			{Name: "queue", Total: true, Low: 2, High: 8, Target: 6, StaleAfter: time.Minute, ValidRange: &scaling.Range{Min: 1, Max: 99.5}},
			{Name: "gpu", Input: true, StaleAfter: 15 * time.Second, ValidRange: &scaling.Range{Min: 0.5, Max: math.Inf(1)}},
		},
		Fallbacks:     fallbacks("5m 4 Static", "5m 4 Static", "5m 4 Static"),
		Step:          &scaling.FixedStep{Up: 3, Down: 1},
		Up:            scaling.Rules{Window: 30 * time.Second, Select: scaling.SelectMin, Limits: []scaling.Limit{{Value: 2, Period: time.Minute}}},
		Down:          scaling.Rules{Window: 5 * time.Minute, Select: scaling.SelectDisabled, Limits: []scaling.Limit{{Percent: true, Value: 100, Period: 15 * time.Second}}},
		MinPodAge:     10 * time.Minute,
		AgeFromReady:  true,
		StartDeadline: 4 * time.Minute,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// An objective is instead of bands, of both kinds of load, and paces nothing but what behavior says.
func TestPolicyOfAnObjective(t *testing.T) {
	for name, c := range map[string]struct {
		text       string
		percentile float64
		up, down   scaling.Rules
	}{
		"the wait alone": {"objective: {wait: 30s}", 95, scaling.Rules{}, scaling.Rules{}},
		"a percentile":   {"objective: {wait: 30s, percentile: 50}", 50, scaling.Rules{}, scaling.Rules{}},
		"a behavior": {
			"objective: {wait: 30s, percentile: 99}\nbehavior: {scaleDown: {policies: [{type: Pods, value: 2, periodSeconds: 60}]}}",
			99, scaling.Rules{}, scaling.Rules{Limits: []scaling.Limit{{Value: 2, Period: time.Minute}}},
		},
	} {
		got, err := PolicyOf(specOf(t, "maxReplicas: 20\nloads: [{name: backend}, {name: queue, type: Total}]\n"+c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := scaling.Policy{
			Min: 1, Max: 20,
			Loads:         []scaling.Load{{Name: "backend", StaleAfter: 45 * time.Second}, {Name: "queue", Total: true, StaleAfter: 45 * time.Second}},
			Objective:     &scaling.Objective{Wait: 30 * time.Second, Percentile: c.percentile, Zone: time.UTC},
			StartDeadline: 10 * time.Minute,
			Up:            c.up, Down: c.down,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// Schedules are resolved with their windows; one without a name is called by its start.
func TestPolicyOfSchedules(t *testing.T) {
	p, err := PolicyOf(specOf(t, `
minReplicas: 2
maxReplicas: 20
loads: [{name: backend}]
schedules:
- {name: work, start: "0 9 * * 1-5", end: "0 21 * * 1-5", timeZone: Asia/Shanghai, minReplicas: 4, ramp: 10m}
- {start: "0 1 * * *", end: "0 5 * * *", timeZone: Asia/Shanghai, minReplicas: 0, maxReplicas: 30}`))
	if err != nil || len(p.Schedules) != 2 {
		t.Fatalf("got %d schedules, %v", len(p.Schedules), err)
	}
	work, night := p.Schedules[0], p.Schedules[1]
	if work.Name != "work" || *work.Min != 4 || work.Max != nil || *work.Ramp != 10*time.Minute {
		t.Errorf("work is %+v", work)
	}
	if night.Name != "0 1 * * *" || *night.Min != 0 || *night.Max != 30 || night.Ramp != nil {
		t.Errorf("the night is %+v", night)
	}
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	if start, _, ok := work.Windows.Window(now); !ok || start.Format(time.RFC3339) != "2026-11-23T09:00:00+08:00" {
		t.Errorf("work opened %s (%v)", start, ok)
	}
	d := scaling.Decide(scaling.Observation{Now: now, Replicas: 2}, p, scaling.History{})
	if d.Replicas != 4 || d.Why() != `window "work" opened 09:00 Asia/Shanghai: at least 4` {
		t.Errorf("at noon %d: %s", d.Replicas, d.Why())
	}
	if want := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC); !d.Next.Equal(want) {
		t.Errorf("decides again at %s, want %s", d.Next, want)
	}
}

// A target given alone gets HPA's tolerance as its band, of each direction its own.
func TestToleranceAroundATarget(t *testing.T) {
	for name, c := range map[string]struct {
		behavior  string
		low, high float64
	}{
		"default": {"{}", 0.9, 1.1},
		"own":     {`{scaleUp: {tolerance: "0.2"}, scaleDown: {tolerance: "0.05"}}`, 0.95, 1.2},
		"none":    {`{scaleUp: {tolerance: "0"}, scaleDown: {tolerance: "0"}}`, 1, 1},
		"vast":    {`{scaleUp: {tolerance: "2"}, scaleDown: {tolerance: "2"}}`, 0, 3},
	} {
		p, err := PolicyOf(specOf(t, "maxReplicas: 2\nloads: [{name: a, target: 1}]\nbehavior: "+c.behavior))
		if err != nil {
			t.Fatal(err)
		}
		if l := p.Loads[0]; l.Low != c.low || l.High != c.high || l.Target != 1 {
			t.Errorf("%s: got %v..%v around %v, want %v..%v around 1", name, l.Low, l.High, l.Target, c.low, c.high)
		}
	}
}

// fallbacks writes rules in short: "5m 4 Static", or nothing for none.
func fallbacks(stale, failed, invalid string) map[scaling.State]scaling.Fallback {
	rules := map[scaling.State]scaling.Fallback{}
	for state, text := range map[scaling.State]string{scaling.Stale: stale, scaling.Failed: failed, scaling.Invalid: invalid} {
		var after string
		var rule scaling.Fallback
		if text == "" {
			continue
		}
		if _, err := fmt.Sscan(text, &after, &rule.Replicas, &rule.Behavior); err != nil {
			panic(err)
		}
		rule.After, _ = time.ParseDuration(after)
		rules[state] = rule
	}
	return rules
}

// Each state overrides the fallback field by field; one about which nothing is said holds.
func TestFallbackOfEachState(t *testing.T) {
	for text, want := range map[string]map[scaling.State]scaling.Fallback{
		"{after: 5m, replicas: 4}":                                             fallbacks("5m 4 Static", "5m 4 Static", "5m 4 Static"),
		"{after: 5m, replicas: 4, stale: {after: 0s}}":                         fallbacks("0s 4 Static", "5m 4 Static", "5m 4 Static"),
		"{after: 5m, replicas: 4, failed: {replicas: 0}}":                      fallbacks("5m 4 Static", "5m 0 Static", "5m 4 Static"),
		"{after: 5m, replicas: 4, invalid: {behavior: CurrentReplicas}}":       fallbacks("5m 4 Static", "5m 4 Static", "5m 4 CurrentReplicas"),
		"{behavior: CurrentReplicasIfHigher, after: 1m, replicas: 2}":          fallbacks("1m 2 CurrentReplicasIfHigher", "1m 2 CurrentReplicasIfHigher", "1m 2 CurrentReplicasIfHigher"),
		"{after: 5m, behavior: CurrentReplicas}":                               fallbacks("5m 0 CurrentReplicas", "5m 0 CurrentReplicas", "5m 0 CurrentReplicas"),
		"{failed: {after: 5m, replicas: 4, behavior: CurrentReplicasIfLower}}": fallbacks("", "5m 4 CurrentReplicasIfLower", ""),
		"{stale: {after: 5m, replicas: 4}, invalid: {after: 1m, replicas: 2}}": fallbacks("5m 4 Static", "", "1m 2 Static"),
	} {
		p, err := PolicyOf(specOf(t, "maxReplicas: 4\nloads: [{name: a}]\nfallback: "+text))
		if err != nil || !reflect.DeepEqual(p.Fallbacks, want) {
			t.Errorf("%s\ngot  %v (%v)\nwant %v", text, p.Fallbacks, err, want)
		}
	}
}

// A schedule that cannot be understood is refused, and with it the spec: nothing moves.
func TestSchedulesRefused(t *testing.T) {
	for text, sentence := range map[string]string{
		"schedules: [{name: a, start: 0 9 * * *, end: 0 9 * *, timeZone: Etc/UTC, minReplicas: 2}]":                                                                                    `schedules[a].end: expected a cron line`,
		"schedules: [{start: 0 9 * * *, end: 0 0 30 2 *, timeZone: Etc/UTC, minReplicas: 2}]":                                                                                          `schedules[0].end: expected a time that comes, got "0 0 30 2 *": no year has such a day`,
		"schedules: [{name: a, start: 0 9 * * *, end: 0 21 * * *, timeZone: Mars/Olympus, minReplicas: 2}]":                                                                            `schedules[a].timeZone: expected an IANA time zone`,
		"schedules: [{name: a, start: 0 9 * * *, end: 0 21 * * *, timeZone: Etc/UTC}]":                                                                                                 "schedules[a].minReplicas: expected a number, here or in maxReplicas, got neither",
		"schedules: [{name: a, start: 0 9 * * *, end: 0 21 * * *, timeZone: Etc/UTC, minReplicas: -1}]":                                                                                "schedules[a].minReplicas: expected 0 or more, got -1",
		"schedules: [{name: a, start: 0 9 * * *, end: 0 21 * * *, timeZone: Etc/UTC, minReplicas: 5}]":                                                                                 "schedules[a].minReplicas: expected 0 to maxReplicas (4), got 5",
		"schedules: [{name: a, start: 0 9 * * *, end: 0 21 * * *, timeZone: Etc/UTC, maxReplicas: 0}]":                                                                                 "schedules[a].maxReplicas: expected minReplicas (1) or more, got 0",
		"schedules: [{name: a, start: 0 9 * * *, end: 0 21 * * *, timeZone: Etc/UTC, maxReplicas: 2, ramp: 1m}]":                                                                       "schedules[a].ramp: expected none without minReplicas",
		"schedules: [{name: a, start: 0 9 * * *, end: 0 21 * * *, timeZone: Etc/UTC, minReplicas: 2, ramp: 25h}]":                                                                      "schedules[a].ramp: expected 0s to 24h, got 25h0m0s",
		"schedules: [{name: a, start: 0 9 * * *, end: 0 21 * * *, timeZone: Etc/UTC, minReplicas: 2}, {name: a, start: 0 7 * * *, end: 0 8 * * *, timeZone: Etc/UTC, minReplicas: 2}]": "schedules[a].name: expected another for each schedule",
	} {
		if _, err := PolicyOf(specOf(t, "maxReplicas: 4\nloads: [{name: a}]\n"+text)); err == nil || !strings.HasPrefix(err.Error(), sentence) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, sentence)
		}
	}
}

// What no API server has checked is checked here, field by field.
func TestPolicyRefuses(t *testing.T) {
	for text, sentence := range map[string]string{
		"maxReplicas: 0\nloads: [{name: a}]":                          "maxReplicas: expected at least 1, got 0",
		"minReplicas: 5\nmaxReplicas: 4\nloads: [{name: a}]":          "minReplicas: expected 0 to maxReplicas (4), got 5",
		"maxReplicas: 4\nstep: {up: -1, down: 1}\nloads: [{name: a}]": "step: expected no negative step, got up -1, down 1",
		"maxReplicas: 4\nminPodAge: -1s\nloads: [{name: a}]":          "minPodAge: expected 0s or more, got -1s",
		"maxReplicas: 4": "loads: expected at least one",
		"maxReplicas: 4\nloads: [{name: a, low: '0.9', high: '0.8'}]":                                                     "loads[a]: expected 0 ≤ low ≤ target ≤ high and target above 0",
		"maxReplicas: 4\nloads: [{name: a, low: 1, high: 2, target: '2.5'}]":                                              "loads[a]: expected 0 ≤ low ≤ target ≤ high and target above 0",
		"maxReplicas: 4\nloads: [{name: a}]\nobjective: {}":                                                               "objective.wait: expected 1s to 24h, got 0s",
		"maxReplicas: 4\nloads: [{name: a}]\nobjective: {wait: 30h}":                                                      "objective.wait: expected 1s to 24h, got 30h0m0s",
		"maxReplicas: 4\nloads: [{name: a}]\nobjective: {wait: 1m, percentile: 49}":                                       "objective.percentile: expected 50 to 99, got 49",
		"maxReplicas: 4\nloads: [{name: a}]\nobjective: {wait: 1m, percentile: 100}":                                      "objective.percentile: expected 50 to 99, got 100",
		"maxReplicas: 4\nloads: [{name: a}]\nobjective: {wait: 1m}\nstep: {up: 1, down: 1}":                               "step: expected none beside an objective",
		"maxReplicas: 4\nloads: [{name: a, target: 1}]\nobjective: {wait: 1m}":                                            "loads[a]: expected no low, high and target beside an objective",
		"maxReplicas: 4\nloads: [{name: a, low: 1, high: 2}]\nobjective: {wait: 1m}":                                      "loads[a]: expected no low, high and target beside an objective",
		"maxReplicas: 4\nloads: [{name: a, input: true}]":                                                                 "loads: expected one that asks for replicas, got inputs only",
		"maxReplicas: 4\nloads: [{name: a, validRange: {min: 3, max: 2}}]":                                                "loads[a].validRange: expected 0 ≤ min ≤ max, got min 3, max 2",
		"maxReplicas: 4\nloads: [{name: a}]\nfallback: {}":                                                                "fallback: expected after and replicas, got neither",
		"maxReplicas: 4\nloads: [{name: a}]\nfallback: {replicas: 4}":                                                     "fallback.stale.after: expected a duration such as 5m, here or in fallback.after, got none",
		"maxReplicas: 4\nloads: [{name: a}]\nfallback: {failed: {}}":                                                      "fallback.failed.after: expected a duration",
		"maxReplicas: 4\nloads: [{name: a}]\nfallback: {after: 5m}":                                                       "fallback.invalid.replicas: expected a number for the behavior Static, here or in fallback.replicas, got none",
		"maxReplicas: 4\nloads: [{name: a}]\nfallback: {after: 5m, replicas: 1, stale: {after: -1s}}":                     "fallback.stale.after: expected 0s or more, got -1s",
		"maxReplicas: 4\nloads: [{name: a}]\nfallback: {after: 5m, replicas: -1}":                                         "fallback.stale.replicas: expected 0 or more, got -1",
		"maxReplicas: 4\nloads: [{name: a}]\nfallback: {after: 5m, behavior: Lowest, replicas: 1}":                        "fallback.stale.behavior: expected Static, CurrentReplicas, CurrentReplicasIfHigher or CurrentReplicasIfLower, got Lowest",
		"maxReplicas: 4\nloads: [{name: a}]\nfallback: {after: 5m, behavior: CurrentReplicas, stale: {behavior: Static}}": "fallback.stale.replicas: expected a number for the behavior Static",
	} {
		if _, err := PolicyOf(specOf(t, text)); err == nil || !strings.Contains(err.Error(), sentence) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, sentence)
		}
	}
}

// Whatever the API server accepts has a policy: nothing is refused twice.
func TestPolicyOfAllThatTheAPIServerAccepts(t *testing.T) {
	files, err := filepath.Glob("../../api/v1alpha1/testdata/accepted/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no accepted manifests (%v)", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var ls v1alpha1.LoadScaler
		if err := yaml.UnmarshalStrict(text, &ls); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if _, err := PolicyOf(ls.Spec); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
