package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

const tuneScaler = `
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}
  minReplicas: 3
  maxReplicas: 20
%s`

// tuned are all settings that would be tried of a LoadScaler, if all were finalists.
func tuned(t *testing.T, spec string) []setting {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scaler.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, tuneScaler, spec), 0o600); err != nil {
		t.Fatal(err)
	}
	tune := tuner{rehearsal: rehearsal{load: "a", output: "table", parallel: 1, past: past{service: time.Second}}, file: file, wait: 30 * time.Second, percentile: 95, holdOut: 0.3}
	tune.model.given = func(string) bool { return false }
	task, err := tune.task()
	if err != nil {
		t.Fatal(err)
	}
	s := settings{of: tune.of(task)}
	s.add(&task.scaler.Spec)
	task.shapes(&s)
	for _, one := range slices.Clone(s.all) {
		s.turns(one, 2)
		s.turns(one, 10)
	}
	return s.all
}

func TestKnobsThatAreTurned(t *testing.T) {
	has := func(what func(setting) bool) func([]setting) bool {
		return func(all []setting) bool { return slices.ContainsFunc(all, what) }
	}
	no := func(what func(setting) bool) func([]setting) bool {
		return func(all []setting) bool { return !slices.ContainsFunc(all, what) }
	}
	objective := func(s setting) bool { return s.policy.Objective != nil }
	band := func(s setting) bool { return s.policy.Objective == nil }
	lower := func(s setting) bool { return s.policy.Min < 3 }
	higher := func(s setting) bool { return s.policy.Min == 10 }
	slower := func(s setting) bool { return s.every() == time.Minute }
	faster := func(s setting) bool { return s.every() == 5*time.Second }
	unscheduled := func(s setting) bool { return len(s.policy.Schedules) == 0 }
	foretold := func(s setting) bool { return s.policy.Objective != nil && s.policy.Objective.Zone != nil }
	stepped := func(s setting) bool { return s.policy.Step != nil && s.policy.Objective != nil }
	for _, c := range []struct {
		name, spec string
		want       func([]setting) bool
	}{
		{"objectives beside a band", "  loads: [{name: a, http: {url: 'http://x/', value: body.a}}]", has(objective)},
		{"bands beside an objective", "  loads: [{name: a, http: {url: 'http://x/', value: body.a}}]\n  objective: {wait: 10s}", has(band)},
		{"no forecast where the file wants none", "  loads: [{name: a, push: {}}]\n  objective: {wait: 10s, forecast: Disabled}", no(foretold)},
		{"never fewer replicas than the file's", "  loads: [{name: a, http: {url: 'http://x/', value: body.a}}]", no(lower)},
		{"as many as there is work on average", "  loads: [{name: a, http: {url: 'http://x/', value: body.a}}]", has(higher)},
		{"the interval", "  loads: [{name: a, http: {url: 'http://x/', value: body.a}}]", has(slower)},
		{"not the interval of what comes by itself", "  loads: [{name: a, push: {}}]", no(faster)},
		{"no interval at which readings would be stale", "  loads: [{name: a, http: {url: 'http://x/', value: body.a}, staleAfter: 45s}]", no(slower)},
		{"no objective where other loads have bands", "  loads: [{name: a, push: {}}, {name: b, push: {}, type: Total, target: 3}]", no(objective)},
		{"no schedules", "  loads: [{name: a, push: {}}]\n  schedules: [{start: '0 9 * * 1-5', end: '0 21 * * 1-5', timeZone: Asia/Shanghai, minReplicas: 4}]", has(unscheduled)},
		{"no step beside an objective", "  loads: [{name: a, push: {}}]\n  step: {up: 3, down: 1}", no(stepped)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if all := tuned(t, c.spec); !c.want(all) {
				t.Errorf("got %v", all)
			}
		})
	}
}

// Each setting is tried once, and reads differently from all others.
func TestSettingsAreTriedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range tuned(t, "  loads: [{name: a, http: {url: 'http://x/', value: body.a}}]") {
		if seen[s.String()] {
			t.Errorf("twice: %s", s)
		}
		seen[s.String()] = true
	}
	if len(seen) < 100 {
		t.Errorf("got %d settings, expected 100 or more", len(seen))
	}
}

// hours is a demand of two waves, and then of so many requests in the last bins.
func hours(t *testing.T, last int) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("t_s,arrivals,service_s_mean\n")
	for i := range 20 {
		arrivals := 10 + 15*(i%5)
		if i >= 14 {
			arrivals = last
		}
		fmt.Fprintf(&text, "%d,%d,20\n", i*180, arrivals)
	}
	path := filepath.Join(t.TempDir(), "hours.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tuneJSON runs cusme tune -o json.
func tuneJSON(t *testing.T, args ...string) (tuneReport, int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append([]string{"tune", "-o", "json"}, args...), func(string) string { return "" }, &stdout, &stderr)
	if err := fits("tune", stdout.String()); err != nil {
		t.Errorf("%v: %s", err, stdout.Bytes())
	}
	var r tuneReport
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	return r, code
}

// What is held out is not searched on: another end of the history, the same scores, whatever becomes of the choice.
func TestTheSearchDoesNotSeeWhatIsHeldOut(t *testing.T) {
	t.Parallel()
	quiet, _ := tuneJSON(t, "--trace", hours(t, 5))
	busy, _ := tuneJSON(t, "--trace", hours(t, 400))
	if len(quiet.Settings) != len(busy.Settings) {
		t.Fatalf("tried %d and %d settings", len(quiet.Settings), len(busy.Settings))
	}
	for i, s := range quiet.Settings {
		if o := busy.Settings[i]; s.Setting != o.Setting || s.Searched != o.Searched || s.Front != o.Front {
			t.Errorf("got %+v, and with another end %+v", s, o)
		}
	}
	if quiet.Settings[0].HeldOut == nil || *quiet.Settings[0].HeldOut == *busy.Settings[0].HeldOut {
		t.Errorf("the ends make no difference: %+v", quiet.Settings[0])
	}
}

