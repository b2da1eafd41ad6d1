package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/push"
)

// pushes goes on as long as the program: every replica receives, whoever leads.
var pushes = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "cusme_pushes_total",
	Help: "Loads that were sent, by what came of it: accepted, forwarded (to the replica that leads), invalid, unauthenticated, denied, unknown, limited, unavailable.",
}, []string{"result"})

func init() { metrics.Registry.MustRegister(pushes) }

// listen opens the receiver of pushed loads; there is none without an address.
func listen(o Options) (*push.Receiver, error) {
	if o.Push.Address == "" {
		return nil, nil
	}
	o.Push.Config, o.Push.Log = o.Config, o.Log
	o.Push.Lease = types.NamespacedName{Namespace: o.LeaseNamespace, Name: o.LeaseName}
	o.Push.Count = func(result string) { pushes.WithLabelValues(result).Inc() }
	return push.New(o.Push)
}

// receive has loads received on every replica, and taken on the one that leads.
func (c *controller) receive(mgr ctrl.Manager, r *push.Receiver) error {
	if r == nil {
		return nil
	}
	r.Deliver = c.deliver
	r.Leading = func() bool {
		select {
		case <-mgr.Elected():
			return true
		default:
			return false
		}
	}
	if err := mgr.AddReadyzCheck("push", r.Ready); err != nil {
		return err
	}
	return mgr.Add(r)
}

// deliver puts a load where it is waited for. A LoadScaler that was not reconciled
// yet waits for none, though it will: just after this replica began to lead, all are like that.
func (c *controller) deliver(ctx context.Context, l push.Load) error {
	key := types.NamespacedName{Namespace: l.Namespace, Name: l.Name}
	err := c.readings.Push(key.String(), l.Load, l.Value, l.At)
	if !errors.Is(err, load.ErrNotFollowed) {
		return err
	}
	ls, getErr := c.scalers.get(ctx, key)
	switch {
	case apierrors.IsNotFound(getErr):
		return push.Unknown(fmt.Sprintf("there is no LoadScaler %s in namespace %s", key.Name, key.Namespace))
	case getErr != nil:
		return push.NotYet(fmt.Sprintf("LoadScaler %s has not been seen yet", key))
	case slices.ContainsFunc(ls.Spec.Loads, func(s v1alpha1.Load) bool { return s.Push != nil && (l.Load == "" || l.Load == s.Name) }):
		return push.NotYet(fmt.Sprintf("LoadScaler %s does not wait for this load yet; if that lasts, its status says why", key))
	default:
		return push.Unknown(err.Error())
	}
}
