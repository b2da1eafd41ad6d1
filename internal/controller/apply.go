package controller

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
)

// apply carries out a decision, and notes what came of it. A scale-in takes two
// turns or more: first the pods that are to go are marked; once the marks have
// settled, a turn that still wants the same writes the replicas. The pods of an
// earlier scale-in go first: marks set while the ReplicaSet controller still
// chooses would make it take the new ones for the old.
func (c *controller) apply(ctx context.Context, ls *v1alpha1.LoadScaler, m *memory, s target.State, tick *scaling.Tick) error {
	m.targetUID = s.UID
	if rival, exists := c.scalers.rival(ctx, ls); exists {
		return rivalError{rival}
	}
	from, to := s.Replicas, tick.Decision.Replicas
	if from == to || ls.Spec.DryRun {
		c.unmark(ctx, ls, m, s, tick.Decision)
	}
	switch {
	case from == to:
		return nil
	case ls.Spec.DryRun:
		tick.Outcome.Refused = "dry run"
		return nil
	case to > from:
		return c.scale(ctx, m, s, tick)
	case s.Order == scaling.OrderCost && m.going(tick.Observation.Now):
		return nil // Their leaving wakes us.
	}
	if err := c.steer(ctx, s, tick); err != nil || tick.Outcome.Settling > 0 {
		return err
	}
	return c.scale(ctx, m, s, tick)
}

// steer marks the pods to lose that go by a mark only, and notes for how long to wait.
func (c *controller) steer(ctx context.Context, s target.State, tick *scaling.Tick) (err error) {
	if len(tick.Decision.Mark) == 0 {
		return nil
	}
	if tick.Outcome.Settling, err = c.targets.Steer(ctx, s, tick.Decision.Mark); err != nil {
		tick.Outcome.Refused = err.Error()
	}
	return err
}

// rivalError says that another LoadScaler scales the target.
type rivalError struct{ rival types.NamespacedName }

func (e rivalError) Error() string {
	return fmt.Sprintf("LoadScaler %s scales this target already: delete one of the two, or make one a dry run", e.rival)
}

// unmark takes back the marks of a scale-in that was called off, or that an
// earlier cusme left. Marks stay on pods that are yet to go, and while pods are
// asked whether they are busy: the scale-in goes on then. A dry run beside
// another LoadScaler leaves that one's marks alone. Nothing depends on it at
// once, so that an error is logged and no more: the next turn tries again.
func (c *controller) unmark(ctx context.Context, ls *v1alpha1.LoadScaler, m *memory, s target.State, d scaling.Decision) {
	if m.history.Removing.Left > 0 || len(d.Ask) > 0 || ls.Spec.DryRun && len(c.scalers.of(ctx, s.Ref)) > 1 {
		return
	}
	said := ""
	if _, err := c.targets.Steer(ctx, s, nil); err != nil {
		said = err.Error()
	}
	if m.isNew("unmark", said) {
		c.log.Info("marks of an earlier scale-in stay for now", "target", s.Ref.String(), "error", said)
	}
}

func (c *controller) scale(ctx context.Context, m *memory, s target.State, tick *scaling.Tick) error {
	err := c.targets.Scale(ctx, s, tick.Decision.Replicas)
	if err == nil || mayHaveLanded(err) {
		// Also when nobody knows: the same step must not be made twice on one reading.
		m.history = m.history.Moved(tick.Observation, tick.Decision)
	}
	if err != nil {
		tick.Outcome.Refused = err.Error()
		return err
	}
	tick.Outcome.Wrote = true
	m.moved(*tick)
	return nil
}

// mayHaveLanded reports whether a write may have been made although it failed:
// no answer came, or one that speaks of the way rather than of the write.
func mayHaveLanded(err error) bool {
	switch {
	case utilnet.IsConnectionRefused(err):
		return false
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), apierrors.IsInternalError(err):
		return true
	default:
		return apierrors.ReasonForError(err) == metav1.StatusReasonUnknown
	}
}

// goingPatience is how long the pods of a scale-in may take to be seen to go.
const goingPatience = 30 * time.Second

// going reports whether pods of the last scale-in have yet to go, and are not late.
func (m *memory) going(now time.Time) bool {
	return m.history.Removing.Left > 0 && now.Before(m.lastScale.Add(goingPatience))
}

// underWay returns for how long a scale-in is not news yet: it is told once,
// when its pods have gone, or are late to go.
func (m *memory) underWay(tick scaling.Tick) time.Duration {
	switch d := tick.Decision; {
	case tick.Outcome.Refused != "":
		return 0
	case tick.Outcome.Settling > 0:
		return tick.Outcome.Settling
	case tick.Outcome.Wrote && d.Replicas < tick.Observation.Replicas || m.history.Removing.Left > 0:
		return max(0, m.lastScale.Add(goingPatience).Sub(tick.Observation.Now))
	case len(d.Ask) > 0:
		return goingPatience // The answers wake us.
	default:
		return 0
	}
}

// lookAgain returns how soon to decide again although nothing happens: when a
// scale-in should be over, and when a fallback is due. 0 is not at all.
func (m *memory) lookAgain(tick scaling.Tick) time.Duration {
	wait, next := m.underWay(tick), tick.Decision.Next
	if next.IsZero() {
		return wait
	}
	due := next.Sub(tick.Observation.Now)
	if wait == 0 {
		return due
	}
	return min(wait, due)
}
