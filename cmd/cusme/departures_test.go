package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// Pods that others take away are replaced, change no number of cusme's, and are
// counted by what took them.
func TestOthersTakePods(t *testing.T) {
	t.Parallel()
	c := clustertest.Shared(t)
	c.InstallCRD(t)
	home := newNamespace(t, c)
	nodes := home.namespace
	newNodes(t, c, nodes)
	home.fill(t, nodes, false)
	w := newWitness(t, home.client, home.namespace)
	d := fleet{name: "webui", replicas: 3, nodes: nodes}.create(t, home)
	b := newBackend(t, "3")
	newTotalScaler(t, d, b, "minPodAge: 10m")
	startController(t, d)
	w.shows(t, d.name, 3)
	d.hasStatus(t, "{.status.readyReplicas}", "3")
	mark := c.Mark(t)

	home.fill(t, nodes, true)
	if _, err := c.Kubectl(t, "drain", "ordinary-"+nodes, "--pod-selector=part=webui"); err != nil {
		t.Fatal(err)
	}
	w.shows(t, d.name, 3)
	d.hasStatus(t, youngGone, "cusme: , eviction: 3, rollout: , outside: .")

	d.rollOut(t, "2")
	d.hasStatus(t, youngGone, "cusme: , eviction: 3, rollout: 3, outside: .")
	w.shows(t, d.name, 3)

	if _, err := c.Kubectl(t, "delete", "pod", "-n", d.namespace, w.alive(t, d.name)[0].name()); err != nil {
		t.Fatal(err)
	}
	d.hasStatus(t, youngGone, "cusme: , eviction: 3, rollout: 3, outside: 1.")
	w.shows(t, d.name, 3)
	if writes := d.writes(t, mark); len(writes) > 0 || d.replicas(t) != 3 {
		t.Errorf("expected 3 replicas and no write of the scale, got %d and:\n%s", d.replicas(t), listed(writes))
	}
}

// youngGone is the JSONPath of the young pods that went, by what took them.
const youngGone = "cusme: {.status.account.youngPods.cusme}, eviction: {.status.account.youngPods.eviction}, rollout: {.status.account.youngPods.rollout}, outside: {.status.account.youngPods.outside}."

// policyDefinition is the kind as VKE names it; its schema is not published.
const policyDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: resourcepolicies.scheduling.vke.volcengine.com}
spec:
  group: scheduling.vke.volcengine.com
  scope: Namespaced
  names: {kind: ResourcePolicy, plural: resourcepolicies, singular: resourcepolicy}
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// A ResourcePolicy chooses in its own way which pods go: with a young one around
// nothing is removed as long as it exists.
func TestAResourcePolicyHoldsScaleIns(t *testing.T) {
	t.Parallel()
	const minPodAge = 25 * time.Second
	program(t) // to build it takes long on a busy machine, and pods grow old meanwhile
	c := clustertest.Shared(t)
	c.InstallCRD(t)
	c.Apply(t, policyDefinition)
	if _, err := c.Kubectl(t, "wait", "--for=condition=Established", "crd/resourcepolicies.scheduling.vke.volcengine.com"); err != nil {
		t.Fatal(err)
	}
	home := newNamespace(t, c)
	w := newWitness(t, home.client, home.namespace)
	d := fleet{name: "webui", replicas: 2}.create(t, home)
	w.shows(t, d.name, 2)
	grownOld(t, w, d, minPodAge)

	clustertest.Eventually(t, patience, func() error {
		_, err := c.Kubectl(t, "get", "resourcepolicies.scheduling.vke.volcengine.com", "-n", d.namespace)
		return err
	})
	c.Apply(t, fmt.Sprintf(`
apiVersion: scheduling.vke.volcengine.com/v1beta1
kind: ResourcePolicy
metadata: {name: gpu-first, namespace: %s}
spec: {selector: {part: webui}}
`, d.namespace))
	b := newBackend(t, "3")
	newTotalScaler(t, d, b, fmt.Sprintf("minPodAge: %s", minPodAge))
	startController(t, d)
	d.reaches(t, 3)
	w.shows(t, d.name, 3)
	b.reports("2")
	d.hasStatus(t, condition("Steerable"), "False OwnedElsewhere a VKE ResourcePolicy named gpu-first decides which pods go")
	d.staysAt(t, 3, b, 3)
	young := youngest(t, d)

	if _, err := c.Kubectl(t, "delete", "resourcepolicy.scheduling.vke.volcengine.com", "gpu-first", "-n", d.namespace); err != nil {
		t.Fatal(err)
	}
	d.isReady(t, 2)
	d.hasStatus(t, condition("Steerable"), "True Steered cusme chooses which pods go")
	if left := d.podNames(t); !strings.Contains(strings.Join(left, " "), young) {
		t.Errorf("expected the young pod %s to stay, got %v", young, left)
	}
}

