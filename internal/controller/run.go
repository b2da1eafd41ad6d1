package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/journal"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/push"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
	"cusme.dev/cusme/internal/transport"
)

// Options of Run.
type Options struct {
	// Config is how to reach the API server.
	Config *rest.Config
	// Log receives moves and troubles; of a lone LoadScaler every decision.
	Log logr.Logger
	// Version is told to load endpoints.
	Version string
	// Only is a LoadScaler that stands in no cluster. With it no other is
	// served, and only its namespace is watched.
	Only *v1alpha1.LoadScaler
	// Namespace restricts the controller to the LoadScalers of one namespace; empty serves all.
	Namespace string
	// LeaseNamespace holds the Lease by which one of several replicas leads. Empty runs without.
	LeaseNamespace string
	// LeaseName tells apart those that lead different things in one namespace.
	LeaseName string
	// MetricsAddress and HealthAddress are where to serve /metrics and /healthz, /readyz; "0" serves neither.
	MetricsAddress, HealthAddress string
	// Target says how pods are told apart and steered. What is needed of it
	// besides, Run fills in.
	Target target.Options
	// Door says how the endpoints of loads are reached, and which may be.
	Door transport.Options
	// Push says where loads are received. Run fills in what is needed of it besides.
	Push push.Options
	// Ticks is called with each decision on a new reading and each that was written, from several goroutines at
	// a time; nil keeps none. It must not wait, and not change what it is given.
	Ticks func(scaling.Tick)
	// Followers are told of every turn of the crank.
	Followers []journal.Follower
	// Workers is how many LoadScalers are decided at a time; 0 means 8.
	Workers int

	leaseLabels map[string]string // of the Lease, as long as this replica leads
}

// Requests to the API server per second, and in a burst. A quiet cusme sends
// one a minute, to see where the API server is. A move takes four: the scale, its event, and the status when it begins
// and when its pods are ready; a thousand targets that move within one interval
// are to wait for nothing but the API server, which shares itself out fairly.
const (
	requestsPerSecond = 500
	requestsInBurst   = 1000
)

// Run scales until ctx ends. An API server that is away, or a Lease that was
// lost, ends nothing: Run starts over until it works, and says so.
func Run(ctx context.Context, o Options) error {
	o.Config = rest.CopyConfig(o.Config)
	o.Config.QPS, o.Config.Burst = requestsPerSecond, requestsInBurst
	ctrl.SetLogger(o.Log)

	backoff := wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.2, Steps: 6, Cap: 30 * time.Second}
	for first := true; ; first = false {
		began := time.Now()
		err := runOnce(ctx, o)
		if ctx.Err() != nil {
			return nil
		}
		if first && errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%w: choose other addresses for metrics and health, or 0 for none; for pushed loads, another --push-address", err)
		}
		var final finalError
		if errors.As(err, &final) {
			return final.error
		}
		if time.Since(began) > time.Minute {
			backoff.Steps, backoff.Duration = 6, time.Second
		}
		pause := backoff.Step()
		o.Log.Error(err, "not scaling; starting over", "in", pause.Round(time.Second).String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// apiTimeout bounds every question to the API server, and the whole of one
// reconcile: a server that takes a request and never answers must not stop cusme in silence.
const apiTimeout = 30 * time.Second

// finalError is an error that trying again cannot mend.
type finalError struct{ error }

// runOnce runs until ctx ends or something breaks.
func runOnce(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer forgetAllMetrics() // whoever leads next has them
	may, err := askRights(ctx, o)
	if err != nil {
		return err
	}
	receiver, err := listen(o)
	if err != nil {
		return err
	}
	defer receiver.Close()
	if o.leaseLabels, err = receiver.LeaseLabels(); err != nil {
		return err
	}
	mgr, err := newManager(o, may)
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(o.Config)
	if err != nil {
		return finalError{err}
	}
	door, err := o.reach(ctx, mgr, clients)
	if err != nil {
		return err
	}
	credentials, err := openSecrets(ctx, o.Config)
	if err != nil {
		return finalError{err}
	}
	defer credentials.Close()
	door.Secrets = credentials
	readings := load.NewReadings(load.Options{Version: o.Version, Door: transport.NewDoor(door), Metrics: o.Config})
	defer readings.Close()
	c := &controller{
		readings: readings,
		tellings: rate.NewLimiter(tellingsPerSecond, tellingsInBurst),
		secrets:  credentials,
		log:      o.Log, now: time.Now, ticks: o.Ticks, followers: o.Followers,
		events: events{client: mgr.GetClient(), log: o.Log, onTarget: o.Only != nil},
	}
	o.Target.OnChange, o.Target.Namespace = c.targetChanged, o.namespace()
	o.Target.Nodes, o.Target.Steer = may.readNodes, may.patchPods
	if c.targets, err = target.New(ctx, mgr.GetCache(), mgr.GetClient(), o.Target); err != nil {
		return err
	}
	if err := c.register(ctx, mgr, o); err != nil {
		return err
	}
	if err := c.receive(mgr, receiver); err != nil {
		return err
	}
	if err := c.tellReady(ctx, mgr, o); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func newManager(o Options, may rights) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	options := ctrl.Options{
		Scheme:                        scheme,
		MapperProvider:                patientMapper,
		Logger:                        o.Log,
		Cache:                         cache.Options{DefaultTransform: lighten(target.Trim(o.Target.Elastic))},
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:        o.HealthAddress,
		LeaderElection:                may.lead,
		LeaderElectionID:              o.LeaseName,
		LeaderElectionNamespace:       o.LeaseNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaderElectionLabels:          o.leaseLabels,
	}
	if ns := o.namespace(); ns != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{ns: {}}
	}
	mgr, err := ctrl.NewManager(o.Config, options)
	if err != nil {
		return nil, fmt.Errorf("reach the API server at %s: %w", o.Config.Host, err)
	}
	return mgr, mgr.AddHealthzCheck("alive", healthz.Ping)
}

