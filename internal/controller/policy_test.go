package controller

import (
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
- {name: queue, type: Total, low: 2, high: 8, target: 6, staleAfter: 1m}
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
		Loads:         []scaling.Load{{Name: "queue", Total: true, Low: 2, High: 8, Target: 6, StaleAfter: time.Minute}},
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

// What no API server has checked is checked here, field by field.
func TestPolicyRefuses(t *testing.T) {
	for text, sentence := range map[string]string{
		"maxReplicas: 0\nloads: [{name: a}]":                          "maxReplicas: expected at least 1, got 0",
		"minReplicas: 5\nmaxReplicas: 4\nloads: [{name: a}]":          "minReplicas: expected 0 to maxReplicas (4), got 5",
		"maxReplicas: 4\nstep: {up: -1, down: 1}\nloads: [{name: a}]": "step: expected no negative step, got up -1, down 1",
		"maxReplicas: 4\nminPodAge: -1s\nloads: [{name: a}]":          "minPodAge: expected 0s or more, got -1s",
		"maxReplicas: 4": "loads: expected at least one",
		"maxReplicas: 4\nloads: [{name: a, low: '0.9', high: '0.8'}]":        "loads[a]: expected 0 ≤ low ≤ target ≤ high and target above 0",
		"maxReplicas: 4\nloads: [{name: a, low: 1, high: 2, target: '2.5'}]": "loads[a]: expected 0 ≤ low ≤ target ≤ high and target above 0",
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
