// Package target sees and sets replicas, and chooses which pods a scale-in takes.
//
// It looks at a target and its pods through watches only: as long as nothing
// happens in the cluster, looking costs no request, however often it is done.
// Of a target it writes the scale subresource only, of pods two annotations,
// and all of it only on top of the very version that was looked at.
package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/elastic"
	"cusme.dev/cusme/internal/scaling"
)

var (
	// ErrNotFound says that the target does not exist, or is being deleted.
	ErrNotFound = errors.New("target not found")
	// ErrNoScale says that the target cannot be scaled: its kind is unknown to
	// the cluster, has no scale subresource, or one that does not lead to pods.
	ErrNoScale = errors.New("target cannot be scaled")
	// ErrUnseen says that the target's kind cannot be watched so far, for want of a right or of time.
	ErrUnseen = errors.New("target cannot be seen")
	// ErrBehind says that the watches, or the target's own controller, have not
	// yet seen the last write. OnChange is called when they have; there is nothing to do before.
	ErrBehind = errors.New("target is not up to date yet")
	// ErrConflict says that the target changed since it was observed: look again and decide again.
	ErrConflict = errors.New("target changed meanwhile")
)

// A Ref names a target.
type Ref struct {
	APIVersion, Kind, Namespace, Name string
}

// String returns the target as people write it, such as Deployment prod/web.
func (r Ref) String() string {
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

func (r Ref) gvk() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(r.APIVersion, r.Kind)
}

func (r Ref) key() types.NamespacedName {
	return types.NamespacedName{Namespace: r.Namespace, Name: r.Name}
}

// State is a target as it was last seen.
type State struct {
	Ref Ref
	// UID tells the target from another one of the same name.
	UID types.UID
	// ResourceVersion is the version seen; Scale writes on top of this one only.
	ResourceVersion string
	// Replicas is the number asked for (spec.replicas), not the number that exist.
	Replicas int32
	// Pods are the target's own pods, leaving and broken ones included, by name.
	Pods []scaling.Pod
	// Order is the order in which the target's own controller removes pods.
	Order scaling.Order
	// Unsteerable says who decides which pods go where cusme does not, fit to
	// stand before "decides which pods go"; empty with OrderCost only.
	Unsteerable string

	// pods are the cache's own: they are not to be changed.
	pods []*corev1.Pod
}

// Addresses returns the pods' IPs by their UIDs, for asking them; empty where a
// pod has none yet.
func (s State) Addresses() map[string]string {
	all := make(map[string]string, len(s.pods))
	for _, p := range s.pods {
		all[string(p.UID)] = p.Status.PodIP
	}
	return all
}

// Options of New.
type Options struct {
	// OnChange is called when an observed target, or one of its pods, changed in
	// a way that Observe would show. It is called from the watches, so it must
	// not block, and it may be called more often than needed.
	OnChange func(Ref)
	// Nodes says that nodes may be read. Without it no pod is elastic.
	Nodes bool
	// Elastic knows elastic nodes; nil stands for elastic.Known.
	Elastic elastic.Rules
	// Steer says that pods may be patched. Without it cusme chooses no pods.
	Steer bool
	// Namespace is the one that the cache is restricted to; empty stands for all.
	Namespace string
	// Settle is how long after marks are seen the ReplicaSet controller is
	// trusted to have seen them too; see Steer.
	Settle time.Duration
	// Now is the clock; nil stands for time.Now.
	Now func() time.Time
}

// Targets sees and sets the replicas of any number of targets. It is safe for concurrent use.
type Targets struct {
	cache     cache.Cache
	client    client.Client
	onChange  func(Ref)
	nodes     bool
	rules     elastic.Rules
	steers    bool
	namespace string
	settle    time.Duration
	now       func() time.Time
	// basic are the watches that New began.
	basic []cache.Informer

	mu    sync.Mutex
	known map[string]map[Ref]*memory // by namespace, so that a pod of another one costs a single look-up

	// Beginning to watch a kind asks the API server what it is; nobody's pods wait for that.
	kindsMu sync.Mutex
	kinds   map[schema.GroupVersionKind]watchedKind

	foreignMu sync.Mutex
	foreign   []foreignKind
}

