package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/internal/clustertest"
)

// What the lanes of TestScaleIns have in common.
const (
	laneMinPodAge = 8 * time.Second
	laneDeadline  = 10 * time.Second
	laneSpec      = "minPodAge: 8s\n  startup: {deadline: 10s}"
	// promisedWithin is how soon a scale-in is made once nothing forbids it.
	promisedWithin = 30 * time.Second
)

// soak reports whether the long versions of tests are wanted.
func soak() bool { return os.Getenv("CUSME_SOAK") != "" }

// TestScaleIns is the acceptance of cusme's promise about young pods: scale-ins
// by the dozen, on fleets of every shape, judged from outside by what the API
// server's watches and its audit log show.
//
// Each lane has two Deployments with the same life on the same two nodes, one of
// them elastic: cusme scales the one, and the other is given the same numbers at
// once, as an HPA would. In each round both grow in steps seconds apart, on one
// node or the other; some pods never become ready; then the load drops. Of six
// rounds one has a rollout, and in one a pod begins to crash after the drop.
//
// A scale-in is allowed from when the load had dropped and each pod that it took
// was as old as minPodAge.
func TestScaleIns(t *testing.T) {
	t.Parallel()
	lanes, rounds := 8, 3
	if soak() {
		lanes, rounds = 10, 24
	} else {
		t.Log("a short run; make soak does ten times as many")
	}
	seed := laneSeed(t)
	c := clustertest.Shared(t)
	c.InstallCRD(t)
	home := newNamespace(t, c)
	court := &court{home: home, witness: newWitness(t, home.client, home.namespace), metrics: freeAddress(t)}
	for i := range lanes {
		court.lanes = append(court.lanes, newLane(t, court, i, rand.New(rand.NewPCG(seed, uint64(i)))))
	}
	start(t, nil, "controller", "--kubeconfig", c.Kubeconfig, "--namespace", home.namespace,
		"--lease-namespace", home.namespace, "--metrics-address", court.metrics, "--health-address", "0")

	var running sync.WaitGroup
	for _, l := range court.lanes {
		running.Go(func() {
			for i := range rounds {
				l.run(t, i)
			}
		})
	}
	running.Wait()
	if !t.Failed() {
		court.judge(t)
	}
}

// laneSeed is $CUSME_SEED, else a new one; either way it is printed.
func laneSeed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("CUSME_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CUSME_SEED: expected a number, got %q", text)
		}
	}
	t.Logf("CUSME_SEED=%d runs the same rounds again", seed)
	return seed
}

// A lane is a pair of Deployments that live through the same rounds.
type lane struct {
	number  int
	nodes   string
	witness *witness
	random  *rand.Rand
	load    *backend
	size    int
	// steered is cusme's; plain is given the same numbers by hand.
	steered, plain *deployment
	rounds         []round
	// faults are those that pods were given, by name.
	faults map[string]*fault
}

// A fault is what the test itself did to a pod.
type fault struct {
	kind  string
	since time.Time
}

// A round is one drop of the load, and what led to it.
type round struct {
	rollout bool
	// crashed says that a pod began to crash after the drop, when another may have been chosen already.
	crashed bool
	dropped time.Time
	// mended is when a pod of cusme's that the round broke was deleted; zero if none was.
	mended time.Time
}

// calm reports whether nothing got in the way of a scale-in.
func (r round) calm() bool { return !r.rollout && !r.crashed }

const firstSize = 3

func newLane(t testing.TB, c *court, number int, random *rand.Rand) *lane {
	t.Helper()
	l := &lane{
		number: number, nodes: fmt.Sprintf("%s-%d", c.home.namespace, number), witness: c.witness, random: random,
		load: newBackend(t, strconv.Itoa(firstSize)), size: firstSize, faults: map[string]*fault{},
	}
	newNodes(t, c.home.cluster, l.nodes)
	l.steered = fleet{name: fmt.Sprintf("steered-%d", number), replicas: firstSize, nodes: l.nodes}.create(t, c.home)
	l.plain = fleet{name: fmt.Sprintf("plain-%d", number), replicas: firstSize, nodes: l.nodes}.create(t, c.home)
	newTotalScaler(t, l.steered, l.load, laneSpec)
	return l
}

// run is one round: grow, disturb, drop, and wait until both have settled. What
// it is like is dealt: drawn, there would be too few calm ones now and then.
func (l *lane) run(t testing.TB, number int) {
	t.Helper()
	began, dealt := time.Now(), (l.number+number)%6
	r := round{rollout: dealt == 0}
	for range 1 + l.random.IntN(2) {
		l.steered.fill(t, l.nodes, l.random.IntN(2) == 0)
		l.asks(t, l.size+1+l.random.IntN(2))
		l.passes(1*time.Second, 4*time.Second)
	}
	take := min(1+l.random.IntN(3), l.size-1)
	if l.size-take > 5 {
		take = l.size - 5
	}
	broken := 0
	if r.rollout {
		l.steered.rollOut(t, strconv.Itoa(number))
		l.plain.rollOut(t, strconv.Itoa(number))
		l.passes(0, 4*time.Second)
	} else if take > 1 && l.random.IntN(3) == 0 {
		l.breaks(t, "never-ready", l.random.IntN(4))
		l.showsFaults(t)
		broken++
	}
	l.passes(0, 4*time.Second)

	before := len(l.witness.changes(l.steered.name))
	r.dropped, r.crashed = time.Now(), dealt == 3 && take > 1+broken
	l.rounds = append(l.rounds, r)
	l.load.reports(strconv.Itoa(l.size - take))
	l.plain.scale(t, int32(l.size-take))
	l.size -= take
	if r.crashed {
		l.passes(0, 6*time.Second)
		l.breaks(t, "crash-loop", l.random.IntN(4))
	}
	l.settles(t, before)
	t.Logf("lane %d, round %d: down by %d, %s in all", l.number, number+1, take, time.Since(began).Round(time.Second))
}

