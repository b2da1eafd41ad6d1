package controller

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/journal"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
)

// report tells what was decided and what came of it: metrics always, ticks as
// readings come, the log and an event when something moved, the status when it changed.
func (c *controller) report(ctx context.Context, ls *v1alpha1.LoadScaler, m *memory, tick scaling.Tick, applyErr error) error {
	observeMetrics(client.ObjectKeyFromObject(ls), tick)
	status := statusOf(ls, m, tick, applyErr)
	tellSecrets(c.secrets, ls, &status)
	c.tell(ls, m, tick, status)
	c.logTick(ls, m, tick, applyErr)
	if tick.Outcome.Wrote {
		c.events.moved(ctx, ls, m, tick)
	}
	if m.underWay(tick) > 0 {
		return nil
	}
	return c.save(ctx, ls, m, status)
}

// trouble is a reason why nothing could be decided at all, in a condition's words.
type trouble struct {
	reason string
	err    error
}

// troubleOf tells troubles that a person must mend from errors worth retrying.
func troubleOf(err error) (trouble, bool) {
	switch {
	case errors.Is(err, target.ErrNotFound):
		return trouble{reason: "TargetNotFound", err: err}, true
	case errors.Is(err, target.ErrNoScale):
		return trouble{reason: "TargetNotScalable", err: err}, true
	case errors.Is(err, target.ErrUnseen), apierrors.IsForbidden(err):
		return trouble{reason: "TargetNotReadable", err: err}, true
	default:
		return trouble{}, false
	}
}

// reportTrouble says in the status why nothing moves. What was counted before is not known any more.
func (c *controller) reportTrouble(ctx context.Context, ls *v1alpha1.LoadScaler, m *memory, t trouble) error {
	forgetGauges(client.ObjectKeyFromObject(ls))
	status := v1alpha1.LoadScalerStatus{
		ObservedGeneration: ls.Generation,
		LastScaleTime:      m.status.LastScaleTime,
		Account:            accountOf(m.history.Account),
		Learned:            learnedOf(m.history.Learned),
		Recent:             m.recent,
		Summary:            v1alpha1.Summary{Target: targetOf(ls), Why: sentence(t.err)},
		Conditions: conditions(slices.Clone(m.status.Conditions), ls.Generation, []condition{
			{v1alpha1.ConditionReady, metav1.ConditionFalse, t.reason, sentence(t.err)},
			{v1alpha1.ConditionScalingActive, metav1.ConditionFalse, t.reason, "nothing moves: " + sentence(t.err)},
			{v1alpha1.ConditionReadingsFresh, metav1.ConditionUnknown, t.reason, "what was read is not used"},
			{v1alpha1.ConditionAbleToScale, metav1.ConditionUnknown, t.reason, "nothing is written"},
			{v1alpha1.ConditionScalingLimited, metav1.ConditionUnknown, t.reason, "nothing is decided"},
			{v1alpha1.ConditionSteerable, metav1.ConditionUnknown, t.reason, "no pods are looked at"},
			{v1alpha1.ConditionElasticCapacity, metav1.ConditionUnknown, t.reason, "no pods are looked at"},
		}),
	}
	for _, f := range c.followers {
		f.Turned(journal.Turn{Scaler: ls, Status: status})
	}
	if !told(m.status, status) {
		c.log.Error(t.err, "nothing moves", "scaler", client.ObjectKeyFromObject(ls).String(), "reason", t.reason)
	}
	return c.save(ctx, ls, m, status)
}

// save writes the status if it says something new.
func (c *controller) save(ctx context.Context, ls *v1alpha1.LoadScaler, m *memory, status v1alpha1.LoadScalerStatus) error {
	now := c.now()
	told, since := told(m.status, status), now.Sub(m.saved)
	mends := since >= messagePause && !equality.Semantic.DeepEqual(messages(m.status), messages(status))
	teaches := since >= learnedPause && learnedMuch(m.status.Learned, status.Learned)
	if told && !mends && !teaches {
		return nil
	}
	if !c.hasTurn(client.ObjectKeyFromObject(ls), m) {
		return nil
	}
	if err := c.scalers.saveStatus(ctx, ls, m.status, status); err != nil {
		return fmt.Errorf("status of LoadScaler %s/%s: %w", ls.Namespace, ls.Name, err)
	}
	m.status, m.saved, m.unseen = status, now, true
	return nil
}

// messagePause is how long a message may be out of date when nothing else is
// news. A gateway that numbers its error pages gives another one at every poll.
const messagePause = 5 * time.Minute

// numbers are what breathes in a sentence.
var numbers = regexp.MustCompile(`-?[0-9][-+.0-9a-z]*`)

