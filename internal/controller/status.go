package controller

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// Sentences in status are cut at this many characters. The longest of ours come
// from an API server's or CEL's own message.
const maxSentence = 512

// statusOf says in a status what a turn of the crank decided and did.
func statusOf(ls *v1alpha1.LoadScaler, m *memory, tick scaling.Tick, applyErr error) v1alpha1.LoadScalerStatus {
	d := tick.Decision
	s := v1alpha1.LoadScalerStatus{
		Account:            accountOf(m.history.Account),
		Learned:            learnedOf(m.history.Learned),
		Recent:             m.recent,
		ObservedGeneration: ls.Generation,
		CurrentReplicas:    d.Pods.Existing,
		DesiredReplicas:    d.Replicas,
		ReadyReplicas:      d.Pods.Ready,
		StartingReplicas:   startingAfter(tick),
		LateReplicas:       d.Pods.Late,
		ElasticReplicas:    d.Pods.Elastic,
		Summary:            summaryOf(ls, tick),
		Conditions:         conditions(slices.Clone(m.status.Conditions), ls.Generation, conditionsOf(ls, tick, applyErr)),
	}
	if !m.lastScale.IsZero() {
		s.LastScaleTime = &metav1.Time{Time: m.lastScale.Truncate(time.Second)}
	}
	for _, v := range d.Loads {
		s.Loads = append(s.Loads, loadStatusOf(v))
	}
	for _, r := range d.Reasons {
		s.Reasons = append(s.Reasons, v1alpha1.Reason{Step: string(r.Step), From: r.From, To: r.To, Why: oneLine(r.Why)})
	}
	return s
}

// startingAfter counts the replicas on their way once the decision is applied:
// those that were, and those just ordered.
func startingAfter(tick scaling.Tick) int32 {
	starting := tick.Decision.Pods.Starting
	if tick.Outcome.Wrote {
		starting += tick.Decision.Replicas - tick.Observation.Replicas
	}
	return max(0, starting)
}

// targetOf names the target as the summary does.
func targetOf(ls *v1alpha1.LoadScaler) string {
	return ls.Spec.ScaleTargetRef.Kind + "/" + ls.Spec.ScaleTargetRef.Name
}

func summaryOf(ls *v1alpha1.LoadScaler, tick scaling.Tick) v1alpha1.Summary {
	d := tick.Decision
	s := v1alpha1.Summary{
		Target: targetOf(ls),
		Pods:   fmt.Sprintf("%d/%d/%d", d.Pods.Ready, startingAfter(tick), d.Pods.Elastic),
		Why:    oneLine(d.Why()),
	}
	if i, ok := d.Leading(); ok {
		v, l := d.Loads[i], tick.Policy.Loads[i]
		s.Load = "unknown"
		if v.State == scaling.Fresh {
			s.Load = decimal(v.Value)
		}
		s.Band = bandIn(tick.Policy, l)
	}
	return s
}

// bandIn says between which values of a load nothing moves, or by what the target is sized instead.
func bandIn(p scaling.Policy, l scaling.Load) string {
	if p.Objective != nil {
		return p.Objective.String()
	}
	return decimal(l.Low) + ".." + decimal(l.High)
}

func loadStatusOf(v scaling.Verdict) v1alpha1.LoadStatus {
	s := v1alpha1.LoadStatus{Name: v.Load, State: string(v.State)}
	switch {
	case v.State != scaling.Fresh:
		s.Message = oneLine(v.Why)
	case v.Partial != "" && v.Message != "":
		s.Message = oneLine(v.Partial + "; " + v.Message)
	default:
		s.Message = oneLine(v.Partial + v.Message)
	}
	if !v.At.IsZero() {
		s.Value = decimal(v.Value)
		s.ObservedAt = &metav1.Time{Time: v.At.Truncate(time.Second)}
	}
	return s
}

// condition is a condition as this package writes it.
type condition struct {
	kind    string
	status  metav1.ConditionStatus
	reason  string
	message string
}

// conditions sets each condition, its message in one line, keeping the time of
// those that did not change.
func conditions(have []metav1.Condition, generation int64, set []condition) []metav1.Condition {
	for _, c := range set {
		c.message = oneLine(c.message)
		c.set(&have, generation)
	}
	return have
}

// set sets a condition, its message as it is. Times are in whole seconds, as the
// API server keeps them.
func (c condition) set(have *[]metav1.Condition, generation int64) {
	meta.SetStatusCondition(have, metav1.Condition{
		Type: c.kind, Status: c.status, Reason: c.reason, Message: c.message, ObservedGeneration: generation, LastTransitionTime: metav1.Now().Rfc3339Copy(),
	})
}

