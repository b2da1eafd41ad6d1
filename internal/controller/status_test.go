package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// turn decides once for a target with so many ready pods.
func turn(policy scaling.Policy, replicas int32, ready int, readings ...scaling.Reading) scaling.Tick {
	o := scaling.Observation{Now: noon, Replicas: replicas, Readings: readings, Order: scaling.OrderCost}
	for i := range ready {
		o.Pods = append(o.Pods, scaling.Pod{Name: string(rune('a' + i)), UID: string(rune('a' + i)), Node: "n", Phase: scaling.PhaseRunning, Ready: true, ReadySince: noon.Add(-time.Hour), Created: noon.Add(-time.Hour)})
	}
	return scaling.Tick{Scaler: "aicloud/webui", Observation: o, Policy: policy, Decision: scaling.Decide(o, policy, scaling.History{})}
}

func fresh(value float64) scaling.Reading {
	return scaling.Reading{Load: "backend", Value: value, At: noon}
}

var plain = scaling.Policy{
	Min: 1, Max: 10, StartDeadline: time.Minute,
	Loads: []scaling.Load{{Name: "backend", Low: 0.5, High: 0.8, Target: 0.65, StaleAfter: time.Minute}},
}

func webui() *v1alpha1.LoadScaler {
	ls := &v1alpha1.LoadScaler{ObjectMeta: metav1.ObjectMeta{Namespace: "aicloud", Name: "webui", Generation: 3}}
	ls.Spec.ScaleTargetRef = v1alpha1.TargetRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "webui"}
	return ls
}

// crashed is a turn for pods that served and are broken now.
func crashed(n int) scaling.Tick {
	tick := turn(plain, int32(n), n, fresh(0.6))
	for i := range tick.Observation.Pods {
		p := &tick.Observation.Pods[i]
		p.Ready, p.ReadySince, p.Broken = false, time.Time{}, "CrashLoopBackOff"
	}
	tick.Decision = scaling.Decide(tick.Observation, plain, scaling.History{})
	return tick
}

// soldOut is a turn with a pod that found no stock, under a load for one more.
func soldOut() scaling.Tick {
	tick := turn(plain, 3, 3, fresh(0.9))
	p := &tick.Observation.Pods[2]
	p.Ready, p.ReadySince, p.Phase, p.Elastic, p.SoldOut, p.Created = false, time.Time{}, scaling.PhasePending, true, "no GPU left in zone a", noon.Add(-time.Minute)
	tick.Decision = scaling.Decide(tick.Observation, plain, scaling.History{})
	return tick
}

// asking is a turn in which pods can say whether they are busy, and have not.
func asking() scaling.Tick {
	tick := turn(plain, 3, 3, fresh(0.1))
	tick.Policy.AskBusy = true
	tick.Decision = scaling.Decide(tick.Observation, tick.Policy, scaling.History{})
	return tick
}

// fallenBack is a turn without a reading whose fallback is due.
func fallenBack() scaling.Tick {
	policy := plain
	policy.Fallbacks = map[scaling.State]scaling.Fallback{scaling.Failed: {Replicas: 4}}
	return turn(policy, 2, 2, scaling.Reading{Load: "backend", Problem: scaling.Failed, Message: "no answer"})
}

// withInput is a turn with a fresh load, and an input beside it.
func withInput(gpu scaling.Reading) scaling.Tick {
	policy := plain
	policy.Loads = []scaling.Load{{Name: "gpu", Input: true, StaleAfter: time.Minute}, plain.Loads[0]}
	return turn(policy, 2, 2, fresh(0.6), gpu)
}

