package test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/internal/scaling"
)

const (
	rehearsal = 50 * time.Second
	// clockSlack is how far the controller's own reading of the clock may be from the moment its requests were seen.
	clockSlack = 150 * time.Millisecond
)

// tally is what a comparison came to.
type tally struct {
	syncs, ups, downs int
	edges             int      // agreed only within clockSlack: a window's or period's end fell there
	mismatches        []string // inputs and both answers
}

// Every decision of real HorizontalPodAutoscalers, and what Decide makes of the same inputs.
func TestDecideMatchesARealHPA(t *testing.T) {
	needBinary(t)
	api := &scaledAPI{targets: map[string]*scaled{}}
	for _, s := range sequences() {
		api.targets[s.name] = &scaled{replicas: s.from, load: s.load}
	}
	api.aggregate(t)
	policies := map[string]scaling.Policy{}
	for _, s := range sequences() {
		policies[s.name] = policyOf(createHPA(t, s))
	}
	var all tally
	for _, s := range sequences() {
		var syncs []hpaSync
		if err := within(rehearsal+deadline, func() (err error) {
			var over bool
			if syncs, over = api.seen(s.name, rehearsal); !over {
				return fmt.Errorf("%s: its HorizontalPodAutoscaler has not asked for %s", s.name, rehearsal)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		got := judge(t, s, syncs, policies[s.name])
		t.Logf("%-16s %s", s.name, got)
		all.add(got)
	}
	if all.syncs < 200 || all.ups+all.downs < 60 {
		t.Errorf("too little was compared: %s; 200 syncs and 60 moves were expected", all)
	}
	if all.edges > all.syncs/20 {
		t.Errorf("%s: too many decisions agreed only with the clock moved by up to %s", all, clockSlack)
	}
	fmt.Printf("HPA against Decide: %s\n", all)
}

// judge compares one sequence, with HPA's own memory where that is the known difference.
func judge(t *testing.T, s sequence, syncs []hpaSync, p scaling.Policy) tally {
	t.Helper()
	got := compare(syncs, p, moved)
	if s.forgets {
		if len(got.mismatches) == 0 {
			t.Errorf("%s: Decide did the same as HPA, although it remembers moves that HPA forgets: is the known difference gone?", s.name)
		}
		got = compare(syncs, p, (&hpaMoves{p: p}).moved)
	}
	if got.ups < s.ups || got.downs < s.downs {
		t.Errorf("%s: %d moves up and %d down happened, at least %d and %d were expected", s.name, got.ups, got.downs, s.ups, s.downs)
	}
	if len(got.mismatches) > 0 {
		t.Errorf("%s: %d of %d decisions differ:\n%s", s.name, len(got.mismatches), got.syncs, strings.Join(got.mismatches, "\n"))
	}
	return got
}

// moved remembers a move as cusme does.
func moved(h scaling.History, at time.Time, from, to int32) scaling.History {
	return h.Moved(scaling.Observation{Now: at, Replicas: from}, scaling.Decision{Replicas: to})
}

// compare replays the syncs through Decide. Whatever Decide says, the next sync starts from what the HorizontalPodAutoscaler
// did, so that one difference is counted once. moved is how a move is remembered.
func compare(syncs []hpaSync, p scaling.Policy, moved func(scaling.History, time.Time, int32, int32) scaling.History) tally {
	var got tally
	var h scaling.History
	for _, s := range syncs {
		got.syncs++
		d := scaling.Decide(s.observation(0), p, h)
		switch {
		case d.Replicas == s.wrote:
		case agreesNearby(s, p, h):
			got.edges++
		default:
			got.mismatches = append(got.mismatches, s.mismatch(d, h))
		}
		h = h.After(s.observation(0), d)
		if s.wrote == s.replicas {
			continue
		}
		h = moved(h, s.wroteAt, s.replicas, s.wrote)
		if s.wrote > s.replicas {
			got.ups++
		} else {
			got.downs++
		}
	}
	return got
}

// hpaMoves remembers moves as the HorizontalPodAutoscaler controller does (storeScaleEvent in Kubernetes 1.37). Once a move is
// older than every period of its own direction's policies, the next move in that direction may take its place, though a policy
// of the other direction looks back further and then takes the number at its period's start for another one than it was.
// cusme counts every move of the period, as HPA's documentation has it.
type hpaMoves struct {
	p          scaling.Policy
	ups, downs []scaling.Move
}

func (m *hpaMoves) moved(h scaling.History, at time.Time, from, to int32) scaling.History {
	places, limits := &m.ups, m.p.Up.Limits
	if to < from {
		places, limits = &m.downs, m.p.Down.Limits
	}
	var longest time.Duration
	for _, l := range limits {
		longest = max(longest, l.Period)
	}
	move := scaling.Move{At: at, From: from, To: to}
	place := -1
	for i, old := range *places {
		if old.At.Before(at.Add(-longest)) {
			place = i
		}
	}
	if place < 0 {
		*places = append(*places, move)
	} else {
		(*places)[place] = move
	}
	h.Moves = slices.Concat(m.ups, m.downs)
	return h
}

func agreesNearby(s hpaSync, p scaling.Policy, h scaling.History) bool {
	for by := -clockSlack; by <= clockSlack; by += clockSlack / 6 {
		if scaling.Decide(s.observation(by), p, h).Replicas == s.wrote {
			return true
		}
	}
	return false
}

// observation is the sync as cusme would have seen it, all replicas ready long ago.
func (s hpaSync) observation(later time.Duration) scaling.Observation {
	o := scaling.Observation{
		Now:      s.at.Add(later),
		Replicas: s.replicas,
		Readings: []scaling.Reading{{Load: "load", Value: s.value, At: s.at.Add(later)}},
	}
	for i := range s.replicas {
		name := fmt.Sprintf("pod-%d", i)
		o.Pods = append(o.Pods, scaling.Pod{Name: name, UID: name, Node: "node", Phase: scaling.PhaseRunning, Ready: true,
			ReadySince: s.at.Add(-time.Hour), Created: s.at.Add(-2 * time.Hour)})
	}
	return o
}

func createHPA(t *testing.T, s sequence) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	average, least := resource.MustParse(fmt.Sprint(perReplica)), int32(1)
	hpas := shared.client.AutoscalingV2().HorizontalPodAutoscalers("default")
	created, err := hpas.Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: s.name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: scaledGroup, Kind: "Thing", Name: s.name},
			MinReplicas:    &least,
			MaxReplicas:    1000,
			Behavior:       &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: s.up, ScaleDown: s.down},
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: s.name},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &average},
			}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hpas.Delete(context.Background(), s.name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return created
}

