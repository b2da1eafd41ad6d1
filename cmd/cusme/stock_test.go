package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// soldOut is what localcluster's provider says.
const soldOut = "sold out: no stock of this instance type in this zone (simulated)"

// A stock-out: the load asks for four pods more, and the provider has none. A
// ReplicaSet alone makes new pods as fast as they fail; cusme gives up what
// cannot be had, scales in meanwhile, tries one pod at a time, and recovers
// when there is stock again.
func TestStockOut(t *testing.T) {
	t.Parallel()
	const before, asked = 4, 4
	outage := time.Minute
	if soak() {
		outage = 10 * time.Minute
	} else {
		t.Log("an outage of a minute, in which one try fails; make soak has one of ten")
	}
	c := clustertest.Start(t, "--gpu-nodes=1", "--startup-median=1s", "--startup-p99=2s")
	c.InstallCRD(t)
	home := newNamespace(t, c)
	w := newWitness(t, home.client, home.namespace)
	d := fleet{name: "webui", replicas: before, elastic: true}.create(t, home)
	plain := fleet{name: "plain", replicas: before, elastic: true}.create(t, home)
	d.isReady(t, before)
	plain.isReady(t, before)
	b := newBackend(t, fmt.Sprint(before))
	newTotalScaler(t, d, b)
	startController(t, d)
	d.hasStatus(t, condition("ElasticCapacity"), "True NoShortage no pod was refused for lack of stock")

	var began time.Time
	t.Run("while stock is out", func(t *testing.T) {
		c.Fault(t, "sold-out")
		began = time.Now()
		b.reports(fmt.Sprint(before + asked))
		plain.scale(t, before+asked)
		d.hasStatus(t, condition("ElasticCapacity"), "False SoldOut "+soldOut+"; pods are tried one at a time")
		d.reaches(t, before)

		b.reports(fmt.Sprint(before - 1))
		dropped := time.Now()
		d.reaches(t, before-1)
		if took := time.Since(dropped); took > promisedWithin {
			t.Errorf("the scale-in took %s while stock was out; promised within %s", took, promisedWithin)
		}
		b.reports(fmt.Sprint(before + asked))
		b.isAskedAgain(t, 2)
		time.Sleep(time.Until(began.Add(outage))) // the outage is what is measured
	})
	lasted := time.Since(began).Round(time.Second)
	given := w.changes(d.name)
	extra, plainExtra := len(w.all(t, d.name))-before-asked, len(w.all(t, plain.name))-before-asked
	t.Logf("in %s without stock, pods created beyond those asked for: %d with cusme, %d without", lasted, extra, plainExtra)
	if extra >= 10 {
		t.Errorf("expected fewer than 10 pods to be created beyond those asked for, got %d", extra)
	}
	if plainExtra < 5*max(1, extra) { // four pods, each replaced every six seconds or so
		t.Errorf("expected a plain Deployment to create pods without end, got %d beyond those asked for: is stock really out?", plainExtra)
	}
	for i, now := range given[2:] {
		if was := given[i+1].replicas; now.replicas > was+1 {
			t.Errorf("%d -> %d replicas without stock; one pod is to be tried at a time", was, now.replicas)
		}
	}
	clustertest.Eventually(t, nextTry, func() error {
		if got := d.replicas(t); got != before+asked {
			return fmt.Errorf("expected %d replicas now that there is stock, got %d", before+asked, got)
		}
		return nil
	})
	d.hasStatus(t, condition("ElasticCapacity"), "True NoShortage no pod was refused for lack of stock")
	oneTriedFirst(t, w.changes(d.name)[len(given):])
}

// nextTry is far above the longest pause before one pod more is tried, with time for it to become ready.
const nextTry = 12 * time.Minute

// oneTriedFirst makes sure that not all pods were asked for at once before one of them had stock.
func oneTriedFirst(t testing.TB, given []size) {
	t.Helper()
	if len(given) < 2 || given[1].replicas <= given[0].replicas {
		t.Errorf("expected one pod to be tried, and then the rest, got %v", given)
	}
}

// condition is the JSONPath of a condition's status, reason and message.
func condition(kind string) string {
	of := fmt.Sprintf(`.status.conditions[?(@.type=="%s")]`, kind)
	return strings.Join([]string{"{" + of + ".status}", "{" + of + ".reason}", "{" + of + ".message}"}, " ")
}
