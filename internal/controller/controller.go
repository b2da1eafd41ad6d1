// Package controller turns the crank: a reading in, decide, apply, report.
//
// It decides nothing itself and knows no kind of target: readings come from
// load, pods from target, and the number from scaling. What is left is the
// order in which they are asked, and telling people what came of it.
package controller

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/journal"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
)

// controller is one turn of the crank, for every LoadScaler there is.
type controller struct {
	scalers  scalers
	readings *load.Readings
	tellings *rate.Limiter // of statuses
	targets  *target.Targets
	events   events
	secrets  grants             // nil where no LoadScaler names one
	ticks    func(scaling.Tick) // nil where nobody keeps them
	// followers are told of every turn.
	followers []journal.Follower
	log       logr.Logger
	now       func() time.Time
	memories  memories
	queue     atomic.Pointer[workqueue.TypedRateLimitingInterface[reconcile.Request]]
}

// scalers is where LoadScalers come from and where their status goes: the API
// server, or the command line of one that stands in no cluster.
type scalers interface {
	// get fails with apierrors.IsNotFound when there is none.
	get(context.Context, types.NamespacedName) (*v1alpha1.LoadScaler, error)
	// saveStatus replaces the status that was saved last.
	saveStatus(ctx context.Context, ls *v1alpha1.LoadScaler, was, is v1alpha1.LoadScalerStatus) error
	// of names the LoadScalers of a target, those on their way out apart.
	of(context.Context, target.Ref) []types.NamespacedName
	// rival names the LoadScaler that scales the target in place of this one, if there is one.
	rival(context.Context, *v1alpha1.LoadScaler) (types.NamespacedName, bool)
}

// A conflict says that the target changed between look and write, which is
// ordinary just after a move. The watch usually wakes us before the first retry;
// where it lags, retries at this pace would only add to the load it lags under.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
	// tellConflict is how many conflicts in a row are no longer ordinary.
	tellConflict = 5
)