// Each situation shows in one condition, with a reason to alert on.
func TestConditions(t *testing.T) {
	protecting, windowed := plain, plain
	protecting.MinPodAge = 2 * time.Hour
	windowed.Down.Window = time.Minute
	rollout := turn(plain, 2, 2, fresh(0.6))
	rollout.Observation.Order, rollout.Observation.Unsteerable = scaling.OrderUnknown, "a rollout with 2 live ReplicaSets"
	for name, c := range map[string]struct {
		tick      scaling.Tick
		applyErr  error
		dryRun    bool
		condition string
		want      string
	}{
		"fine":           {turn(plain, 2, 2, fresh(0.6)), nil, false, "ScalingActive", "True Deciding"},
		"dry run":        {turn(plain, 2, 2, fresh(0.6)), nil, true, "ScalingActive", "False DryRun"},
		"blind":          {turn(plain, 2, 2, scaling.Reading{Load: "backend", Problem: scaling.Failed, Message: "no answer"}), nil, false, "ScalingActive", "False NoFreshReading"},
		"failed reading": {turn(plain, 2, 2, scaling.Reading{Load: "backend", Problem: scaling.Failed, Message: "no answer"}), nil, false, "ReadingsFresh", "False Failed"},
		"stale reading":  {turn(plain, 2, 2, scaling.Reading{Load: "backend", Value: 1, At: noon.Add(-time.Hour)}), nil, false, "ReadingsFresh", "False Stale"},
		"fallen back":    {fallenBack(), nil, false, "ScalingActive", "False Fallback"},
		"failed input":   {withInput(scaling.Reading{Load: "gpu", Problem: scaling.Failed, Message: "no answer"}), nil, false, "ReadingsFresh", "False Failed"},
		"input apart":    {withInput(scaling.Reading{Load: "gpu", Problem: scaling.Failed, Message: "no answer"}), nil, false, "ScalingActive", "True Deciding"},
		"refused write":  {turn(plain, 2, 2, fresh(0.9)), errors.New("forbidden"), false, "AbleToScale", "False WriteRefused"},
		"at the maximum": {turn(plain, 10, 10, fresh(0.9)), nil, false, "ScalingLimited", "True Bounds"},
		"young pods":     {turn(protecting, 3, 3, fresh(0.1)), nil, false, "ScalingLimited", "True YoungPods"},
		"stabilizing":    {turn(windowed, 3, 3, fresh(0.1)), nil, false, "ScalingLimited", "True Stabilizing"},
		"in the band":    {turn(plain, 3, 3, fresh(0.6)), nil, false, "ScalingLimited", "False AsDemanded"},
		"rollout":        {rollout, nil, false, "Steerable", "False OwnedElsewhere"},
		"sold out":       {soldOut(), nil, false, "ElasticCapacity", "False SoldOut"},
		"held by stock":  {soldOut(), nil, false, "ScalingLimited", "True SoldOut"},
		"in stock":       {turn(plain, 3, 3, fresh(0.6)), nil, false, "ElasticCapacity", "True NoShortage"},
		"asking":         {asking(), nil, false, "ScalingLimited", "True AskingPods"},
		"steerable":      {turn(plain, 3, 3, fresh(0.6)), nil, false, "Steerable", "True Steered"},
	} {
		ls := webui()
		ls.Spec.DryRun = c.dryRun
		s := statusOf(ls, &memory{}, c.tick, c.applyErr)
		got := meta.FindStatusCondition(s.Conditions, c.condition)
		if got == nil || string(got.Status)+" "+got.Reason != c.want || got.Message == "" {
			t.Errorf("%s: got %+v, want %s %s with a sentence", name, got, c.condition, c.want)
		}
	}
}