// New returns Targets that see through c and write through cl. It registers its
// watches with c, which may be started before or after; c should use Trim as
// its DefaultTransform, or the memory of cusme grows with every pod's whole spec.
func New(ctx context.Context, c cache.Cache, cl client.Client, o Options) (*Targets, error) {
	t := &Targets{
		cache:     c,
		client:    cl,
		onChange:  o.OnChange,
		nodes:     o.Nodes,
		rules:     o.Elastic,
		steers:    o.Steer,
		namespace: o.Namespace,
		settle:    o.Settle,
		now:       o.Now,
		known:     map[string]map[Ref]*memory{},
		kinds:     map[schema.GroupVersionKind]watchedKind{},
		foreign:   foreignKinds(),
	}
	if t.onChange == nil {
		t.onChange = func(Ref) {}
	}
	if t.rules == nil {
		t.rules = elastic.Known()
	}
	if t.now == nil {
		t.now = time.Now
	}
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// begin begins the watches without which nothing can be seen.
func (t *Targets) begin(ctx context.Context) error {
	for _, o := range []client.Object{&corev1.Pod{}, partial(replicaSetKind)} {
		if err := t.cache.IndexField(ctx, o, byController, indexByController); err != nil {
			return fmt.Errorf("index %T by controller: %w", o, err)
		}
	}
	pods, err := t.watch(ctx, &corev1.Pod{}, t.podChanges())
	if err != nil {
		return err
	}
	deployments, err := t.watch(ctx, &appsv1.Deployment{}, t.ownerChanges(deploymentKind))
	if err != nil {
		return err
	}
	replicaSets, err := t.watchKind(ctx, replicaSetKind)
	if err != nil {
		return err
	}
	t.basic = []cache.Informer{pods, deployments, replicaSets}
	if !t.nodes {
		return nil
	}
	nodes, err := t.watch(ctx, &corev1.Node{}, nil)
	t.basic = append(t.basic, nodes)
	return err
}

// Synced reports whether the watches that New registered have shown all there
// is. Those of kinds met later do not count: one that may not be read never would.
func (t *Targets) Synced() bool {
	return !slices.ContainsFunc(t.basic, func(i cache.Informer) bool { return !i.HasSynced() })
}

// Observe returns the target as the watches show it, and from now on has
// OnChange called for it. It fails with ErrNotFound, ErrNoScale, ErrUnseen, ErrBehind, or
// what the API server said when a kind other than a Deployment had to be read.
func (t *Targets) Observe(ctx context.Context, ref Ref) (State, error) {
	t.remember(ref, func(*memory) {})
	s, err := t.observe(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		t.remember(ref, func(m *memory) { *m = memory{} })
	}
	if err != nil {
		return State{}, fmt.Errorf("observe %s: %w", ref, err)
	}
	t.noteMarks(s)
	slices.SortFunc(s.Pods, func(a, b scaling.Pod) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

func (t *Targets) observe(ctx context.Context, ref Ref) (State, error) {
	if err := t.patchesSeen(ctx, ref); err != nil {
		return State{}, err
	}
	if ref.gvk() == deploymentKind {
		return t.observeDeployment(ctx, ref)
	}
	return t.observeScaled(ctx, ref)
}

// present fails with ErrNotFound for a target on its way out. A Deployment
// deleted in the foreground stays visible until its last pod has gone.
func present(ref Ref, o metav1.Object) error {
	if o.GetDeletionTimestamp() == nil {
		return nil
	}
	return fmt.Errorf("%w: %s is being deleted", ErrNotFound, ref)
}

func missing(ref Ref) error {
	return fmt.Errorf("%w: namespace %s has no %s named %s; create it, or correct the scaleTargetRef", ErrNotFound, ref.Namespace, ref.Kind, ref.Name)
}
