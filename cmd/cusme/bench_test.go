package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// BenchmarkReaction measures, on the control plane, how long after a rise of
// the index the API server receives the write of the scale. Ten targets rise at
// random moments, polled every five seconds each. A ratio below 1 means within
// the interval; the promise is interval + 1 s.
func BenchmarkReaction(b *testing.B) {
	const targets, interval = 10, 5 * time.Second
	cluster := clustertest.Shared(b)
	cluster.InstallCRD(b)
	backends, deployments := make([]*backend, targets), make([]*deployment, targets)
	for i := range targets {
		backends[i], deployments[i] = newBackend(b, "0.6"), newDeployment(b, 2)
		deployments[i].isReady(b, 2)
		cluster.Apply(b, reactionScaler(deployments[i].namespace, backends[i].URL, interval))
	}
	start(b, nil, "controller", "--kubeconfig", cluster.Kubeconfig, "--lease-namespace", deployments[0].namespace,
		"--metrics-address", "0", "--health-address", "0")

	var took []time.Duration
	for b.Loop() {
		for range 3 {
			var settled sync.WaitGroup
			for i := range targets {
				settled.Go(func() { backends[i].isAskedAgain(b, 2) })
			}
			settled.Wait()
			took = append(took, riseAll(b, backends, deployments, interval)...)
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds(), "s-median")
	b.ReportMetric(took[len(took)-1].Seconds(), "s-max")
	b.ReportMetric(took[len(took)-1].Seconds()/interval.Seconds(), "max/interval")
	b.ReportMetric(float64(len(took)), "rises")
	b.ReportMetric(0, "ns/op")
}

// riseAll raises every load at a random moment within an interval and returns
// how long each write of the scale took from there.
func riseAll(b *testing.B, backends []*backend, deployments []*deployment, interval time.Duration) []time.Duration {
	b.Helper()
	mark := deployments[0].cluster.Mark(b)
	rose := make([]time.Time, len(backends))
	var wg sync.WaitGroup
	for i := range backends {
		wg.Go(func() {
			time.Sleep(rand.N(interval)) // the moment is the measurement's own
			rose[i] = time.Now()
			backends[i].reports("0.95")
			backends[i].isAskedAgain(b, 1)
			backends[i].reports("0.6") // one reading is a rise; more would fill the nodes
		})
	}
	wg.Wait()
	took := make([]time.Duration, len(backends))
	for i, d := range deployments {
		d.eventually(b, func() error {
			writes := d.writes(b, mark)
			if len(writes) == 0 {
				return fmt.Errorf("target %d was not scaled", i)
			}
			took[i] = writes[0].Received.Sub(rose[i])
			return nil
		})
	}
	return took
}

func reactionScaler(namespace, url string, interval time.Duration) string {
	return fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui, namespace: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}
  maxReplicas: 100
  interval: %s
  loads: [{name: backend, http: {url: %q, value: body.data.load_balance}}]
`, namespace, interval, url)
}
