package target

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/scaling"
)

// subject is a kind under test. Every kind goes through the same suite.
type subject struct {
	apiVersion, kind string
	// make returns an object that asks for a number of replicas.
	make func(ns, name string, replicas int32) client.Object
	// order is how a settled target of the kind removes pods.
	order scaling.Order
	// unsteerable is the sentence a settled target of the kind comes with.
	unsteerable string
	// rights the kind's users have to grant; none for the kinds that the markers cover.
	rights []rbacv1.PolicyRule
	// play does the work of the kind's controller, if the control plane has none for it.
	play func(t *testing.T, b *bench, name string)
}

var subjects = []subject{
	{apiVersion: "apps/v1", kind: "Deployment", make: deployment, order: scaling.OrderCost},
	{apiVersion: "apps/v1", kind: "ReplicaSet", make: replicaSet, order: scaling.OrderCost},
	{apiVersion: "apps/v1", kind: "StatefulSet", make: statefulSet, order: scaling.OrderOrdinal, unsteerable: "a StatefulSet (highest ordinals first)"},
	{
		apiVersion: "test.cusme.dev/v1", kind: "Fleet", make: fleet, play: playFleet,
		unsteerable: "the controller of kind Fleet, by rules of its own,",
		rights: []rbacv1.PolicyRule{
			{APIGroups: []string{"test.cusme.dev"}, Resources: []string{"fleets"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{"test.cusme.dev"}, Resources: []string{"fleets/scale"}, Verbs: []string{"get", "update"}},
		},
	},
}

func TestConformance(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.kind, func(t *testing.T) {
			if s.play != nil {
				installFleet(t)
			}
			b := newBench(t, benchOptions{rights: s.rights})
			c := conformance{bench: b, subject: s, ref: Ref{s.apiVersion, s.kind, b.ns, "web"}}
			c.missing(t)
			c.observe(t)
			c.quiet(t)
			c.conflict(t, c.grow(t))
			last := c.shrink(t)
			c.vanish(t, last)
			c.recreate(t, last)
		})
	}
}

type conformance struct {
	*bench
	subject
	ref Ref
}

func (c conformance) create(t *testing.T, replicas int32) {
	t.Helper()
	c.bench.create(t, c.make(c.ns, c.ref.Name, replicas))
	if c.play != nil {
		c.play(t, c.bench, c.ref.Name)
	}
}

func (c conformance) missing(t *testing.T) {
	_, err := c.Observe(t.Context(), c.ref)
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "has no "+c.kind+" named web") {
		t.Fatalf("observe before it exists: %v, want ErrNotFound with a sentence", err)
	}
}

func (c conformance) observe(t *testing.T) {
	c.create(t, 2)
	s := c.see(t, c.ref, func(s State, err error) error {
		if err := settled(2)(s, err); err != nil {
			return err
		}
		if s.Order != c.order || s.Unsteerable != c.unsteerable {
			return fmt.Errorf("order %q, by %q", s.Order, s.Unsteerable)
		}
		return nil
	})
	if s.Ref != c.ref || s.UID == "" || s.ResourceVersion == "" {
		t.Errorf("state %+v: want the target's own UID and version", s)
	}
	if !slices.IsSortedFunc(s.Pods, func(a, b scaling.Pod) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("pods %s: want them by name", names(s.Pods))
	}
	for _, p := range s.Pods {
		if p.UID == "" || p.Node == "" || p.Phase != scaling.PhaseRunning || p.Created.IsZero() || p.ReadySince.Before(p.Created) || p.Elastic {
			t.Errorf("pod %+v: want a running pod on an ordinary node", p)
		}
	}
}

// quiet holds back the watches: what a target's controller still has to say
// about its status must not disturb the count.
func (c conformance) quiet(t *testing.T) {
	c.watches.shut()
	defer c.watches.open()
	want, err := c.Observe(t.Context(), c.ref)
	if err != nil {
		t.Fatal(err)
	}
	before := c.requests.Load()
	for range 100 {
		got, err := c.Observe(t.Context(), c.ref)
		if err != nil || names(got.Pods) != names(want.Pods) || got.ResourceVersion != want.ResourceVersion {
			t.Fatalf("observe again: %+v, %v; want the same as before", got, err)
		}
	}
	if n := c.requests.Load() - before; n != 0 {
		t.Errorf("%d requests for 100 looks at a quiet target, want none", n)
	}
}

