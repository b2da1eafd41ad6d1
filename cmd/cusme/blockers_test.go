package main

import (
	"fmt"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// A pod that cannot serve blocks nothing: once it counts as broken it goes
// first, although minPodAge would protect it, then an old one, and the young
// healthy one stays.
func TestBrokenPodsGoFirst(t *testing.T) {
	t.Parallel()
	const minPodAge, deadline = 30 * time.Second, 5 * time.Second
	for _, kind := range []string{"crash-loop", "never-ready", "unschedulable"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := clustertest.Shared(t)
			c.InstallCRD(t)
			home := newNamespace(t, c)
			nodes := home.namespace
			newNodes(t, c, nodes)
			home.fill(t, nodes, false) // an elastic pod would go before an old one
			w := newWitness(t, home.client, home.namespace)
			d := fleet{name: "webui", replicas: 3, nodes: nodes}.create(t, home)
			b := newBackend(t, "3")
			newTotalScaler(t, d, b, fmt.Sprintf("minPodAge: %s", minPodAge), fmt.Sprintf("startup: {deadline: %s}", deadline))
			lenient(t, d)
			startController(t, d)
			w.shows(t, d.name, 3)
			old := names(w.alive(t, d.name))
			grownOld(t, w, d, minPodAge)

			b.reports("5") // within the band for 3 to 5 replicas
			b.isAskedAgain(t, 2)
			d.scale(t, 4)
			w.shows(t, d.name, 4)
			healthy := youngest(t, d)
			bad := d.addBroken(t, kind, nodes)
			b.reports("3")

			clustertest.Eventually(t, patience, func() error {
				if alive := w.alive(t, d.name); len(alive) != 3 {
					return fmt.Errorf("expected 3 pods to stay, got %d", len(alive))
				}
				return nil
			})
			gone := map[string]*life{}
			for _, l := range w.all(t, d.name) {
				if l.gone != 0 {
					gone[l.name()] = l
				}
			}
			if gone[bad] == nil || gone[healthy] != nil {
				t.Fatalf("expected the broken pod %s and one of %v to go, and the young one %s to stay; %d pods went", bad, old, healthy, len(gone))
			}
			if age := deletedAt(t, d, bad).Sub(gone[bad].created()); age >= minPodAge {
				t.Errorf("the broken pod went at the age of %s, as if it were protected for %s", age, minPodAge)
			}
		})
	}
}

// lenient lets a LoadScaler of newTotalScaler's bear two replicas' load on one, so
// that a broken pod is not made up for before the load drops.
func lenient(t testing.TB, d *deployment) {
	t.Helper()
	patch := `[{"op":"replace","path":"/spec/loads/0/high","value":"2"}]`
	if _, err := d.cluster.Kubectl(t, "patch", "loadscaler", d.name, "-n", d.namespace, "--type=json", "-p", patch); err != nil {
		t.Fatal(err)
	}
}

// grownOld waits until all pods are older than an age.
func grownOld(t testing.TB, w *witness, d *deployment, age time.Duration) {
	t.Helper()
	clustertest.Eventually(t, age+patience, func() error {
		for _, l := range w.alive(t, d.name) {
			if is := time.Since(l.created()); is < age+2*time.Second {
				return fmt.Errorf("pod %s is %s old", l.name(), is)
			}
		}
		return nil
	})
}

// youngest waits until all pods asked for exist, and returns the newest one's name.
func youngest(t testing.TB, d *deployment) string {
	t.Helper()
	var name string
	d.eventually(t, func() error {
		pods, want := d.pods(t), int(d.replicas(t))
		if len(pods) != want {
			return fmt.Errorf("expected %d pods, got %d", want, len(pods))
		}
		for i, p := range pods {
			if p.CreationTimestamp.Time.Equal(newest(pods)) {
				name = pods[i].Name
			}
		}
		return nil
	})
	return name
}

// addBroken adds a pod with a fault, or one that no node of the fleet may take, and returns its name.
func (d *deployment) addBroken(t testing.TB, kind, nodes string) string {
	t.Helper()
	if kind == "unschedulable" {
		if _, err := d.cluster.Kubectl(t, "cordon", "-l", "fleet="+nodes); err != nil {
			t.Fatal(err)
		}
	}
	d.scale(t, d.replicas(t)+1)
	name := youngest(t, d)
	if kind != "unschedulable" {
		d.annotate(t, name, faultAnnotation, kind)
	}
	return name
}

// deletedAt is when the API server was asked to delete a pod.
func deletedAt(t testing.TB, d *deployment, pod string) (at time.Time) {
	t.Helper()
	d.eventually(t, func() error {
		for _, r := range d.cluster.Requests(t, 0, clustertest.Filter{Resource: "pods", Verbs: []string{"delete"}, Namespace: d.namespace}) {
			if r.Name == pod && at.IsZero() {
				at = r.Received
			}
		}
		if at.IsZero() {
			return fmt.Errorf("the audit log shows no deletion of pod %s", pod)
		}
		return nil
	})
	return at
}
