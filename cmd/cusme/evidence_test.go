package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/internal/clustertest"
)

// calmRounds counts the rounds each of which is sure to have a steerable scale-in.
func (c *court) calmRounds() int {
	n := 0
	for _, l := range c.lanes {
		for _, r := range l.rounds {
			if r.calm() {
				n++
			}
		}
	}
	return n
}

// collect waits until the audit log and the events have all that the watches
// have shown: the one is written after the answer, the others after the move.
func (c *court) collect(t testing.TB) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		c.read(t)
		for _, l := range c.lanes {
			for _, part := range []string{l.steered.name, l.plain.name} {
				if changes, writes := len(c.witness.changes(part))-1, len(c.writes[part]); changes != writes {
					return fmt.Errorf("%s: the watch shows %d changes of the replicas, the audit log %d", part, changes, writes)
				}
				for _, p := range c.witness.all(t, part) {
					if p.gone != 0 && len(c.deletions[p.name()]) == 0 {
						return fmt.Errorf("pod %s is gone, and the audit log tells of no deletion", p.name())
					}
				}
			}
			ins, events := len(lowered(c.witness.changes(l.steered.name), 1)), len(c.events(t, l, "ScaledDown"))
			if ins != events {
				return fmt.Errorf("%s was scaled in %d times, and events tell of %d", l.steered.name, ins, events)
			}
		}
		return nil
	})
}

// read reads the audit log.
func (c *court) read(t testing.TB) {
	t.Helper()
	c.writes, c.deletions = map[string][]clustertest.Request{}, map[string][]clustertest.Request{}
	for _, r := range c.home.cluster.Requests(t, 0, clustertest.Filter{Namespace: c.home.namespace, Verbs: []string{"update", "delete"}}) {
		switch {
		case r.Code != http.StatusOK:
		case r.Resource == "deployments/scale":
			c.writes[r.Name] = append(c.writes[r.Name], r)
		case r.Resource == "pods" && r.Verb == "delete":
			c.deletions[r.Name] = append(c.deletions[r.Name], r)
		}
	}
}

// byReplicaSet reports whether it was a ReplicaSet that deleted a pod, and not the test.
func (c *court) byReplicaSet(l *life) bool {
	deletions := c.deletions[l.name()]
	return len(deletions) > 0 && strings.HasPrefix(deletions[0].UserAgent, "kube-controller-manager")
}

// An announcement names no pods where a replica goes whose pod does not exist yet.
var announcement = regexp.MustCompile(`^(\d+ -> \d+) replicas; .*?(?:; removing (.*))?$`)

// announced pairs scale-ins with the events that tell of them.
func (c *court) announced(t testing.TB, l *lane, ins []scaleIn) []scaleIn {
	t.Helper()
	events := c.events(t, l, "ScaledDown")
	for i := range ins {
		m := announcement.FindStringSubmatch(events[i].Note)
		if m == nil || m[1] != fmt.Sprintf("%d -> %d", ins[i].from, ins[i].to) {
			t.Fatalf("%s: expected an event that tells so and names the pods it takes, got %q", ins[i], events[i].Note)
		}
		if m[2] != "" {
			ins[i].announced = slices.Sorted(slices.Values(strings.Split(m[2], ", ")))
		}
	}
	return ins
}

// events returns the events of a lane's LoadScaler with a reason, oldest first.
func (c *court) events(t testing.TB, l *lane, reason string) []eventsv1.Event {
	t.Helper()
	list, err := c.home.client.EventsV1().Events(c.home.namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=" + reason})
	if err != nil {
		t.Fatal(err)
	}
	mine := slices.DeleteFunc(list.Items, func(e eventsv1.Event) bool { return e.Regarding.Name != l.steered.name })
	slices.SortFunc(mine, func(a, b eventsv1.Event) int { return a.EventTime.Compare(b.EventTime.Time) })
	return mine
}

// ownAccount compares cusme's metrics with what was seen from outside, once cusme
// has seen it too. A broken pod that the test deleted while a scale-in was under
// way may pass for one that it took.
func (c *court) ownAccount(t testing.TB, s sheet) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		resp, err := http.Get("http://" + c.metrics + "/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		removed := sumOf(string(page), "cusme_removed_pods_total{")
		if removed < s.removed || removed > s.removed+c.mended(t) {
			return fmt.Errorf("cusme_removed_pods_total tells of %d pods, the watch of %d", removed, s.removed)
		}
		return nil
	})
}

// mended counts the pods of cusme's that the test itself deleted.
func (c *court) mended(t testing.TB) int {
	t.Helper()
	n := 0
	for _, l := range c.lanes {
		for _, p := range c.witness.all(t, l.steered.name) {
			if p.gone != 0 && !c.byReplicaSet(p) {
				n++
			}
		}
	}
	return n
}

// sumOf adds up the samples of a page of metrics that begin so.
func sumOf(page, prefix string) int {
	sum := 0
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, prefix) {
			var n float64
			_, _ = fmt.Sscan(line[strings.LastIndex(line, " "):], &n)
			sum += int(n)
		}
	}
	return sum
}