// asks has both grow.
func (l *lane) asks(t testing.TB, replicas int) {
	t.Helper()
	l.size = replicas
	l.load.reports(strconv.Itoa(replicas))
	l.plain.scale(t, int32(replicas))
	l.steered.reaches(t, int32(replicas))
}

// passes lets pods grow older: it is their ages that a round is about.
func (l *lane) passes(least, most time.Duration) {
	time.Sleep(least + time.Duration(l.random.Int64N(int64(most-least))))
}

// breaks breaks the pod of each that is so many places from the youngest. Fewer
// pods are broken than the round takes away: as many, and the load would be right
// for what is left; more, and they would be made up for.
func (l *lane) breaks(t testing.TB, kind string, place int) {
	t.Helper()
	for _, d := range []*deployment{l.steered, l.plain} {
		alive := l.witness.alive(t, d.name)
		pod := alive[max(0, len(alive)-1-place)].name()
		l.faults[pod] = &fault{kind: kind, since: time.Now()}
		d.annotate(t, pod, faultAnnotation, kind)
	}
}

// showsFaults waits until the pods that were broken are seen to be.
func (l *lane) showsFaults(t testing.TB) {
	t.Helper()
	l.steered.eventually(t, func() error {
		for _, d := range []*deployment{l.steered, l.plain} {
			for _, p := range l.witness.alive(t, d.name) {
				if l.faults[p.name()] != nil && ready(p.pod()) {
					return fmt.Errorf("pod %s is still ready", p.name())
				}
			}
		}
		return nil
	})
}

// settles waits until both have the size asked for. Pods that the round broke and
// no scale-in took are deleted: localcluster heals none that ever was ready.
func (l *lane) settles(t testing.TB, before int) {
	t.Helper()
	l.steered.eventually(t, func() error {
		if sizes := l.witness.changes(l.steered.name); len(lowered(sizes, before)) == 0 {
			return fmt.Errorf("expected %s to be scaled in to %d, it has %d replicas", l.steered.name, l.size, sizes[len(sizes)-1].replicas)
		}
		return nil
	})
	l.rests(t)
	for _, d := range []*deployment{l.steered, l.plain} {
		l.mend(t, d)
	}
	for _, d := range []*deployment{l.steered, l.plain} {
		d.reaches(t, int32(l.size))
		d.isReady(t, int32(l.size))
		l.witness.shows(t, d.name, l.size)
	}
}

// rests waits until each has the pods it asked for, and cusme's as many ready as
// the load wants, with all that are to crash seen to: then no scale-in is under
// way. One that is may have chosen a broken pod, and somebody else is not to take it first.
func (l *lane) rests(t testing.TB) {
	t.Helper()
	for _, d := range []*deployment{l.steered, l.plain} {
		d.eventually(t, func() error {
			sizes, alive := l.witness.changes(d.name), l.witness.alive(t, d.name)
			if asked := int(sizes[len(sizes)-1].replicas); len(alive) != asked {
				return fmt.Errorf("expected %d pods of %s, as asked for, got %d", asked, d.name, len(alive))
			}
			well := 0
			for _, p := range alive {
				if f := l.faults[p.name()]; f != nil && f.kind == "crash-loop" && p.crashed().IsZero() {
					return fmt.Errorf("pod %s is yet to crash", p.name())
				}
				if ready(p.pod()) {
					well++
				}
			}
			if d == l.steered && well != l.size {
				return fmt.Errorf("expected %d ready pods of %s, got %d", l.size, d.name, well)
			}
			return nil
		})
	}
}

// mend deletes the pods that are broken.
func (l *lane) mend(t testing.TB, d *deployment) {
	t.Helper()
	for _, p := range l.witness.alive(t, d.name) {
		if l.faults[p.name()] == nil {
			continue
		}
		if err := d.client.CoreV1().Pods(d.namespace).Delete(t.Context(), p.name(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		if d == l.steered {
			l.rounds[len(l.rounds)-1].mended = time.Now()
		}
	}
}

// lowered picks the changes to fewer replicas from a place on.
func lowered(sizes []size, from int) (changes []size) {
	for i := max(1, from); i < len(sizes); i++ {
		if sizes[i].replicas < sizes[i-1].replicas {
			changes = append(changes, sizes[i])
		}
	}
	return changes
}

// fault returns what was wrong with a pod at a moment, as far as the lane made it so; empty for a well one.
func (l *lane) fault(pod string, at time.Time) string {
	if f := l.faults[pod]; f != nil && f.since.Before(at) {
		return f.kind
	}
	return ""
}
