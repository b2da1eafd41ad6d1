package target

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/elastic"
)

// +kubebuilder:rbac:groups=scheduling.vke.volcengine.com,resources=resourcepolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=scheduling.alibabacloud.com,resources=resourcepolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps.kruise.io,resources=workloadspreads,verbs=get;list;watch
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=selfsubjectaccessreviews,verbs=create

// Whether the cluster has a kind, and lets cusme read it, costs requests to
// ask. Vendors' add-ons and rights come and go by hand, so that after a no it is
// asked again now and then; sooner when there was no answer.
const (
	askAfterNo      = 10 * time.Minute
	askAfterNothing = time.Minute
)

// foreignKind is a kind of objects that own the order in which pods go.
type foreignKind struct {
	elastic.Owner
	// watched is its watch; nil while cusme is not known to be able to read the kind.
	watched *watchedKind
	// absent says that the cluster was asked, and has it not.
	absent bool
	// ask is when to ask again.
	ask time.Time
	// mapped is the kind as the cluster serves it.
	mapped schema.GroupVersionKind
}

func foreignKinds() []foreignKind {
	var kinds []foreignKind
	for _, o := range elastic.Owners() {
		kinds = append(kinds, foreignKind{Owner: o})
	}
	return kinds
}

// foreignOwner names the foreign object that owns the order in which a
// target's pods go, or a kind that may hold one and cannot be read. It is
// empty when there is neither. Where cusme sets no costs it matters as well: a
// vendor's order is not the ReplicaSet controller's.
func (t *Targets) foreignOwner(ctx context.Context, ref Ref, pods []*corev1.Pod) (string, error) {
	var perhaps string
	for _, k := range t.askForeign(ctx) {
		if k.absent {
			continue
		}
		if k.watched == nil || !k.watched.synced(ctx) {
			perhaps = fmt.Sprintf("perhaps %s, which cusme cannot read,", k.Says)
			continue
		}
		name, err := t.selecting(ctx, k, ref, pods)
		if err != nil {
			return "", err
		}
		if name != "" {
			return fmt.Sprintf("%s named %s", k.Says, name), nil
		}
	}
	return perhaps, nil
}

// selecting names the first object of a kind that owns the order of a target's
// pods; empty when there is none.
func (t *Targets) selecting(ctx context.Context, k foreignKind, ref Ref, pods []*corev1.Pod) (string, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(k.mapped)
	if err := t.cache.List(ctx, list, client.InNamespace(ref.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return "", err
	}
	var names []string
	for _, o := range list.Items {
		if slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return !leaving(p) && k.Selects(o.Object, workload(ref, p)) }) {
			names = append(names, o.GetName())
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	return slices.Min(names), nil
}

func workload(ref Ref, p *corev1.Pod) elastic.Target {
	return elastic.Target{APIVersion: ref.APIVersion, Kind: ref.Kind, Name: ref.Name, PodLabels: p.Labels}
}

// askForeign returns all foreign kinds. It begins to watch those that can be
// read, so that all begin together, and does not wait for them.
func (t *Targets) askForeign(ctx context.Context) []foreignKind {
	t.foreignMu.Lock()
	defer t.foreignMu.Unlock()
	for i := range t.foreign {
		if k := &t.foreign[i]; k.watched == nil && !t.now().Before(k.ask) {
			t.ask(ctx, k)
		}
	}
	return slices.Clone(t.foreign)
}

// ask asks for the kind by its group, because an owner of a version that is
// not the one we know of owns all the same.
func (t *Targets) ask(ctx context.Context, k *foreignKind) {
	mapping, err := t.client.RESTMapper().RESTMapping(schema.GroupKind{Group: k.Group, Kind: k.Kind})
	if meta.IsNoMatchError(err) {
		k.absent, k.ask = true, t.now().Add(askAfterNo)
		return
	}
	k.absent, k.ask = false, t.now().Add(askAfterNothing)
	if err != nil {
		return
	}
	may, err := t.mayWatch(ctx, mapping.Resource)
	if err != nil {
		return
	}
	if !may {
		k.ask = t.now().Add(askAfterNo)
		return
	}
	k.mapped = mapping.GroupVersionKind
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(k.mapped)
	informer, err := t.watch(ctx, object, t.foreignChanges())
	if err != nil {
		return
	}
	k.watched = &watchedKind{Informer: informer, patience: time.Now().Add(syncPatience)}
}

// mayWatch asks whether cusme may watch a resource. A watch that was begun
// without the right would be refused again and again, for as long as cusme runs.
func (t *Targets) mayWatch(ctx context.Context, resource schema.GroupVersionResource) (bool, error) {
	for _, verb := range []string{"list", "watch"} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: t.namespace, Group: resource.Group, Version: resource.Version, Resource: resource.Resource, Verb: verb,
			},
		}}
		if err := t.client.Create(ctx, review); err != nil || !review.Status.Allowed {
			return false, err
		}
	}
	return true, nil
}

// foreignChanges wakes all targets that an object may own the order of: those of its namespace.
func (t *Targets) foreignChanges() changes {
	matter := func(was, is client.Object) bool { return !reflect.DeepEqual(specOf(was), specOf(is)) }
	return changes{matter: matter, wake: func(versions ...client.Object) {
		for _, ref := range t.knownIn(versions[0].GetNamespace()) {
			t.onChange(ref)
		}
	}}
}

func specOf(o client.Object) any {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	return u.Object["spec"]
}

// knownIn returns the targets of a namespace that OnChange is called for.
func (t *Targets) knownIn(namespace string) []Ref {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.known[namespace]))
}
