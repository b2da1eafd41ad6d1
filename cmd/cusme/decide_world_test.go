package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cusme.dev/cusme/internal/scaling"
)

// specs are policies in which different steps have their say.
var specs = []string{
	"",
	"  minPodAge: 2m",
	"  minPodAge: 2m\n  ageFrom: Ready\n  startup: {deadline: 1m}",
	"  minReplicas: 0\n  step: {up: 3, down: 1}",
	"  busy: {port: 8080, value: body.busy}",
	"  fallback: {after: 1m, replicas: 4}",
}

// TestDecideAnswersAsDecide: in random worlds that follow the answers, mostly, the verb says what scaling.Decide says of
// the same observations, and the pods that it has marked are those that a ReplicaSet removes.
func TestDecideAnswersAsDecide(t *testing.T) {
	t.Parallel()
	for _, spec := range specs {
		d := deciderFor(t, "Deployment", spec)
		rapid.Check(t, func(rt *rapid.T) {
			w := &decidedWorld{T: rt, policy: d.policy, now: time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC), replicas: 2}
			p := newPartner(t, &decider{policy: d.policy, kind: d.kind})
			for range rapid.IntRange(1, 30).Draw(rt, "lines") {
				w.pass()
				w.compare(p)
			}
			p.in.Close()
		})
	}
}

// A decidedWorld is a target, and the history that the direct way keeps of it.
type decidedWorld struct {
	*rapid.T
	policy   scaling.Policy
	history  scaling.History
	now      time.Time
	replicas int32
	pods     []scaling.Pod
	leaving  int
	born     int
	last     scaling.Reading
}

// pass lets time go by: pods come, start, and fail to answer now and then.
func (w *decidedWorld) pass() {
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 60_000).Draw(w.T, "passed")) * time.Millisecond)
	w.leaving = 0
	for len(w.pods) < int(w.replicas) {
		w.born++
		name := fmt.Sprintf("webui-%d", w.born)
		w.pods = append(w.pods, scaling.Pod{Name: name, UID: name, Node: "n", Phase: scaling.PhasePending, Created: w.now.Truncate(time.Second)})
	}
	for i := range w.pods {
		p := &w.pods[i]
		if p.Busy = ""; w.policy.AskBusy {
			p.Busy = rapid.SampledFrom([]scaling.Busy{scaling.Idle, scaling.Working}).Draw(w.T, "busy")
		}
		if !rapid.Bool().Draw(w.T, "turns") {
			continue
		}
		if p.Ready {
			p.Ready, p.ReadySince, p.UnreadySince = false, time.Time{}, w.now
		} else {
			p.Ready, p.ReadySince, p.UnreadySince, p.Phase = true, w.now, time.Time{}, scaling.PhaseRunning
		}
	}
}

// compare asks both ways, and follows the answer.
func (w *decidedWorld) compare(p *partner) {
	o := scaling.Observation{Now: w.now, Replicas: w.replicas, Pods: slices.Clone(w.pods), Order: scaling.OrderCost, Readings: []scaling.Reading{w.read()}}
	text := w.line(o)
	got := p.told(w.T, text)
	d := scaling.Decide(o, w.policy, w.history)
	w.history = w.history.After(o, d)
	var why []string
	for _, r := range d.Reasons {
		why = append(why, string(r.Step)+": "+r.Why)
	}
	if got.Replicas != d.Replicas || got.why() != strings.Join(why, "; ") {
		w.Fatalf("the verb says %d: %s\nDecide says %d: %s\n%s", got.Replicas, got.why(), d.Replicas, why, text)
	}
	for name, cost := range got.DeletionCosts {
		i := slices.IndexFunc(w.pods, func(p scaling.Pod) bool { return p.Name == name })
		w.pods[i].Cost, w.pods[i].Marked = cost, cost == scaling.MarkedCost
	}
	w.replicas = rapid.SampledFrom([]int32{d.Replicas, d.Replicas, d.Replicas, o.Replicas, o.Replicas + 1}).Draw(w.T, "followed")
	if w.replicas == d.Replicas && d.Replicas != o.Replicas {
		w.history = w.history.Moved(o, d)
		w.shrink(d.Lose)
	}
	w.shrink(nil)
}

// read returns a new reading, or that there is none.
func (w *decidedWorld) read() scaling.Reading {
	w.last.Load, w.last.Problem, w.last.Message = "backend", scaling.Failed, "the observation has none"
	if rapid.IntRange(0, 4).Draw(w.T, "fails") > 0 {
		w.last = scaling.Reading{Load: "backend", Value: rapid.Float64Range(0, 3).Draw(w.T, "load"), At: w.now}
	}
	return w.last
}

// shrink removes what is too many as a ReplicaSet does: the chosen ones, where some were.
func (w *decidedWorld) shrink(chosen []string) {
	for range len(w.pods) - int(w.replicas) {
		gone := scaling.RemovalOrder(w.pods, w.now)[0]
		if chosen != nil && !slices.Contains(chosen, gone.Name) {
			w.Errorf("%s went, %v were chosen", gone.Name, chosen)
		}
		w.pods = slices.DeleteFunc(w.pods, func(p scaling.Pod) bool { return p.Name == gone.Name })
		w.leaving++
	}
}

// line is an observation as whoever asks would write it.
func (w *decidedWorld) line(o scaling.Observation) string {
	pods := []map[string]any{}
	for _, p := range o.Pods {
		pod := map[string]any{"name": p.Name, "created": p.Created, "ready": p.Ready, "node": p.Node, "phase": p.Phase, "deletionCost": p.Cost}
		if p.Ready {
			pod["readySince"] = p.ReadySince
		}
		if p.Busy == scaling.Working {
			pod["busy"] = true
		}
		pods = append(pods, pod)
	}
	line := map[string]any{"time": o.Now, "replicas": o.Replicas, "pods": pods, "leaving": w.leaving}
	if r := o.Readings[0]; r.Problem == "" {
		line["load"] = r.Value
	}
	text, err := json.Marshal(line)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}
