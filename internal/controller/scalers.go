package controller

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/target"
)

// +kubebuilder:rbac:groups=cusme.dev,resources=loadscalers,verbs=get;list;watch
// +kubebuilder:rbac:groups=cusme.dev,resources=loadscalers/status,verbs=get;patch

// inCluster are the LoadScalers of the API server, read through its watch.
type inCluster struct {
	client client.Client
	log    logr.Logger
}

var _ scalers = inCluster{}

// byTarget is the index of LoadScalers by their target.
const byTarget = "target"

func indexByTarget(o client.Object) []string {
	ls, ok := o.(*v1alpha1.LoadScaler)
	if !ok {
		return nil
	}
	return []string{targetKey(refOf(ls))}
}

func targetKey(r target.Ref) string {
	return fmt.Sprintf("%s/%s/%s", r.APIVersion, r.Kind, r.Name)
}

// get returns a LoadScaler as the watch shows it. It is the cache's own, and not to be changed.
func (c inCluster) get(ctx context.Context, key types.NamespacedName) (*v1alpha1.LoadScaler, error) {
	ls := &v1alpha1.LoadScaler{}
	return ls, c.client.Get(ctx, key, ls, client.UnsafeDisableDeepCopy)
}

// saveStatus patches what changed since the status that was saved last. The
// watch may still show an older one; a patch made from that would leave out what
// went back to it. No resource version is sent along: nobody else writes the
// status, and a spec that changed meanwhile is no reason to lose it.
func (c inCluster) saveStatus(ctx context.Context, ls *v1alpha1.LoadScaler, was, is v1alpha1.LoadScalerStatus) error {
	before, after := ls.DeepCopy(), ls.DeepCopy()
	before.Status, after.Status = was, is
	return client.IgnoreNotFound(c.client.Status().Patch(ctx, after, client.MergeFrom(before)))
}

func (c inCluster) of(ctx context.Context, ref target.Ref) []types.NamespacedName {
	var list v1alpha1.LoadScalerList
	err := c.client.List(ctx, &list, client.InNamespace(ref.Namespace), client.MatchingFields{byTarget: targetKey(ref)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		c.log.Error(err, "cannot find the LoadScalers of a target", "target", ref.String())
		return nil
	}
	var keys []types.NamespacedName
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			keys = append(keys, client.ObjectKeyFromObject(&list.Items[i]))
		}
	}
	return keys
}

// rival returns the LoadScaler that scales the target in place of this one: of
// several that would write, the oldest does. A dry run is nobody's rival.
func (c inCluster) rival(ctx context.Context, ls *v1alpha1.LoadScaler) (types.NamespacedName, bool) {
	if ls.Spec.DryRun {
		return types.NamespacedName{}, false
	}
	oldest := ls
	for _, key := range c.of(ctx, refOf(ls)) {
		other, err := c.get(ctx, key)
		if err == nil && !other.Spec.DryRun && older(other, oldest) {
			oldest = other
		}
	}
	return client.ObjectKeyFromObject(oldest), oldest.UID != ls.UID
}

func older(a, b *v1alpha1.LoadScaler) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// onlyOne is a LoadScaler that stands in no cluster: one from the command line.
type onlyOne struct {
	*v1alpha1.LoadScaler
}

var _ scalers = onlyOne{}

func (o onlyOne) get(_ context.Context, key types.NamespacedName) (*v1alpha1.LoadScaler, error) {
	if key != client.ObjectKeyFromObject(o) {
		return nil, apierrors.NewNotFound(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "loadscalers"}, key.String())
	}
	return o.LoadScaler, nil
}

// saveStatus has nowhere to go: the log tells every decision.
func (o onlyOne) saveStatus(_ context.Context, _ *v1alpha1.LoadScaler, _, _ v1alpha1.LoadScalerStatus) error {
	return nil
}

func (o onlyOne) rival(context.Context, *v1alpha1.LoadScaler) (types.NamespacedName, bool) {
	return types.NamespacedName{}, false
}

func (o onlyOne) of(_ context.Context, ref target.Ref) []types.NamespacedName {
	if ref != refOf(o.LoadScaler) {
		return nil
	}
	return []types.NamespacedName{client.ObjectKeyFromObject(o)}
}