func conditionsOf(ls *v1alpha1.LoadScaler, tick scaling.Tick, applyErr error) []condition {
	return []condition{
		{v1alpha1.ConditionReady, metav1.ConditionTrue, "Understood", "the spec is understood and the target exists"},
		activeCondition(ls, tick),
		ableCondition(applyErr),
		limitedCondition(tick.Decision),
		freshCondition(tick.Decision),
		steerableCondition(tick.Observation),
		stockCondition(tick.Decision.Stock),
	}
}

func activeCondition(ls *v1alpha1.LoadScaler, tick scaling.Tick) condition {
	c := condition{kind: v1alpha1.ConditionScalingActive}
	switch {
	case ls.Spec.DryRun:
		c.status, c.reason, c.message = metav1.ConditionFalse, "DryRun", "decisions are reported and not applied"
	case tick.Decision.Blind() && tick.Decision.FellBack():
		c.status, c.reason, c.message = metav1.ConditionFalse, "Fallback", freshCondition(tick.Decision).message
	case tick.Decision.Blind():
		c.status, c.reason, c.message = metav1.ConditionFalse, "NoFreshReading", freshCondition(tick.Decision).message
	default:
		c.status, c.reason, c.message = metav1.ConditionTrue, "Deciding", "replicas follow the load"
	}
	return c
}

func ableCondition(applyErr error) condition {
	switch {
	case errors.As(applyErr, new(rivalError)):
		return condition{v1alpha1.ConditionAbleToScale, metav1.ConditionFalse, "Conflict", applyErr.Error()}
	case applyErr != nil:
		return condition{v1alpha1.ConditionAbleToScale, metav1.ConditionFalse, "WriteRefused", applyErr.Error()}
	}
	return condition{v1alpha1.ConditionAbleToScale, metav1.ConditionTrue, "WritesAccepted", "the last write of replicas was accepted, or none was needed"}
}

// limiting names the rules that may change what the load asks for, as reasons of the condition.
var limiting = map[scaling.Step]string{
	scaling.Forecast:   "Forecast",
	scaling.OnSchedule: "Schedule",
	scaling.Stabilize:  "Stabilizing",
	scaling.Pace:       "Paced",
	scaling.Bounce:     "WouldBounce",
	scaling.InStock:    "SoldOut",
	scaling.Young:      "YoungPods",
	scaling.AskBusy:    "AskingPods",
	scaling.Bounds:     "Bounds",
}

func limitedCondition(d scaling.Decision) condition {
	for _, r := range slices.Backward(d.Reasons) {
		if reason, ok := limiting[r.Step]; ok && d.Replicas != d.Demand {
			return condition{v1alpha1.ConditionScalingLimited, metav1.ConditionTrue, reason, r.Why}
		}
	}
	return condition{v1alpha1.ConditionScalingLimited, metav1.ConditionFalse, "AsDemanded", "the load alone sets the number of replicas"}
}

func freshCondition(d scaling.Decision) condition {
	var wrong []string
	reason := ""
	for _, v := range d.Loads {
		if v.State != scaling.Fresh {
			wrong = append(wrong, v.Why)
			reason = string(v.State)
		}
	}
	if len(wrong) > 0 {
		return condition{v1alpha1.ConditionReadingsFresh, metav1.ConditionFalse, reason, strings.Join(wrong, "; ")}
	}
	return condition{v1alpha1.ConditionReadingsFresh, metav1.ConditionTrue, "Fresh", "every load gave a fresh reading"}
}

// choosers are the reasons why it is not cusme that chooses which pods go.
var choosers = map[scaling.Order]string{
	scaling.OrderUnknown: "OwnedElsewhere",
	scaling.OrderRank:    "NotPermitted",
	scaling.OrderOrdinal: "ByOrdinal",
}

func steerableCondition(o scaling.Observation) condition {
	if o.Order != scaling.OrderCost {
		return condition{v1alpha1.ConditionSteerable, metav1.ConditionFalse, choosers[o.Order], o.Unsteerable + " decides which pods go"}
	}
	return condition{v1alpha1.ConditionSteerable, metav1.ConditionTrue, "Steered", "cusme chooses which pods go"}
}

func stockCondition(s scaling.Stock) condition {
	if s.Out() {
		return condition{v1alpha1.ConditionElasticCapacity, metav1.ConditionFalse, "SoldOut", s.Why() + "; pods are tried one at a time"}
	}
	return condition{v1alpha1.ConditionElasticCapacity, metav1.ConditionTrue, "NoShortage", "no pod was refused for lack of stock"}
}

// decimal writes a load in at most four significant digits.
func decimal(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxSentence {
		s = strings.ToValidUTF8(s[:maxSentence-3], "") + "..."
	}
	return s
}