// tellReady serves /readyz. Only watches that every target needs are waited
// for: one of a kind that some target names may never begin, for want of a right.
func (c *controller) tellReady(ctx context.Context, mgr ctrl.Manager, o Options) error {
	synced := []func() bool{c.targets.Synced}
	if o.Only == nil {
		scalers, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.LoadScaler{}, cache.BlockUntilSynced(false))
		if err != nil {
			return err
		}
		synced = append(synced, scalers.HasSynced)
	}
	return mgr.AddReadyzCheck("watches", func(*http.Request) error {
		for _, s := range synced {
			if !s() {
				return errors.New("the watches have not caught up with the API server")
			}
		}
		return nil
	})
}

// patientMapper asks which kinds there are, and gives up on a server that does
// not answer: such a question takes no context. Watches keep a client without a timeout.
func patientMapper(config *rest.Config, client *http.Client) (meta.RESTMapper, error) {
	bounded := *client
	bounded.Timeout = apiTimeout
	return apiutil.NewDynamicRESTMapper(config, &bounded)
}

func (o Options) namespace() string {
	if o.Only != nil {
		return o.Only.Namespace
	}
	return o.Namespace
}

// register connects the controller with all that wakes it.
func (c *controller) register(ctx context.Context, mgr ctrl.Manager, o Options) error {
	workers := o.Workers
	if workers == 0 {
		workers = 8
	}
	skipNameCheck := true // the names of a manager that was given up are still taken in this process
	b := builder.ControllerManagedBy(mgr).Named("loadscaler").
		WithOptions(ctrlcontroller.Options{MaxConcurrentReconciles: workers, SkipNameValidation: &skipNameCheck, ReconciliationTimeout: apiTimeout}).
		WatchesRawSource(source.Func(c.wakeups(o.Only)))
	if o.Only != nil {
		c.scalers = onlyOne{o.Only}
		return b.Complete(c)
	}
	c.scalers = inCluster{client: mgr.GetClient(), log: o.Log}
	if err := mgr.Add(manager.RunnableFunc(c.sweep)); err != nil {
		return err
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.LoadScaler{}, byTarget, indexByTarget); err != nil {
		return err
	}
	return b.Watches(&v1alpha1.LoadScaler{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(specChanged)).Complete(c)
}

// sweepPause is how soon a sweep is tried again.
const sweepPause = 10 * time.Second

// sweep takes the marks off pods that no LoadScaler is about any more: those of
// one that was deleted while no cusme ran.
func (c *controller) sweep(ctx context.Context) error {
	return wait.PollUntilContextCancel(ctx, sweepPause, true, func(ctx context.Context) (bool, error) {
		err := c.targets.Sweep(ctx, c.claimed)
		if err != nil && !errors.Is(err, target.ErrConflict) {
			c.log.Info("marks of an earlier cusme stay for now", "error", err.Error())
		}
		return err == nil, nil
	})
}

// specChanged lets our own status writes wake nobody: they leave the generation
// as it is. One that was deleted and created again during an outage of the watch
// comes as an update, perhaps of the same generation.
var specChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || e.ObjectOld.GetUID() != e.ObjectNew.GetUID()
}}

// wakeups gives the controller's work queue to wake.
func (c *controller) wakeups(only *v1alpha1.LoadScaler) func(context.Context, workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	return func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		c.queue.Store(&queue)
		if only != nil {
			c.wake(client.ObjectKeyFromObject(only))
		}
		return nil
	}
}

// wake has a LoadScaler decided soon. Calls before the controller has started
// do nothing: it begins with all LoadScalers.
func (c *controller) wake(key types.NamespacedName) { c.wakeAfter(key, 0) }

// wakeAfter has a LoadScaler decided after a while, whatever else wakes it before.
func (c *controller) wakeAfter(key types.NamespacedName, d time.Duration) {
	if queue := c.queue.Load(); queue != nil {
		(*queue).AddAfter(reconcile.Request{NamespacedName: key}, d)
	}
}
