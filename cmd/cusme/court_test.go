package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"

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
	// called is when the load called for it: it had dropped, or a broken pod was replaced by one more than the load wants.
	called time.Time
	gone   []victim
	// announced names the pods that the event of the scale-in tells of, sorted.
	announced []string
	// until is the version at which the replicas changed again.
	until uint64
	// disturbed says that a pod began to crash between the choice and the removal.
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
	steered.convince(t, c.calmRounds())
	c.ownAccount(t, steered)
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
	var all []scaleIn
	for i, now := range sizes[1:] {
		in := scaleIn{lane: l, part: part, from: sizes[i].replicas, to: now.replicas, version: now.version, at: writes[i].Received}
		if in.to >= in.from {
			continue
		}
		for _, r := range l.rounds {
			if !r.dropped.After(in.at) {
				in.rollout, in.called = r.rollout, r.dropped
			}
			if !r.mended.IsZero() && !r.mended.After(in.at) {
				in.called = r.mended
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
		in.disturbed = in.disturbed || in.upsetBy(l)
	}
}

// upsetBy reports whether a pod that the lane had crash began to after cusme
// looked for the last time, and before the pods of the scale-in had gone.
func (in *scaleIn) upsetBy(l *life) bool {
	end := in.until
	if n := len(in.gone); n > 0 && n == int(in.from-in.to) {
		end = in.gone[n-1].life.gone
	}
	crashed := l.crashed()
	return l.toCrash() < end && (crashed.IsZero() || crashed.After(in.at.Add(-sightLag)))
}

// sightLag is by how much cusme's view may be behind the witness's. It is generous,
// as it matters in rounds only in which a pod crashes: the others have to do without.
const sightLag = 2 * time.Second

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
	allowed := in.called
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
	for _, v := range in.gone {
		if slices.Contains(in.announced, v.name()) || v.fault == "crash-loop" {
			continue
		}
		clustertest.Eventually(t, patience, func() error {
			tells := func(e eventsv1.Event) bool { return strings.Contains(e.Note, v.name()) }
			if !slices.ContainsFunc(c.events(t, in.lane, "VictimsMissed"), tells) {
				return fmt.Errorf("%s: pod %s went, which was not announced, and cusme does not tell", in, v.name())
			}
			return nil
		})
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
