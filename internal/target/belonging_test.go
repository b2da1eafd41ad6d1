package target

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/scaling"
)

// Charts copied from one another often share labels. ReplicaSets tell their
// pods apart by a hash in the selector; whoever counts by app=web does not.
func TestSharedLabelsShareNoPods(t *testing.T) {
	b := newBench(t, benchOptions{})
	var states []State
	for i, name := range []string{"red", "blue"} {
		b.create(t, labelledWeb(b.ns, name, int32(i+1)))
		states = append(states, b.see(t, deploymentRef(b.ns, name), settled(i+1)))
	}
	stray := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: b.ns, Name: "stray", Labels: map[string]string{"app": "web"}}, Spec: podTemplate("web").Spec}
	b.create(t, stray)
	b.see(t, deploymentRef(b.ns, "red"), settled(1))
	for _, s := range states {
		for _, p := range s.Pods {
			if !strings.HasPrefix(p.Name, s.Ref.Name+"-") {
				t.Errorf("%s counts pod %s as its own", s.Ref, p.Name)
			}
		}
	}
}

// labelledWeb is a Deployment whose pods are labelled app=web, whatever its name.
func labelledWeb(ns, name string, replicas int32) client.Object {
	d := deployment(ns, name, replicas).(*appsv1.Deployment)
	d.Spec.Selector, d.Spec.Template.Labels = selecting("web"), map[string]string{"app": "web"}
	return d
}

func deploymentRef(ns, name string) Ref {
	return Ref{"apps/v1", "Deployment", ns, name}
}

func TestRolloutIsUnsteerableWhileItLasts(t *testing.T) {
	b := newBench(t, benchOptions{})
	d := deployment(b.ns, "web", 2).(*appsv1.Deployment)
	b.create(t, d)
	ref := deploymentRef(b.ns, "web")
	b.see(t, ref, unsteerable(""))

	// A template that fits on no node: the rollout stays half done.
	b.update(t, d, func() { d.Spec.Template.Spec.NodeSelector = map[string]string{"no": "such"} })
	b.see(t, ref, unsteerable("a rollout with 2 live ReplicaSets"))

	b.update(t, d, func() { d.Spec.Template.Spec.NodeSelector = nil })
	b.see(t, ref, func(s State, err error) error {
		return errors.Join(unsteerable("")(s, err), settled(2)(s, err))
	})
}

func unsteerable(want string) func(State, error) error {
	order := scaling.OrderUnknown
	if want == "" {
		order = scaling.OrderCost
	}
	return func(s State, err error) error {
		if len(s.Pods) == 0 {
			return errors.Join(errors.New("no pods yet"), err)
		}
		return chosen(order, want)(s, err)
	}
}

// update repeats a change until nobody else's comes in between.
func (b *bench) update(t *testing.T, o client.Object, change func()) {
	t.Helper()
	for {
		if err := b.admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatal(err)
		}
		change()
		err := b.admin.Update(t.Context(), o)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "the object has been modified") {
			t.Fatal(err)
		}
	}
}

// An operator's resource with a scale subresource often owns its pods through
// a Deployment, or through something that cusme does not watch.
func TestPodsBelowIntermediateOwners(t *testing.T) {
	installFleet(t)
	b := newBench(t, benchOptions{rights: subjects[3].rights})
	f := fleet(b.ns, "web", 3)
	b.create(t, f)
	b.tell(t, f, "app=web")

	below := deployment(b.ns, "web", 1)
	below.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(f, f.GetObjectKind().GroupVersionKind())})
	b.create(t, below)
	unwatched := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.ns, Name: "unwatched"}}
	b.create(t, unwatched)
	b.create(t, labelledWeb(b.ns, "web-of-others", 1))
	sibling := fleet(b.ns, "sibling", 1)
	b.create(t, sibling)
	for name, owner := range map[string]*metav1.OwnerReference{
		"believed":  metav1.NewControllerRef(unwatched, corev1.SchemeGroupVersion.WithKind("ConfigMap")),
		"owned":     metav1.NewControllerRef(f, f.GetObjectKind().GroupVersionKind()),
		"siblings":  metav1.NewControllerRef(sibling, sibling.GetObjectKind().GroupVersionKind()),
		"ownerless": nil,
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: b.ns, Name: name, Labels: map[string]string{"app": "web"}}, Spec: podTemplate("web").Spec}
		if owner != nil {
			pod.OwnerReferences = []metav1.OwnerReference{*owner}
		}
		b.create(t, pod)
	}
	b.see(t, deploymentRef(b.ns, "web-of-others"), settled(1))
	s := b.see(t, fleetRef(b.ns), settled(3))
	for i, prefix := range []string{"believed", "owned", "web-"} {
		if !strings.HasPrefix(s.Pods[i].Name, prefix) || strings.HasPrefix(s.Pods[i].Name, "web-of-others") {
			t.Errorf("pods %s: want believed, owned and one of Deployment web", names(s.Pods))
		}
	}
}

func fleetRef(ns string) Ref { return Ref{"test.cusme.dev/v1", "Fleet", ns, "web"} }

// elasticDeployment runs on the virtual node only.
func elasticDeployment(ns string) *appsv1.Deployment {
	d := deployment(ns, "web", 1).(*appsv1.Deployment)
	d.Spec.Template.Spec.NodeSelector = map[string]string{"type": "virtual-kubelet"}
	d.Spec.Template.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	return d
}

func TestPodsOnElasticNodes(t *testing.T) {
	for _, blind := range []bool{false, true} {
		b := newBench(t, benchOptions{blind: blind})
		b.create(t, elasticDeployment(b.ns))
		s := b.see(t, deploymentRef(b.ns, "web"), settled(1))
		if s.Pods[0].Elastic == blind {
			t.Errorf("pod %+v with nodes hidden: %v", s.Pods[0], blind)
		}
	}
}