// policyOf translates what the API server made of the HorizontalPodAutoscaler, its defaults filled in.
func policyOf(hpa *autoscalingv2.HorizontalPodAutoscaler) scaling.Policy {
	up, down := hpa.Spec.Behavior.ScaleUp, hpa.Spec.Behavior.ScaleDown
	return scaling.Policy{
		Min: *hpa.Spec.MinReplicas, Max: hpa.Spec.MaxReplicas,
		Loads: []scaling.Load{{Name: "load", Total: true, Target: perReplica, StaleAfter: time.Hour,
			Low: perReplica * (1 - toleranceOf(down)), High: perReplica * (1 + toleranceOf(up))}},
		Up: rulesOf(up), Down: rulesOf(down),
		StartDeadline: time.Hour,
	}
}

func toleranceOf(r *autoscalingv2.HPAScalingRules) float64 {
	if r.Tolerance == nil {
		return 0.1 // of kube-controller-manager
	}
	return r.Tolerance.AsApproximateFloat64()
}

func rulesOf(from *autoscalingv2.HPAScalingRules) scaling.Rules {
	r := scaling.Rules{Window: 5 * time.Minute, Select: scaling.Select(*from.SelectPolicy)}
	if w := from.StabilizationWindowSeconds; w != nil { // else kube-controller-manager's, down only
		r.Window = time.Duration(*w) * time.Second
	}
	for _, p := range from.Policies {
		r.Limits = append(r.Limits, scaling.Limit{
			Percent: p.Type == autoscalingv2.PercentScalingPolicy,
			Value:   p.Value,
			Period:  time.Duration(p.PeriodSeconds) * time.Second,
		})
	}
	return r
}

func (t *tally) add(other tally) {
	t.syncs, t.ups, t.downs, t.edges = t.syncs+other.syncs, t.ups+other.ups, t.downs+other.downs, t.edges+other.edges
	t.mismatches = append(t.mismatches, other.mismatches...)
}

func (t tally) String() string {
	return fmt.Sprintf("%d syncs, %d moves (%d up, %d down), %d at an edge, %d mismatches", t.syncs, t.ups+t.downs, t.ups, t.downs, t.edges, len(t.mismatches))
}

func (s hpaSync) mismatch(d scaling.Decision, h scaling.History) string {
	return fmt.Sprintf("  %s  load %v on %d: HPA %d, Decide %d, %s\n    demands %v\n    moves %v",
		s.at.Format("05.000"), s.value, s.replicas, s.wrote, d.Replicas, reasons(d), agesOfDemands(h, s.at), agesOfMoves(h, s.at))
}

func reasons(d scaling.Decision) string {
	var all []string
	for _, r := range d.Reasons {
		all = append(all, fmt.Sprintf("%s %d->%d", r.Step, r.From, r.To))
	}
	return strings.Join(all, ", ")
}

func agesOfDemands(h scaling.History, now time.Time) (ages []string) {
	for _, r := range h.Recommendations {
		ages = append(ages, fmt.Sprintf("%d@-%.2fs", r.Replicas, now.Sub(r.At).Seconds()))
	}
	return ages
}

func agesOfMoves(h scaling.History, now time.Time) (ages []string) {
	for _, m := range h.Moves {
		ages = append(ages, fmt.Sprintf("%d->%d@-%.2fs", m.From, m.To, now.Sub(m.At).Seconds()))
	}
	return ages
}