// Reconcile walks one reading through the house. It is called when a reading
// arrived, the spec changed, or the target or one of its pods did.
func (c *controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	key := req.NamespacedName
	ls, err := c.scalers.get(ctx, key)
	if apierrors.IsNotFound(err) || err == nil && ls.DeletionTimestamp != nil {
		return c.forget(ctx, key)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	m := c.remember(ctx, key, ls)

	policy, err := c.follow(key, ls, m)
	if err != nil {
		return reconcile.Result{}, c.reportTrouble(ctx, ls, m, trouble{reason: "InvalidSpec", err: err})
	}
	state, err := c.targets.Observe(ctx, m.target)
	if errors.Is(err, target.ErrBehind) {
		return reconcile.Result{}, nil // The watch wakes us when it has caught up with our own write.
	}
	if t, known := troubleOf(err); known {
		c.showPods(ls, target.State{}) // The addresses of pods that are gone may be somebody else's by now.
		return reconcile.Result{}, c.reportTrouble(ctx, ls, m, t)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	c.showPods(ls, state)
	readings := c.readings.Latest(key.String())
	if wait := m.since.Add(IntervalOf(ls.Spec)).Sub(c.now()); wait > 0 && !slices.ContainsFunc(readings, arrived) {
		return reconcile.Result{RequeueAfter: wait}, nil // The first reading wakes us. What it is not there for, such as the bounds, does not wait for long.
	}

	c.answered(key, m, state.Pods)

	tick := scaling.Tick{Scaler: key.String(), Policy: policy, Observation: scaling.Observation{
		Now: c.now(), Readings: readings, Replicas: state.Replicas, Pods: state.Pods, Order: state.Order, Unsteerable: state.Unsteerable,
	}}
	tick.Decision = scaling.Decide(tick.Observation, policy, m.history)
	before := m.history.Account
	m.with, m.history = m.history, m.history.After(tick.Observation, tick.Decision)
	m.count(key, before)
	c.tellGone(ctx, ls, m, tick)

	if err := c.ask(key, ls.Spec.Busy, state, tick.Decision.Ask); err != nil {
		return reconcile.Result{}, err
	}
	applyErr := c.apply(ctx, ls, m, state, &tick)
	again := m.retry(applyErr)
	if again > 0 && m.conflicts < tellConflict {
		return reconcile.Result{RequeueAfter: again}, nil // Look again and decide again.
	}
	if again == 0 {
		again = m.lookAgain(tick)
	}
	return reconcile.Result{RequeueAfter: again}, c.report(ctx, ls, m, tick, applyErr)
}

// showPods tells which pods the loads are read from that are read from pods.
func (c *controller) showPods(ls *v1alpha1.LoadScaler, s target.State) {
	if slices.ContainsFunc(ls.Spec.Loads, func(l v1alpha1.Load) bool { return l.Pods != nil }) {
		c.readings.SeePods(client.ObjectKeyFromObject(ls).String(), podsOf(s))
	}
}

// podsOf returns a target's pods as loads are read from them. One that is
// leaving may be ready still, and idle: the average of all would make the others look idle too.
func podsOf(s target.State) []load.Pod {
	addresses := s.Addresses()
	pods := make([]load.Pod, len(s.Pods))
	for i, p := range s.Pods {
		pods[i] = load.Pod{Name: p.Name, Address: addresses[p.UID], Ready: p.Ready && !p.Leaving}
	}
	return pods
}

func arrived(r scaling.Reading) bool { return r.Problem != scaling.Pending }

// follow resolves the policy and sees to it that its loads are read.
func (c *controller) follow(key types.NamespacedName, ls *v1alpha1.LoadScaler, m *memory) (scaling.Policy, error) {
	policy, err := PolicyOf(ls.Spec)
	if err == nil {
		err = m.checkBusy(ls)
	}
	if err == nil {
		err = c.readings.Follow(key.String(), ls.Spec.Loads, IntervalOf(ls.Spec), func() { c.wake(key) })
	}
	if err != nil {
		c.readings.Forget(key.String())
	}
	return policy, err
}

// remember returns what is kept of a LoadScaler, and lets go of what its spec no longer speaks of.
func (c *controller) remember(ctx context.Context, key types.NamespacedName, ls *v1alpha1.LoadScaler) *memory {
	was := c.memories.find(key)
	m := c.memories.of(key, ls)
	if was == nil {
		c.recall(key, ls, m)
	}
	if was != nil && was != m {
		c.readings.Forget(key.String()) // What was read of another target says nothing about this one.
	}
	m.see(ls.Status)
	m.left = slices.DeleteFunc(m.left, func(ref target.Ref) bool {
		err := c.letGo(ctx, ref)
		if err != nil {
			c.log.Info("marks stay for now on the pods of a target that is not scaled any more", "target", ref.String(), "error", err.Error())
		}
		return err == nil
	})
	if m.generation != ls.Generation {
		forgetGauges(key)
		m.generation, m.since = ls.Generation, c.now()
	}
	return m
}

// forget lets go of a LoadScaler that is gone. It tries again until its marks
// are off the pods, and wakes whoever scales the target in its place.
func (c *controller) forget(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	c.readings.Forget(key.String())
	forgetMetrics(key)
	for _, f := range c.followers {
		f.Gone(key)
	}
	m := c.memories.find(key)
	if m == nil {
		return reconcile.Result{}, nil
	}
	for _, ref := range append(m.left, m.target) {
		err := c.letGo(ctx, ref)
		if errors.Is(err, target.ErrBehind) || errors.Is(err, target.ErrConflict) {
			return reconcile.Result{RequeueAfter: time.Second}, nil
		}
		if err != nil {
			return reconcile.Result{}, err
		}
	}
	c.memories.remove(key)
	c.targetChanged(m.target)
	return reconcile.Result{}, nil
}

// letGo releases a target that no LoadScaler names any more.
func (c *controller) letGo(ctx context.Context, ref target.Ref) error {
	if c.claimed(ref) {
		return nil
	}
	return c.targets.Release(ctx, ref)
}

// claimed reports whether a LoadScaler scales the target.
func (c *controller) claimed(ref target.Ref) bool {
	return len(c.scalers.of(context.Background(), ref)) > 0
}

// targetChanged wakes the LoadScalers of a target.
func (c *controller) targetChanged(ref target.Ref) {
	for _, key := range c.scalers.of(context.Background(), ref) {
		c.wake(key)
	}
}
