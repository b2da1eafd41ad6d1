package target

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/scaling"
)

// foreignDefinition is as much of a vendor's CRD as matters here: anything goes.
const foreignDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: PLURAL.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {kind: KIND, listKind: KINDList, plural: PLURAL, singular: SINGULAR}
  versions:
  - name: VERSION
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// foreign is a kind of a vendor's.
type foreign struct {
	group, version, kind, plural string
}

var (
	vkePolicy    = foreign{"scheduling.vke.volcengine.com", "v1beta1", "ResourcePolicy", "resourcepolicies"}
	kruiseSpread = foreign{"apps.kruise.io", "v1alpha1", "WorkloadSpread", "workloadspreads"}
	ackPolicy    = foreign{"scheduling.alibabacloud.com", "v1alpha1", "ResourcePolicy", "resourcepolicies"}
)

// install makes the kind known to the cluster that the tests share.
func (f foreign) install(t *testing.T) {
	t.Helper()
	c := clustertest.Shared(t)
	c.Apply(t, strings.NewReplacer("GROUP", f.group, "VERSION", f.version, "KIND", f.kind, "PLURAL", f.plural, "SINGULAR", strings.ToLower(f.kind)).Replace(foreignDefinition))
	clustertest.Eventually(t, patience, func() error {
		_, err := c.Kubectl(t, "get", f.plural+"."+f.group, "--all-namespaces")
		return err
	})
}

// object is named gpu-first.
func (f foreign) object(ns string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetAPIVersion(f.group + "/" + f.version)
	o.SetKind(f.kind)
	o.SetNamespace(ns)
	o.SetName("gpu-first")
	return o
}

func TestForeignOwners(t *testing.T) {
	reference := func(name string) map[string]any {
		return map[string]any{"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": name}}
	}
	selector := func(name string) map[string]any { return map[string]any{"selector": map[string]any{"app": name}} }
	for _, c := range []struct {
		foreign
		says string
		spec func(name string) map[string]any
	}{
		{vkePolicy, "a VKE ResourcePolicy named gpu-first", selector},
		{kruiseSpread, "an OpenKruise WorkloadSpread named gpu-first", reference},
	} {
		t.Run(c.kind, func(t *testing.T) {
			c.install(t)
			b := newBench(t, benchOptions{})
			s := b.web(t, 1)
			b.see(t, s.Ref, chosen(scaling.OrderCost, ""))

			o := c.object(b.ns, c.spec("web"))
			b.create(t, o)
			b.see(t, s.Ref, chosen(scaling.OrderUnknown, c.says))
			b.update(t, o, func() { o.Object["spec"] = c.spec("other") })
			b.see(t, s.Ref, chosen(scaling.OrderCost, ""))
			b.update(t, o, func() { o.Object["spec"] = c.spec("web") })
			b.see(t, s.Ref, chosen(scaling.OrderUnknown, c.says))
			if err := b.admin.Delete(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			b.see(t, s.Ref, chosen(scaling.OrderCost, ""))
		})
	}
}

// Nobody knows then whether there is one, and it is no reason to stop scaling.
func TestForeignOwnersThatCannotBeRead(t *testing.T) {
	vkePolicy.install(t)
	var clock atomic.Int64
	b := newBench(t, benchOptions{without: "get list watch resourcepolicies", now: func() time.Time { return time.Unix(0, clock.Load()) }})
	s := b.web(t, 1)
	unread := chosen(scaling.OrderUnknown, "perhaps a VKE ResourcePolicy, which cusme cannot read,")
	b.see(t, s.Ref, unread)

	// A watch that was begun all the same would be refused for ever.
	short, cancel := context.WithTimeout(t.Context(), syncPatience)
	defer cancel()
	if !b.cache.WaitForCacheSync(short) {
		t.Errorf("a watch that may not be read was begun: want none")
	}
	clock.Add(int64(askAfterNo - time.Second))
	before := b.requests.Load()
	for range 10 {
		if err := unread(b.Observe(t.Context(), s.Ref)); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.requests.Load() - before; n != 0 {
		t.Errorf("%d requests before it is time to ask again, want none", n)
	}

	b.regrant(t, markedRights(t))
	clustertest.Eventually(t, patience, func() error {
		clock.Add(int64(askAfterNo))
		return chosen(scaling.OrderCost, "")(b.Observe(t.Context(), s.Ref))
	})
}

// regrant changes the rights that the bench was made with.
func (b *bench) regrant(t *testing.T, rules []rbacv1.PolicyRule) {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "cusme-" + b.ns}}
	b.update(t, role, func() { role.Rules = rules })
}

// Where cusme may not choose, a vendor's order is still not the ReplicaSet controller's.
func TestForeignOwnersWhereCusmeMayNotChoose(t *testing.T) {
	vkePolicy.install(t)
	b := newBench(t, benchOptions{chained: true})
	s := b.web(t, 1)
	b.see(t, s.Ref, chosen(scaling.OrderRank, "the ReplicaSet controller, as cusme may not patch pods,"))
	b.create(t, vkePolicy.object(b.ns, map[string]any{"selector": map[string]any{"app": "web"}}))
	b.see(t, s.Ref, chosen(scaling.OrderUnknown, "a VKE ResourcePolicy named gpu-first"))
}

// The cluster is asked for kinds that it has not every ten minutes, and not in between.
func TestForeignKindsThatComeLater(t *testing.T) {
	var clock atomic.Int64
	b := newBench(t, benchOptions{now: func() time.Time { return time.Unix(0, clock.Load()) }})
	s := b.web(t, 1)
	ackPolicy.install(t)
	t.Cleanup(func() {
		if _, err := clustertest.Shared(t).Kubectl(t, "delete", "crd", "resourcepolicies.scheduling.alibabacloud.com"); err != nil {
			t.Error(err)
		}
	})
	b.create(t, ackPolicy.object(b.ns, map[string]any{"selector": map[string]any{"app": "web"}}))
	clock.Add(int64(askAfterNo - time.Second))
	before := b.requests.Load()
	for range 10 {
		if err := chosen(scaling.OrderCost, "")(b.Observe(t.Context(), s.Ref)); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.requests.Load() - before; n != 0 {
		t.Errorf("%d requests before it is time to ask again, want none", n)
	}
	clock.Add(int64(time.Second))
	clustertest.Eventually(t, patience, func() error {
		s, err := b.Observe(t.Context(), s.Ref)
		if s.Unsteerable == "" && err == nil {
			t.Fatal("the new kind was not waited for")
		}
		return chosen(scaling.OrderUnknown, "an ACK ResourcePolicy named gpu-first")(s, err)
	})
}

// Foreign owners speak of ReplicaSets' pods; a StatefulSet knows no costs.
func TestForeignOwnersOfOtherKinds(t *testing.T) {
	vkePolicy.install(t)
	b := newBench(t, benchOptions{})
	b.create(t, vkePolicy.object(b.ns, map[string]any{}))
	b.create(t, statefulSet(b.ns, "set", 1))
	b.create(t, replicaSet(b.ns, "web", 1))
	b.see(t, Ref{"apps/v1", "ReplicaSet", b.ns, "web"}, func(s State, err error) error {
		return errors.Join(settled(1)(s, err), chosen(scaling.OrderUnknown, "a VKE ResourcePolicy named gpu-first")(s, err))
	})
	b.see(t, Ref{"apps/v1", "StatefulSet", b.ns, "set"}, func(s State, err error) error {
		return errors.Join(settled(1)(s, err), chosen(scaling.OrderOrdinal, "a StatefulSet (highest ordinals first)")(s, err))
	})
}
