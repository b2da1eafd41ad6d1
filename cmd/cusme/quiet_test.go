package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// newLoadScaler gives a Deployment a LoadScaler, read every second. Readings are
// believed for long: on a busy machine one may come late, and is no news.
func newLoadScaler(t testing.TB, d *deployment, b *backend, more ...string) {
	t.Helper()
	putScaler(t, d, append([]string{
		itsDeployment, "interval: 1s",
		fmt.Sprintf("loads: [{name: backend, http: {url: %q, value: body.data.load_balance}, staleAfter: 30s}]", b.URL),
		"behavior: {scaleDown: {stabilizationWindowSeconds: 0}}",
	}, more...)...)
}

// itsDeployment is the target of most LoadScalers.
const itsDeployment = "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}"

// putScaler makes a LoadScaler of at most ten replicas in the Deployment's
// namespace, and of its name; the rest of its spec is given in lines.
func putScaler(t testing.TB, d *deployment, spec ...string) {
	t.Helper()
	d.cluster.InstallCRD(t)
	d.cluster.Apply(t, fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui, namespace: %s}
spec:
  maxReplicas: 10
  %s
`, d.namespace, strings.Join(spec, "\n  ")))
}

// startController serves the LoadScalers of the Deployment's namespace.
func startController(t testing.TB, d *deployment, more ...string) *process {
	t.Helper()
	return start(t, nil, append([]string{"controller", "--kubeconfig", d.cluster.Kubeconfig, "--namespace", d.namespace,
		"--lease-namespace", d.namespace, "--metrics-address", "0", "--health-address", "0"}, more...)...)
}

// settled returns a Deployment of three ready pods that the controller is content with.
func settled(t testing.TB) (*backend, *deployment) {
	t.Helper()
	b, d := newBackend(t, "0.6"), newDeployment(t, 3)
	d.isReady(t, 3)
	newLoadScaler(t, d, b)
	startController(t, d)
	d.hasStatus(t, `{.status.conditions[?(@.type=="ReadingsFresh")].status}`, "True")
	return b, d
}

// sent returns what cusme sent about a namespace since a mark, its Lease apart.
func (d *deployment) sent(t testing.TB, since clustertest.Mark) []clustertest.Request {
	t.Helper()
	all := d.cluster.Requests(t, since, clustertest.Filter{UserAgent: "cusme/", Namespace: d.namespace})
	return slices.DeleteFunc(all, func(r clustertest.Request) bool { return r.Resource == "leases" })
}

func listed(requests []clustertest.Request) string {
	var lines []string
	for _, r := range requests {
		lines = append(lines, fmt.Sprintf("%s %s %s %d", r.Received.Format("15:04:05.000"), r.Verb, r.URI, r.Code))
	}
	return strings.Join(lines, "\n")
}

// A tick that decides nothing new sends the API server nothing.
func TestQuietTicksSendNothing(t *testing.T) {
	t.Parallel()
	b, d := settled(t)
	b.isAskedAgain(t, 3)

	mark := d.cluster.Mark(t)
	for _, load := range []string{"0.6", "0.61", "0.7", "0.55"} {
		b.reports(load)
		b.isAskedAgain(t, 3)
	}
	d.cluster.Apply(t, marker(d.namespace)) // Something that is surely logged after the ticks.
	if got := d.sent(t, mark); len(slices.DeleteFunc(got, isWatch)) > 0 {
		t.Errorf("expected 12 quiet ticks to send nothing, got:\n%s", listed(got))
	}
	d.countsItself(t, mark)
}

// countsItself makes sure that the count could have seen something: the Lease is renewed.
func (d *deployment) countsItself(t testing.TB, mark clustertest.Mark) {
	t.Helper()
	d.eventually(t, func() error {
		leases := d.cluster.Requests(t, mark, clustertest.Filter{UserAgent: "cusme/", Namespace: d.namespace, Resource: "leases"})
		if len(leases) == 0 {
			return fmt.Errorf("the audit log shows no request of cusme's at all")
		}
		return nil
	})
}

func isWatch(r clustertest.Request) bool { return r.Verb == "watch" }

// marker is an object to be logged after all that came before it.
func marker(namespace string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: after, namespace: %s}\n", namespace)
}

// A scale-out costs one write of the scale, one event, and at most two of the
// status: the move, and that its pods are ready. A scale-in costs one of each,
// and a mark on each of the two pods that go: marks vanish with their pods.
func TestWhatAMoveCosts(t *testing.T) {
	t.Parallel()
	b, d := settled(t)

	for _, move := range []struct {
		load   string
		after  int32
		calm   string // moves nothing, neither before the pods have come or gone nor after
		writes map[string][2]int
	}{
		{"0.9", 5, "0.6", map[string][2]int{"deployments/scale": {1, 1}, "events": {1, 1}, "loadscalers/status": {1, 2}}},
		{"0.3", 3, "0.45", map[string][2]int{"deployments/scale": {1, 1}, "events": {1, 1}, "loadscalers/status": {1, 1}, "pods": {2, 2}}},
	} {
		b.reports("0.6")
		b.isAskedAgain(t, 3)
		mark := d.cluster.Mark(t)
		b.reports(move.load)
		d.reaches(t, move.after)
		b.reports(move.calm)
		d.isReady(t, move.after)
		d.hasStatus(t, "{.status.readyReplicas}/{.status.startingReplicas}/{.status.desiredReplicas}", fmt.Sprintf("%d/0/%d", move.after, move.after))
		b.isAskedAgain(t, 3)
		d.cost(t, mark, move.writes)
	}
}

// cost checks how many writes of each resource were accepted, between least and most, and that there were no others.
func (d *deployment) cost(t testing.TB, since clustertest.Mark, want map[string][2]int) {
	t.Helper()
	writes := slices.DeleteFunc(d.sent(t, since), func(r clustertest.Request) bool {
		return slices.Contains([]string{"get", "list", "watch"}, r.Verb) || r.Code >= 400
	})
	got := map[string]int{}
	for _, r := range writes {
		got[r.Resource]++
	}
	for resource, n := range got {
		if _, expected := want[resource]; !expected {
			t.Errorf("expected no write of %s, got %d", resource, n)
		}
	}
	for resource, n := range want {
		if got[resource] < n[0] || got[resource] > n[1] {
			t.Errorf("expected %d to %d writes of %s, got %d:\n%s", n[0], n[1], resource, got[resource], listed(writes))
		}
	}
}

// hasStatus waits until a JSONPath of the LoadScaler yields the text.
func (d *deployment) hasStatus(t testing.TB, path, want string) {
	t.Helper()
	d.eventually(t, func() error {
		time.Sleep(200 * time.Millisecond) // kubectl is a process; four a second are enough.
		got, err := d.cluster.Kubectl(t, "get", "loadscaler", "webui", "-n", d.namespace, "-o", "jsonpath="+path)
		if err != nil || strings.TrimSpace(got) != want {
			return fmt.Errorf("expected %s to be %q, got %q (%v)", path, want, got, err)
		}
		return nil
	})
}