// A scale-in that is broken off leaves no marks, whatever broke it off: a mark
// that stays would send the wrong pod away months later.
func TestNoMarksAreLeft(t *testing.T) {
	t.Parallel()
	t.Run("the LoadScaler is deleted", func(t *testing.T) {
		t.Parallel()
		w, d, _ := halfWay(t)
		d.deleteScaler(t)
		w.unmarked(t, d, 4)
	})
	t.Run("the LoadScaler is deleted in the foreground", func(t *testing.T) {
		t.Parallel()
		w, d, _ := halfWay(t)
		if _, err := d.cluster.Kubectl(t, "delete", "loadscaler", d.name, "-n", d.namespace, "--cascade=foreground"); err != nil {
			t.Fatal(err)
		}
		w.unmarked(t, d, 4)
	})
	t.Run("it becomes a dry run", func(t *testing.T) {
		t.Parallel()
		w, d, _ := halfWay(t)
		if _, err := d.cluster.Kubectl(t, "patch", "loadscaler", d.name, "-n", d.namespace, "--type=merge", "-p", `{"spec":{"dryRun":true}}`); err != nil {
			t.Fatal(err)
		}
		w.unmarked(t, d, 4)
	})
	t.Run("the LoadScaler is deleted while no cusme runs", func(t *testing.T) {
		t.Parallel()
		w, d, p := halfWay(t)
		p.stop(t)
		d.deleteScaler(t)
		if len(w.marked(t, d)) != 1 {
			t.Error("the mark is gone before a cusme could take it off")
		}
		startController(t, d)
		w.unmarked(t, d, 4)
	})
	t.Run("cusme starts again", func(t *testing.T) {
		t.Parallel()
		w, d, p := halfWay(t)
		chosen := w.marked(t, d)
		p.stop(t)
		startController(t, d)
		d.isReady(t, 3)
		w.unmarked(t, d, 3)
		for _, l := range w.alive(t, d.name) {
			if l.name() == chosen[0] {
				t.Errorf("pod %s was marked before, and another one was removed", chosen[0])
			}
		}
	})
}

// halfWay returns a Deployment of four pods in the middle of a scale-in: one is
// marked, and the cusme that marked it would wait for an hour before it goes on.
func halfWay(t testing.TB) (*witness, *deployment, *process) {
	t.Helper()
	c := clustertest.Shared(t)
	c.InstallCRD(t)
	home := newNamespace(t, c)
	w := newWitness(t, home.client, home.namespace)
	d := fleet{name: "webui", replicas: 4}.create(t, home)
	w.shows(t, d.name, 4)
	b := newBackend(t, "4")
	newTotalScaler(t, d, b)
	p := start(t, nil, "controller", "--kubeconfig", c.Kubeconfig, "--namespace", d.namespace,
		"--lease-namespace", d.namespace, "--metrics-address", "0", "--health-address", "0", "--settle-time", "1h")
	d.hasStatus(t, `{.status.conditions[?(@.type=="ReadingsFresh")].status}`, "True")
	b.reports("3")
	d.eventually(t, func() error {
		if n := len(w.marked(t, d)); n != 1 {
			return fmt.Errorf("expected one pod to be marked, got %d", n)
		}
		return nil
	})
	return w, d, p
}

// marked returns the names of the pods that carry marks.
func (w *witness) marked(t testing.TB, d *deployment) []string {
	t.Helper()
	var out []string
	for _, l := range w.alive(t, d.name) {
		if marked(l.pod()) {
			out = append(out, l.name())
		}
	}
	return out
}

// unmarked waits until no pod carries a mark, and so many are there.
func (w *witness) unmarked(t testing.TB, d *deployment, pods int) {
	t.Helper()
	d.eventually(t, func() error {
		if left := w.marked(t, d); len(left) > 0 {
			return fmt.Errorf("expected no marks, pods %v carry some", left)
		}
		return nil
	})
	w.shows(t, d.name, pods)
	if got := d.replicas(t); int(got) != pods {
		t.Errorf("expected %d replicas, got %d", pods, got)
	}
}

func (d *deployment) deleteScaler(t testing.TB) {
	t.Helper()
	if _, err := d.cluster.Kubectl(t, "delete", "loadscaler", d.name, "-n", d.namespace); err != nil {
		t.Fatal(err)
	}
}
