package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/internal/clustertest"
)

// A court judges scale-ins by what the API server shows: a witness's watches for
// what happened, the audit log for when.
type court struct {
	home    *deployment
	witness *witness
	metrics string
	lanes   []*lane
	// writes of the scale and deletions of pods, by name, as the audit log has them.
	writes, deletions map[string][]clustertest.Request
}

// A scaleIn is one write of fewer replicas, and what it took.
type scaleIn struct {
	lane     *lane
	part     string
	from, to int32
	version  uint64
	at       time.Time
	rollout  bool
	dropped  time.Time
	gone     []victim
	// announced names the pods that the event of the scale-in tells of, sorted.
	announced []string
	// until is the version at which the replicas changed again.
	until uint64
	// disturbed says that the test broke a pod between the write and the removal.
	// A pod's state outranks what anybody chose before.
	disturbed bool
	// meddled is a pod that was marked while the pods of this scale-in had yet to go; empty without one.
	meddled string
	// exposed is a young pod that was there while a rollout chose the pods; empty without one.
	exposed string
}

// A victim is a pod that a scale-in took.
type victim struct {
	*life
	// at is when it was deleted, age its age then, and fault what was wrong with it.
	at    time.Time
	age   time.Duration
	fault string
	// elastic says where it was, and elsewhere that a pod stayed on an elastic node.
	elastic, elsewhere bool
}

// young reports whether the pod was protected: younger than minPodAge, and not
// crashing. One that never was ready is protected like any other, as the
// deadline for that is longer than minPodAge.
func (v victim) young() bool { return v.age < laneMinPodAge && v.fault != "crash-loop" }

// judge fails the test for each promise that a scale-in of cusme's broke, and
// prints them all beside the plain ones.
func (c *court) judge(t *testing.T) {
	t.Helper()
	c.collect(t)
	var steered, plain sheet
	for _, l := range c.lanes {
		c.wroteAlone(t, l)
		for _, in := range c.announced(t, l, c.scaleIns(t, l, l.steered.name)) {
			in.harmless(t)
			in.inTime(t)
			c.foretold(t, in)
			steered.add(in)
		}
		for _, in := range c.scaleIns(t, l, l.plain.name) {
			plain.add(in)
		}
	}
	t.Logf("\n%s", table(steered, plain))
	steered.convince(t)
	c.ownAccount(t, steered)
}