// An end of the history that is like none before refuses what the beginning would choose.
func TestTheHeldOutPartRefuses(t *testing.T) {
	t.Parallel()
	quiet, code := tuneJSON(t, "--trace", hours(t, 5))
	if code != exitFine || !quiet.Met {
		t.Fatalf("got exit %d, met %v, expected a setting that meets the wish", code, quiet.Met)
	}
	busy, code := tuneJSON(t, "--trace", hours(t, 1500))
	if code != exitFailed || busy.Met || busy.PassedOver == 0 || busy.Sure.Level != "low" {
		t.Errorf("got exit %d, met %v, %d passed over, sure: %+v", code, busy.Met, busy.PassedOver, busy.Sure)
	}
}

func TestTuneIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"tune"}, func(string) string { return "" }, &stdout, &stderr)
	if want := "cusme: error: interrupted before the search was done; nothing was written\n"; code != exitFailed || stdout.Len() > 0 || stderr.String() != want {
		t.Errorf("got exit %d, %q and %q, expected %q", code, stdout.String(), stderr.String(), want)
	}
}

// A week is cut into days, anything shorter into twenty parts; each part of the history has some of them.
func TestPartsOfAHistory(t *testing.T) {
	for _, c := range []struct {
		span, block time.Duration
		holdOut     float64
		cut         int
	}{
		{day, 72 * time.Minute, 0.3, 14},
		{20 * time.Minute, time.Minute, 0.05, 19},
		{7 * day, day, 0.3, 5},
		{7*day + time.Hour, day, 0.05, 7},
		{30 * day, day, 0.9, 3},
	} {
		task := task{trace: simulate.Trace{Span: c.span}}
		if err := task.part(c.holdOut); err != nil || task.block != c.block || task.cut != c.cut {
			t.Errorf("%s, %v held out: got %d of %s, %v, expected %d of %s", c.span, c.holdOut, task.cut, task.block, err, c.cut, c.block)
		}
	}
}

// What was searched on is no check: only what was held out is.
func TestFinalsAreJudgedByWhatWasHeldOut(t *testing.T) {
	bad := simulate.Block{Requests: 100, Over: 90, Billed: 5 * time.Hour, Offered: time.Hour}
	good := simulate.Block{Requests: 100, Over: 1, Billed: 2 * time.Hour, Offered: time.Hour}
	f := final{worlds: [][]simulate.Block{{bad, bad, good}, {bad, good, good}, {bad, bad, bad}, {bad, bad, good}, {bad, bad, good}}}
	f.judge(task{cut: 2, wish: scaling.Objective{Wait: 30 * time.Second, Percentile: 95}})
	want := simulate.Score{Over: 94.0 / 500, Billed: 13 * time.Hour / 5, Offered: time.Hour}
	if f.met != 4 || f.last != want {
		t.Errorf("got %d worlds met, %+v, expected 4, %+v", f.met, f.last, want)
	}
}

func TestHowSure(t *testing.T) {
	judged := func(meets bool, met int, high float64) found {
		f := found{choice: simulate.Choice{Meets: meets}, finals: []final{{met: met}}}
		f.spreads.best.Over.High = high
		return f
	}
	for _, c := range []struct {
		name  string
		span  time.Duration
		found found
		level string
		why   int
	}{
		{"two weeks, and nothing against it", 14 * day, judged(true, worlds, 0.05), "high", 0},
		{"two weeks of a load", 14 * day, judged(true, worlds, 0.05), "fair", 1},
		{"a day", day, judged(true, worlds, 0.05), "fair", 1},
		{"an hour", time.Hour, judged(true, worlds, 0.05), "low", 1},
		{"missed in a world", 14 * day, judged(true, worlds-1, 0.05), "fair", 1},
		{"missed in two of five", 14 * day, judged(true, 3, 0.05), "fair", 1},
		{"missed in three of five", 14 * day, judged(true, 2, 0.05), "low", 1},
		{"bad parts", 14 * day, judged(true, worlds, 0.06), "fair", 1},
		{"not met, on an hour, in no world", time.Hour, judged(false, 0, 1), "low", 4},
	} {
		task := task{trace: simulate.Trace{Span: c.span}, wish: scaling.Objective{Wait: 30 * time.Second, Percentile: 95}}
		task.inferred = c.name == "two weeks of a load"
		if s := task.sure(c.found); s.Level != c.level || len(s.Because) != c.why {
			t.Errorf("%s: got %+v, expected %s for %d reasons", c.name, s, c.level, c.why)
		}
	}
}

func TestBandsAreWrittenAsDecimals(t *testing.T) {
	all := tuned(t, "  loads: [{name: a, push: {}}]")
	for i, s := range all {
		f := found{tried: all, finals: []final{{setting: i}}}
		task := task{scaler: sketch(), wish: scaling.Objective{Wait: 30 * time.Second, Percentile: 95}, trace: simulate.Day()}
		text, err := task.manifest(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "00m\n") {
			t.Fatalf("expected decimals, got %s", text)
		}
		again, err := scalerFile{path: "-", stdin: strings.NewReader(text)}.only()
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		read, err := (&rehearsal{}).understand(subject{name: "webui", spec: again.Spec})
		if err != nil || fmt.Sprint(setting{candidate: read}) != s.String() {
			t.Errorf("%s came back as %s, %v", s, setting{candidate: read}, err)
		}
	}
}