// mended are the conditions whose messages tell what to mend.
var mended = []string{v1alpha1.ConditionReady, v1alpha1.ConditionAbleToScale, v1alpha1.ConditionSecretsReadable}

// messages are those that tell what to mend. A stale reading's only counts its
// age, and an invalid one's repeats a number that is another one at every poll.
func messages(s v1alpha1.LoadScalerStatus) []string {
	var out []string
	for _, l := range s.Loads {
		switch scaling.State(l.State) {
		case scaling.Failed:
			out = append(out, l.Message)
		case scaling.Invalid:
			out = append(out, numbers.ReplaceAllString(l.Message, "#"))
		}
	}
	for _, c := range s.Conditions {
		if c.Status == metav1.ConditionFalse && slices.Contains(mended, c.Type) {
			out = append(out, c.Message)
		}
	}
	return out
}

// told reports whether b says nothing that a did not: the same number by the
// same steps, the same conditions, and pods that settled or did not. A number
// that only breathes, such as the load itself, is no news: status is no ticker.
func told(a, b v1alpha1.LoadScalerStatus) bool {
	return equality.Semantic.DeepEqual(gist(a), gist(b))
}

// gist is what told compares.
func gist(s v1alpha1.LoadScalerStatus) []any {
	var words []string
	for _, r := range s.Reasons {
		words = append(words, r.Step)
	}
	for _, l := range s.Loads {
		words = append(words, l.Name+" "+l.State)
	}
	for _, c := range s.Conditions {
		words = append(words, fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason))
	}
	settled := s.StartingReplicas == 0 && s.CurrentReplicas == s.DesiredReplicas
	return []any{s.ObservedGeneration, s.DesiredReplicas, s.LastScaleTime, settled, s.LateReplicas > 0, words}
}

// sentence is an error in one line.
func sentence(err error) string {
	return oneLine(err.Error())
}

// logTick logs moves and refusals; of a lone scaler, which has no status,
// every decision, as the original did.
func (c *controller) logTick(ls *v1alpha1.LoadScaler, m *memory, tick scaling.Tick, applyErr error) {
	_, alone := c.scalers.(onlyOne)
	d := tick.Decision
	switch {
	case errors.As(applyErr, new(rivalError)):
		if m.isNew("rival", applyErr.Error()) {
			c.log.Error(applyErr, "not scaling", "scaler", tick.Scaler)
		}
	case applyErr != nil:
		c.log.Error(applyErr, "the move was refused", logged(ls, tick)...)
	case tick.Outcome.Settling > 0:
		c.logChoice(m, tick)
	case tick.Outcome.Refused != "":
		c.log.Info("would move, but this is a dry run", logged(ls, tick)...)
	case tick.Outcome.Wrote:
		c.log.Info("moved", logged(ls, tick)...)
	case alone && m.isNewHold(d.Why(), tick.Observation.Now, IntervalOf(ls.Spec)):
		c.log.Info("holding", logged(ls, tick)...)
	}
}

// logChoice logs which pods were marked, once for as long as they stay the same.
func (c *controller) logChoice(m *memory, tick scaling.Tick) {
	if m.isNew("marks", strings.Join(tick.Decision.Mark, " ")) {
		c.log.Info("marked the pods to remove", "scaler", tick.Scaler, "from", tick.Observation.Replicas, "to", tick.Decision.Replicas, "pods", tick.Decision.Mark)
	}
}

// isNewHold keeps one hold from filling the log when several pods change at a
// moment: the same sentence is logged once per reading.
func (m *memory) isNewHold(why string, now time.Time, interval time.Duration) bool {
	if why == m.held.why && now.Sub(m.held.at) < interval/2 {
		return false
	}
	m.held.why, m.held.at = why, now
	return true
}

func logged(ls *v1alpha1.LoadScaler, tick scaling.Tick) []any {
	d := tick.Decision
	fields := []any{
		"scaler", tick.Scaler, "target", refOf(ls).String(),
		"from", tick.Observation.Replicas, "to", d.Replicas,
		"ready", d.Pods.Ready, "starting", d.Pods.Starting, "elastic", d.Pods.Elastic,
	}
	for _, v := range d.Loads {
		fields = append(fields, v.Load, valueOrState(v))
	}
	for _, r := range d.Reasons {
		fields = append(fields, string(r.Step), fmt.Sprintf("%d -> %d: %s", r.From, r.To, r.Why))
	}
	if len(d.Lose) > 0 {
		fields = append(fields, "removing", d.Lose)
	}
	return fields
}

// valueOrState is what the log says of a load. One without a fresh reading has
// no number, and never 0.
func valueOrState(v scaling.Verdict) any {
	if v.State != scaling.Fresh {
		return string(v.State)
	}
	return v.Value
}