// Status is no ticker: a load that breathes is no news, and what changes a
// decision, its steps, a condition or the pods' settling is.
func TestWhatIsNews(t *testing.T) {
	m := &memory{}
	before := statusOf(webui(), m, turn(plain, 3, 3, fresh(0.6)), nil)
	m.status = before
	grown := turn(plain, 3, 3, fresh(0.9))
	grown.Outcome.Wrote = true
	for name, c := range map[string]struct {
		tick scaling.Tick
		news bool
	}{
		"the same":                  {turn(plain, 3, 3, fresh(0.6)), false},
		"another load in the band":  {turn(plain, 3, 3, fresh(0.79)), false},
		"a move":                    {grown, true},
		"a pod that is not ready":   {turn(plain, 3, 2, fresh(0.6)), true},
		"pods that crash":           {crashed(3), true},
		"a reading that failed":     {turn(plain, 3, 3, scaling.Reading{Load: "backend", Problem: scaling.Failed}), true},
		"a rule that began to hold": {turn(scaling.Policy{Min: 3, Max: 3, Loads: plain.Loads}, 3, 3, fresh(0.9)), true},
	} {
		after := statusOf(webui(), m, c.tick, nil)
		if told(before, after) == c.news {
			t.Errorf("%s: news is %t, want %t\nbefore %v\nafter  %v", name, !c.news, c.news, gist(before), gist(after))
		}
	}
}

// What to mend is news: a user who mended one thing must see the next.
func TestAnotherFailureIsNews(t *testing.T) {
	failed := func(why string) v1alpha1.LoadScalerStatus {
		return statusOf(webui(), &memory{}, turn(plain, 3, 3, scaling.Reading{Load: "backend", Problem: scaling.Failed, Message: why}), nil)
	}
	a, b := failed("connection refused"), failed("the answer was 401 Unauthorized")
	if slices.Equal(messages(a), messages(b)) {
		t.Error("another failure was taken for the same")
	}
	if !told(a, b) {
		t.Error("a message alone must not be written at every poll")
	}
	stale := func(age time.Duration) v1alpha1.LoadScalerStatus {
		return statusOf(webui(), &memory{}, turn(plain, 3, 3, scaling.Reading{Load: "backend", Value: 1, At: noon.Add(-age)}), nil)
	}
	if !told(stale(time.Hour), stale(2*time.Hour)) || len(messages(stale(time.Hour))) > 0 {
		t.Error("a stale reading that only grew older was taken for news")
	}
}

// Every load shows with what is to be said of it, inputs too.
func TestLoadsInStatus(t *testing.T) {
	partial := scaling.Reading{Load: "gpu", Value: 7, At: noon, Partial: "2 of 5 pods gave no answer"}
	remarked := partial
	remarked.Message = "its timestamp is ahead by 3s"
	lost := scaling.Reading{Load: "gpu", Value: 7, At: noon.Add(-time.Minute), Problem: scaling.Failed, Message: "no answer"}
	for message, c := range map[string]struct {
		reading scaling.Reading
		state   string
	}{
		"":                           {scaling.Reading{Load: "gpu", Value: 7, At: noon}, "Fresh"},
		"2 of 5 pods gave no answer": {partial, "Fresh"},
		"2 of 5 pods gave no answer; its timestamp is ahead by 3s": {remarked, "Fresh"},
		"gpu is unknown: no answer":                                {lost, "Failed"},
	} {
		got := statusOf(webui(), &memory{}, withInput(c.reading), nil)
		gpu, backend := got.Loads[0], got.Loads[1]
		if gpu.Name != "gpu" || gpu.State != c.state || gpu.Value != "7" || gpu.ObservedAt == nil || gpu.Message != message {
			t.Errorf("got %+v, want %s with %q", gpu, c.state, message)
		}
		if backend.Name != "backend" || backend.Value != "0.6" || got.Summary.Load != "0.6" || got.Summary.Band != "0.5..0.8" {
			t.Errorf("beside an input: got %+v, summary %+v", backend, got.Summary)
		}
	}
}

