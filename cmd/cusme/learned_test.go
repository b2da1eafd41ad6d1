package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// startsSeen is the JSONPath of how many starts were learned from.
const startsSeen = "{.status.learned.startUp.ordinary.seen}"

// A controller that starts knows what the one before it has learned from pods
// that are gone, goes on with it, and writes nothing to say so. Who removes it has it forgotten.
func TestARestartKnowsYesterday(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.6"), newDeployment(t, 3)
	d.isReady(t, 3)
	newLoadScaler(t, d, b)
	first := startController(t, d)
	d.hasStatus(t, startsSeen, "3")
	b.reports("1.1")
	d.reaches(t, 6)
	b.reports("0.6")
	d.isReady(t, 6)
	d.hasStatus(t, startsSeen, "6")
	b.reports("0.3")
	d.reaches(t, 3)
	b.reports("0.6")
	d.hasStatus(t, "{.status.currentReplicas}/{.status.desiredReplicas}", "3/3")
	before := d.learned(t)
	first.stop(t)

	mark := d.cluster.Mark(t)
	startController(t, d)
	b.isAskedAgain(t, 3)
	d.cluster.Apply(t, marker(d.namespace))
	d.cost(t, mark, map[string][2]int{"events": {1, 1}}) // of who leads
	if after := d.learned(t); after != before {
		t.Errorf("after a restart the status says %s, before it %s", after, before)
	}
	b.reports("0.9")
	d.reaches(t, 5)
	b.reports("0.6")
	d.hasStatus(t, startsSeen, "8")
	if after := d.learned(t); !strings.Contains(after, strings.Trim(before, `"`)) {
		t.Errorf("after a restart and two starts the status says %s, before it %s", after, before)
	}

	d.learns(t, "null")
	b.isAskedAgain(t, 3)
	b.reports("0.9")
	d.reaches(t, 7)
	b.reports("0.6")
	d.hasStatus(t, startsSeen, "2")
}

// learned returns how long the starts took that were learned from.
func (d *deployment) learned(t testing.TB) string {
	t.Helper()
	got, err := d.cluster.Kubectl(t, "get", "loadscaler", "webui", "-n", d.namespace, "-o", "jsonpath={.status.learned.startUp.ordinary.took}")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// learns puts JSON in the place of what was learned; null forgets it, as docs/learned.md says.
func (d *deployment) learns(t testing.TB, what string) {
	t.Helper()
	status := fmt.Sprintf(`{"status": {"learned": %s}}`, what)
	if _, err := d.cluster.Kubectl(t, "patch", "loadscaler", "webui", "-n", d.namespace, "--subresource=status", "--type=merge", "-p", status); err != nil {
		t.Fatal(err)
	}
}

// Nonsense in the place of what was learned is told, and stops nothing.
func TestNonsenseInThePlaceOfWhatWasLearned(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.6"), newDeployment(t, 3)
	d.isReady(t, 3)
	newLoadScaler(t, d, b)
	first := startController(t, d)
	d.hasStatus(t, startsSeen, "3")
	first.stop(t)
	d.learns(t, `{"startUp": {"newestAt": "2199-01-01T00:00:00Z", "ordinary": {"p50": "x", "took": "-3 ☃", "seen": 99}}, "objective": [{"load": "backend", "estimates": {"service": "NaN"}}]}`)
	second := startController(t, d)
	second.says(t, "status.learned.startUp.newestAt: expected a time that is past, got 2199-01-01T00:00:00Z")
	b.reports("0.9")
	d.reaches(t, 5)
	b.reports("0.6")
	d.hasStatus(t, startsSeen, "5")
	clustertest.Eventually(t, patience, func() error {
		time.Sleep(200 * time.Millisecond) // kubectl is a process; four a second are enough.
		got, err := d.cluster.Kubectl(t, "get", "loadscaler", "webui", "-n", d.namespace, "-o", "jsonpath={.status.learned}")
		if err != nil || strings.Contains(got, "☃") || strings.Contains(got, "NaN") {
			return fmt.Errorf("expected the nonsense to be gone, got %s (%v)", got, err)
		}
		return nil
	})
}