// set scales as the controller does: when the target moved between the look
// and the write, which a status alone can do, it looks and writes again. The
// watches stay held back after the write that succeeded.
func (c conformance) set(t *testing.T, replicas int32) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		c.watches.open()
		s, err := c.Observe(t.Context(), c.ref)
		if err != nil {
			return err
		}
		c.watches.shut()
		err = c.Scale(t.Context(), s, replicas)
		if err != nil && !errors.Is(err, ErrConflict) {
			t.Fatal(err)
		}
		return err
	})
}

// grow looks at a moment at which the watches certainly show the past.
func (c conformance) grow(t *testing.T) State {
	c.set(t, 3)
	if _, err := c.Observe(t.Context(), c.ref); !errors.Is(err, ErrBehind) {
		t.Fatalf("observe before the watches saw the write: %v, want ErrBehind", err)
	}
	c.watches.open()
	return c.see(t, c.ref, func(s State, err error) error {
		if err == nil && s.Replicas == 2 {
			t.Fatalf("the state from before the write came back: %+v", s)
		}
		return settled(3)(s, err)
	})
}

// conflict lets somebody else write between a look and the write that follows it.
func (c conformance) conflict(t *testing.T, s State) {
	c.watches.shut()
	c.rewrite(t, 4)
	if err := c.Scale(t.Context(), s, 1); !errors.Is(err, ErrConflict) {
		t.Fatalf("scale on top of a state that has passed: %v, want ErrConflict", err)
	}
	c.watches.open()
	c.see(t, c.ref, settled(4))
}

// rewrite is what kubectl scale does.
func (c conformance) rewrite(t *testing.T, replicas int32) {
	t.Helper()
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: c.ref.Name}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	body, err := untyped(scale)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.admin.SubResource("scale").Update(t.Context(), parent(c.ref), client.WithSubResourceBody(body)); err != nil {
		t.Fatal(err)
	}
}

func (c conformance) shrink(t *testing.T) State {
	c.set(t, 1)
	c.watches.open()
	return c.see(t, c.ref, settled(1))
}

func (c conformance) vanish(t *testing.T, s State) {
	if err := c.admin.Delete(t.Context(), parent(c.ref), client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatal(err)
	}
	c.see(t, c.ref, failed(ErrNotFound))
	if err := c.Scale(t.Context(), s, 2); !errors.Is(err, ErrNotFound) {
		t.Fatalf("scale what is gone: %v, want ErrNotFound", err)
	}
}

func (c conformance) recreate(t *testing.T, old State) {
	c.create(t, 1)
	s := c.see(t, c.ref, settled(1))
	if s.UID == old.UID || slices.Contains(s.Pods, old.Pods[0]) {
		t.Errorf("the new target has UID %s and pods %s, the old one had %s and %s: want nothing of the old", s.UID, names(s.Pods), old.UID, names(old.Pods))
	}
	if err := c.Scale(t.Context(), old, 4); !errors.Is(err, ErrConflict) {
		t.Fatalf("scale on top of the old target's state: %v, want ErrConflict", err)
	}
	old.ResourceVersion = s.ResourceVersion
	if err := c.Scale(t.Context(), old, 4); !errors.Is(err, ErrConflict) {
		t.Fatalf("scale by the old target's UID: %v, want ErrConflict", err)
	}
	c.set(t, 0)
	c.watches.open()
	c.see(t, c.ref, settled(0))
}

// podTemplate makes pods that end at once when asked to, because there is no kubelet to end them.
func podTemplate(name string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To[int64](0),
			Containers:                    []corev1.Container{{Name: "app", Image: "model"}},
		},
	}
}

func selecting(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
}

func deployment(ns, name string, replicas int32) client.Object {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: selecting(name), Template: podTemplate(name)},
	}
}

func replicaSet(ns, name string, replicas int32) client.Object {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec:       appsv1.ReplicaSetSpec{Replicas: &replicas, Selector: selecting(name), Template: podTemplate(name)},
	}
}

func statefulSet(ns, name string, replicas int32) client.Object {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec:       appsv1.StatefulSetSpec{Replicas: &replicas, Selector: selecting(name), Template: podTemplate(name), ServiceName: name},
	}
}