// A fallback that will be due is looked at in time, though no reading comes; a scale-in that ends earlier comes first.
func TestLookAgain(t *testing.T) {
	waiting := fallenBack()
	policy := waiting.Policy
	policy.Fallbacks = map[scaling.State]scaling.Fallback{scaling.Failed: {After: 5 * time.Minute, Replicas: 4}}
	waiting.Decision = scaling.Decide(waiting.Observation, policy, scaling.History{})
	shrinking := waiting
	shrinking.Outcome.Settling = 2 * time.Second
	for name, c := range map[string]struct {
		tick scaling.Tick
		want time.Duration
	}{
		"nothing to come": {turn(plain, 2, 2, fresh(0.6)), 0},
		"fallback to be":  {waiting, 5 * time.Minute},
		"scale-in first":  {shrinking, 2 * time.Second},
		"fallback due":    {fallenBack(), 0},
	} {
		if got := (&memory{}).lookAgain(c.tick); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// Conflicts are retried ever more slowly, and forgotten once a write was taken.
func TestConflictsBackOff(t *testing.T) {
	m, conflict := &memory{}, fmt.Errorf("scale: %w", target.ErrConflict)
	var waits []time.Duration
	for range 9 {
		waits = append(waits, m.retry(conflict))
	}
	if waits[0] != firstRetry || waits[8] != lastRetry || !slices.IsSorted(waits) {
		t.Errorf("got %v", waits)
	}
	if wait := m.retry(nil); wait != 0 || m.conflicts != 0 {
		t.Errorf("after a write: wait %s, %d conflicts", wait, m.conflicts)
	}
}

// The columns of kubectl get tell the state in short words.
func TestSummary(t *testing.T) {
	tick := turn(plain, 2, 2, fresh(0.93))
	tick.Outcome.Wrote = true
	s := statusOf(webui(), &memory{lastScale: noon}, tick, nil)
	want := v1alpha1.Summary{Target: "Deployment/webui", Load: "0.93", Band: "0.5..0.8", Pods: "2/1/0", Why: "backend 0.93 on 2 ready pods is above 0.8: 3 would bring it to 0.62"}
	if s.Summary != want {
		t.Errorf("got  %+v\nwant %+v", s.Summary, want)
	}
	if s.LastScaleTime == nil || !s.LastScaleTime.Time.Equal(noon) || s.DesiredReplicas != 3 || s.StartingReplicas != 1 {
		t.Errorf("got %+v", s)
	}
}

// Where a target is sized for a wait there is no band; the column shows what is kept to.
func TestSummaryOfAnObjective(t *testing.T) {
	tick := turn(scaling.Policy{Max: 9, Objective: &scaling.Objective{Wait: 90 * time.Second, Percentile: 95}, Loads: []scaling.Load{{Name: "backend", StaleAfter: time.Minute}}}, 2, 2)
	if got, want := summaryOf(webui(), tick).Band, "p95 of waits ≤ 1m30s"; got != want {
		t.Errorf("the band is %q, want %q", got, want)
	}
}

// Sentences fit into their fields whatever is in them, and stay valid text.
func TestSentencesAreCut(t *testing.T) {
	long := strings.Repeat("负载 \n", 1000)
	if got := oneLine(long); len(got) > maxSentence || strings.Contains(got, "\n") || !utf8.ValidString(got) {
		t.Errorf("oneLine gave %d bytes, valid %t", len(got), utf8.ValidString(got))
	}
	if got := note(2, 5, scaling.Decision{Reasons: []scaling.Reason{{Step: scaling.Demand, Why: long}}}); len(got) > 1024 || !utf8.ValidString(got) {
		t.Errorf("note gave %d bytes, valid %t", len(got), utf8.ValidString(got))
	}
}

func TestTheLogKnowsNoNumberOfALoadThatIsNotFresh(t *testing.T) {
	old := fresh(0.6)
	old.At = noon.Add(-time.Hour)
	for _, c := range []struct {
		reading scaling.Reading
		want    any
	}{
		{fresh(0.6), 0.6},
		{old, "Stale"},
		{scaling.Reading{Load: "backend", Problem: scaling.Failed, Message: "no answer"}, "Failed"},
	} {
		fields := logged(webui(), turn(plain, 3, 3, c.reading))
		at := slices.Index(fields, any("backend"))
		if at < 0 || fields[at+1] != c.want {
			t.Errorf("of %+v the log says %v, want backend %v", c.reading, fields, c.want)
		}
	}
}