// collect reads the audit log once.
func (c *court) collect(t testing.TB) {
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

// wroteAlone makes sure that cusme scaled its Deployment, and nobody else did.
func (c *court) wroteAlone(t testing.TB, l *lane) {
	t.Helper()
	for _, r := range c.writes[l.steered.name] {
		if !strings.HasPrefix(r.UserAgent, "cusme/") {
			t.Errorf("%s was scaled by %s", l.steered.name, r.UserAgent)
		}
	}
}

// scaleIns pairs the numbers that a Deployment was given with the writes of its
// scale, and each scale-in with the pods that went next, as many as it took away.
func (c *court) scaleIns(t testing.TB, l *lane, part string) []scaleIn {
	t.Helper()
	sizes, writes := c.witness.changes(part), c.writes[part]
	if len(sizes) != len(writes)+1 {
		t.Fatalf("%s: the watch shows %d changes of the replicas, the audit log %d", part, len(sizes)-1, len(writes))
	}
	var all []scaleIn
	for i, now := range sizes[1:] {
		in := scaleIn{lane: l, part: part, from: sizes[i].replicas, to: now.replicas, version: now.version, at: writes[i].Received}
		if in.to >= in.from {
			continue
		}
		for _, r := range l.rounds {
			if !r.dropped.After(in.at) {
				in.rollout, in.dropped = r.rollout, r.dropped
			}
		}
		in.until = math.MaxUint64
		if i+2 < len(sizes) {
			in.until = sizes[i+2].version
		}
		c.take(t, &in)
		all = append(all, in)
	}
	return all
}

// take finds the pods that a scale-in took: those that went before the replicas
// changed again. Of a rollout only the newest template's count, the others are its own.
func (c *court) take(t testing.TB, in *scaleIn) {
	t.Helper()
	lives := c.witness.all(t, in.part)
	newest := template(lives, in.version)
	in.exposed = exposed(lives, in, newest)
	going := slices.DeleteFunc(slices.Clone(lives), func(l *life) bool {
		return l.gone <= in.version || l.gone > in.until || template([]*life{l}, in.version) != newest || !c.byReplicaSet(l)
	})
	slices.SortFunc(going, func(a, b *life) int { return cmp.Compare(a.gone, b.gone) })
	going = going[:min(len(going), int(in.from-in.to))]
	for _, l := range going {
		in.gone = append(in.gone, c.victim(t, in, l, going[len(going)-1].gone))
	}
	for _, l := range lives {
		if len(going) > 0 && l.markedBetween(in.version, going[len(going)-1].gone) {
			in.meddled = l.name()
		}
		if f := in.lane.faults[l.name()]; f != nil && len(in.gone) > 0 {
			in.disturbed = in.disturbed || f.since.After(in.at.Add(-sightLag)) && f.since.Before(in.gone[len(in.gone)-1].at)
		}
	}
}

// sightLag is by how much cusme's view may be behind a fault that the test made.
const sightLag = 500 * time.Millisecond

// exposed names a young pod that was there when a scale-in was written while
// pods of more than one template were: then nobody can say which will go.
func exposed(lives []*life, in *scaleIn, newest string) string {
	young, mixed := "", false
	for _, l := range lives {
		if l.at(in.version) == nil {
			continue
		}
		mixed = mixed || template([]*life{l}, in.version) != newest
		if in.at.Sub(l.created()) < laneMinPodAge && in.lane.fault(l.name(), in.at) == "" {
			young = l.name()
		}
	}
	if !mixed {
		return ""
	}
	return young
}

// byReplicaSet reports whether it was a ReplicaSet that deleted a pod, and not the test.
func (c *court) byReplicaSet(l *life) bool {
	deletions := c.deletions[l.name()]
	return len(deletions) > 0 && strings.HasPrefix(deletions[0].UserAgent, "kube-controller-manager")
}

func (c *court) victim(t testing.TB, in *scaleIn, l *life, until uint64) victim {
	t.Helper()
	at := c.deletions[l.name()][0].Received
	v := victim{life: l, at: at, age: at.Sub(l.created()), fault: in.lane.fault(l.name(), at), elastic: onElastic(l.pod().Spec.NodeName)}
	for _, other := range c.witness.all(t, in.part) {
		was, is := other.at(in.version), other.at(until)
		v.elsewhere = v.elsewhere || was != nil && is != nil && onElastic(was.Spec.NodeName)
	}
	return v
}

// template returns the hash of the newest pod that existed at a version.
func template(lives []*life, version uint64) string {
	hash := ""
	for _, l := range lives {
		if l.seen[0].version <= version {
			hash = l.pod().Labels["pod-template-hash"]
		}
	}
	return hash
}

// harmless fails the test for each protected pod that a scale-in took.
func (in scaleIn) harmless(t testing.TB) {
	t.Helper()
	if in.exposed != "" {
		t.Errorf("%s: scaled in during a rollout, and pod %s was young", in, in.exposed)
	}
	if in.meddled != "" {
		t.Errorf("%s: pod %s was marked while the pods of this scale-in had yet to go", in, in.meddled)
	}
	for _, v := range in.gone {
		if v.young() {
			t.Errorf("%s: pod %s was removed at the age of %s; minPodAge is %s", in, v.name(), v.age, laneMinPodAge)
		}
		if !v.elastic && v.elsewhere && v.fault == "" && !in.rollout {
			t.Errorf("%s: pod %s on an ordinary node was removed, and one on an elastic node stayed", in, v.name())
		}
	}
}

// waited is how long after it was allowed the scale-in was written.
func (in scaleIn) waited() time.Duration {
	allowed := in.dropped
	for _, v := range in.gone {
		if old := v.created().Add(laneMinPodAge); old.After(allowed) && v.fault != "crash-loop" {
			allowed = old
		}
	}
	return in.at.Sub(allowed)
}

func (in scaleIn) inTime(t testing.TB) {
	t.Helper()
	if !in.rollout && in.waited() > promisedWithin {
		t.Errorf("%s: written %s after it was allowed, promised within %s", in, in.waited(), promisedWithin)
	}
}

func (in scaleIn) String() string {
	return fmt.Sprintf("%s, %d -> %d at %s", in.part, in.from, in.to, in.at.Format("15:04:05.000"))
}

// An announcement names no pods where a replica goes whose pod does not exist yet.
var announcement = regexp.MustCompile(`^(\d+ -> \d+) replicas; .*?(?:; removing (.*))?$`)

// announced pairs scale-ins with the events that tell of them.
func (c *court) announced(t testing.TB, l *lane, ins []scaleIn) []scaleIn {
	t.Helper()
	events := c.events(t, l, "ScaledDown")
	if len(ins) != len(events) {
		t.Fatalf("%s was scaled in %d times, and events tell of %d", l.steered.name, len(ins), len(events))
	}
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

// foretold checks that marks were on none but the pods announced, and that cusme
// itself tells of every pod that went instead of one of these. A crashing one is
// no loss to tell of.
func (c *court) foretold(t testing.TB, in scaleIn) {
	t.Helper()
	for _, l := range c.witness.all(t, in.part) {
		if p := l.at(in.version); p != nil && marked(p) && !slices.Contains(in.announced, p.Name) {
			t.Errorf("%s: pod %s is marked, and the event does not announce it", in, p.Name)
		}
	}
	if in.rollout {
		return
	}
	var told strings.Builder
	for _, e := range c.events(t, in.lane, "VictimsMissed") {
		told.WriteString(e.Note)
	}
	for _, v := range in.gone {
		missed := !slices.Contains(in.announced, v.name()) && v.fault != "crash-loop"
		if missed && !strings.Contains(told.String(), v.name()) {
			t.Errorf("%s: pod %s went, which was not announced, and cusme does not tell", in, v.name())
		}
	}
}

// names of the pods that went, sorted.
func (in scaleIn) names() []string {
	var out []string
	for _, v := range in.gone {
		out = append(out, v.name())
	}
	slices.Sort(out)
	return out
}

// ownAccount compares cusme's metrics with what was seen from outside. A broken
// pod that the test deleted while a scale-in was under way may pass for one that it took.
func (c *court) ownAccount(t testing.TB, s sheet) {
	t.Helper()
	resp, err := http.Get("http://" + c.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	removed := sumOf(string(page), "cusme_removed_pods_total{")
	if removed < s.removed || removed > s.removed+c.mended(t) {
		t.Errorf("cusme_removed_pods_total tells of %d pods, the watch of %d", removed, s.removed)
	}
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
