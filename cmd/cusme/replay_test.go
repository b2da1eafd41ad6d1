package main

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

// The forty minutes that are replayed have all their times ten times shorter,
// also those of the policies: polls of 15 s, pods that start within a minute,
// requests of 25 s, marks that settle within 2 s.
const (
	shortSpan  = 4 * time.Minute
	shortPoll  = 1500 * time.Millisecond
	shortStart = "6s"
	shortMarks = 200 * time.Millisecond
	warmPods   = 10
)

// TestTheModelMovesAsTheControllerDoes: one demand, replayed through the
// controller on a real control plane and through the model, gives about the same
// moves, and the log shows both. The model is told by how much the machine was
// late: when the load was really read, and how long pods really took to come.
// It is a measurement of four minutes; make soak runs it.
func TestTheModelMovesAsTheControllerDoes(t *testing.T) {
	if !soak() {
		t.Skip("takes four minutes: set CUSME_SOAK=1, as make soak does")
	}
	t.Parallel()
	policies := map[string]string{
		"bands":     "behavior: {scaleUp: {policies: [{type: Percent, value: 100, periodSeconds: 2}]}, scaleDown: {stabilizationWindowSeconds: 30}}",
		"objective": "objective: {wait: 3s}",
	}
	for name, how := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t, 0, startupAnnotation+": "+shortStart)
			s := newStudio(t, d)
			d.scale(t, warmPods)
			d.isReady(t, warmPods)
			file := s.scaledBy(t, how)
			startController(t, d, "--settle-time", shortMarks.String())
			s.isOver(t)
			compareMoves(t, s.timeline(), s.rehearse(t, file))
		})
	}
}

// replaySeed is that of the demand: CUSME_REPLAY_SEED, or 1.
func replaySeed(t testing.TB) uint64 {
	t.Helper()
	text := cmp.Or(os.Getenv("CUSME_REPLAY_SEED"), "1")
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("CUSME_REPLAY_SEED: expected a number, got %q", text)
	}
	return seed
}

// shortDemand is a demand with a hump and a burst, Poisson's. At its height it keeps 6 pods at work.
func shortDemand(seed uint64) (all []simulate.Request) {
	const most = 3.5 // requests per second
	random := rand.New(rand.NewPCG(seed, 0))
	for at := 0.0; ; {
		at += random.ExpFloat64() / most
		part := at / shortSpan.Seconds()
		if part >= 1 {
			return all
		}
		rate := 0.7 + 0.9*math.Exp(-math.Pow((part-0.3)/0.12, 2))
		if part > 0.65 {
			rate += 1.8 * math.Exp(-(part-0.65)/0.06)
		}
		if random.Float64()*most < rate {
			seconds := 2.2 * math.Exp(0.5*random.NormFloat64())
			all = append(all, simulate.Request{At: clock(at), Service: clock(seconds)})
		}
	}
}

func clock(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// A studio is a Deployment's pods at work: requests of a demand wait in one
// line, and each ready pod works on one at a time. A pod that goes leaves its
// request to the others. It begins when its load is first read.
type studio struct {
	*deployment
	demand  []simulate.Request
	witness *witness
	server  *httptest.Server
	reads   chan []reading // those so far
}

// A reading is one answer to a question for the load.
type reading struct {
	at   time.Time
	load float64
}

func newStudio(t testing.TB, d *deployment) *studio {
	t.Helper()
	s := &studio{deployment: d, demand: shortDemand(replaySeed(t)), witness: newWitness(t, d.client, d.namespace), reads: make(chan []reading, 1)}
	s.reads <- nil
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// ServeHTTP answers with the load: requests there for each ready pod.
func (s *studio) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	reads, now := <-s.reads, time.Now()
	began := now
	if len(reads) > 0 {
		began = reads[0].at
	}
	load := loadAt(s.demand, s.witness.shifts(began), now.Sub(began))
	s.reads <- append(reads, reading{now, load})
	fmt.Fprintf(w, `{"load": %v}`, load)
}

// read returns the answers so far.
func (s *studio) read() []reading {
	reads := <-s.reads
	s.reads <- reads
	return reads
}

// scaledBy makes the LoadScaler, and returns the file it is in. The model knows nothing of doubts about a zero.
func (s *studio) scaledBy(t testing.TB, how string) string {
	t.Helper()
	scaler := fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  maxReplicas: 20
  interval: %[5]s
  loads: [{name: queue, confirmZero: false, http: {url: %[3]q, value: body.load}}]
  %[4]s
`, s.name, s.namespace, s.server.URL, how, shortPoll)
	file := filepath.Join(t.TempDir(), "scaler.yaml")
	if err := os.WriteFile(file, []byte(scaler), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cluster.InstallCRD(t)
	s.cluster.Apply(t, scaler)
	return file
}

// isOver waits until all of it has passed.
func (s *studio) isOver(t testing.TB) {
	t.Helper()
	clustertest.Eventually(t, shortSpan+patience, func() error {
		reads := s.read()
		if len(reads) == 0 || time.Since(reads[0].at) < shortSpan {
			return fmt.Errorf("after %d reads of the load it is not over", len(reads))
		}
		return nil
	})
}

// A shift is the time of a pod at work, since the beginning.
type shift struct{ from, to time.Duration }

// shifts are those of a namespace's pods, by creation.
func (w *witness) shifts(began time.Time) []shift {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lives []*life
	for _, l := range w.pods {
		lives = append(lives, l)
	}
	slices.SortFunc(lives, byBirth)
	var all []shift
	for _, l := range lives {
		if from, to := l.shift(); !from.IsZero() {
			all = append(all, shift{from.Sub(began), to.Sub(began)})
		}
	}
	return all
}

func byBirth(a, b *life) int { return int(a.seen[0].version) - int(b.seen[0].version) }

// shift is from when to when a pod was seen to be ready and to stay; from is zero when it never was.
func (l *life) shift() (from, to time.Time) {
	to = time.Now().Add(time.Hour)
	for _, s := range l.seen {
		if l.gone != 0 && s.version >= l.gone {
			return from, s.at
		}
		if from.IsZero() && ready(s.pod) {
			from = s.at
		}
	}
	return from, to
}

// A worker is a pod of a queue.
type worker struct {
	shift
	works   bool
	request simulate.Request
	// until is when the request will be done, or since when there is none.
	until time.Duration
}

func (w *worker) there(now time.Duration) bool { return w.from <= now && now < w.to }

// loadAt replays a demand up to a moment, and returns the requests there for each pod at work.
func loadAt(demand []simulate.Request, shifts []shift, until time.Duration) float64 {
	var waiting []simulate.Request
	workers := make([]worker, len(shifts))
	for i, s := range shifts {
		workers[i] = worker{shift: s, until: s.from}
	}
	for now := time.Duration(0); now <= until; now = next(demand, workers, now) {
		for i := range workers {
			if w := &workers[i]; w.works && w.until <= now {
				w.works = false
			} else if w.works && w.to <= now {
				w.works, waiting = false, slices.Insert(waiting, 0, w.request)
			}
		}
		for len(demand) > 0 && demand[0].At <= now {
			waiting, demand = append(waiting, demand[0]), demand[1:]
		}
		for w := idlest(workers, now); w != nil && len(waiting) > 0; w = idlest(workers, now) {
			w.works, w.request, w.until = true, waiting[0], now+waiting[0].Service
			waiting = waiting[1:]
		}
	}
	there, requests := 0, len(waiting)
	for _, w := range workers {
		if w.works {
			requests++
		}
		if w.there(until) {
			there++
		}
	}
	return float64(requests) / float64(max(1, there))
}

// next is when something happens next.
func next(demand []simulate.Request, workers []worker, now time.Duration) time.Duration {
	soonest := time.Duration(math.MaxInt64)
	consider := func(at time.Duration) {
		if at > now {
			soonest = min(soonest, at)
		}
	}
	if len(demand) > 0 {
		consider(demand[0].At)
	}
	for _, w := range workers {
		consider(w.from)
		consider(w.to)
		if w.works {
			consider(w.until)
		}
	}
	return soonest
}

// idlest is the worker that has been without a request for longest, if there is one.
func idlest(workers []worker, now time.Duration) (found *worker) {
	for i := range workers {
		if w := &workers[i]; w.there(now) && !w.works && (found == nil || w.until < found.until) {
			found = w
		}
	}
	return found
}

// A timeline is what became of the replicas.
type timeline struct {
	reads []level // of the load
	sizes []level // each change
}

type level struct {
	at    time.Duration
	value float64
}

// levelAt is the value at a moment.
func levelAt(all []level, when time.Duration) float64 {
	value := 0.0
	for _, m := range all {
		if m.at <= when {
			value = m.value
		}
	}
	return value
}

// moves counts the changes within its span.
func (l timeline) moves() (n int) {
	for _, m := range l.sizes {
		if m.at > 0 && m.at < shortSpan {
			n++
		}
	}
	return n
}

// timeline is what really happened.
func (s *studio) timeline() (l timeline) {
	reads := s.read()
	for _, r := range reads {
		l.reads = append(l.reads, level{r.at.Sub(reads[0].at), r.load})
	}
	for _, size := range s.witness.changes(s.name) {
		l.sizes = append(l.sizes, level{size.at.Sub(reads[0].at), float64(size.replicas)})
	}
	return l
}

// rehearse replays the same in the model.
func (s *studio) rehearse(t testing.TB, file string) timeline {
	t.Helper()
	scaler, err := scalerFile{path: file}.only()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := controller.PolicyOf(scaler.Spec)
	if err != nil {
		t.Fatal(err)
	}
	reads, starts := s.read(), s.starts(t)
	l := timeline{sizes: []level{{0, warmPods}}}
	w := simulate.World{
		Interval: shortPoll, Start: simulate.StartUp{Median: slices.Max(starts), P99: slices.Max(starts)}, Starts: starts,
		Min: policy.Min, Max: policy.Max, Warm: warmPods,
		Observe: func(m *simulate.Moment) {
			if m.Move.Replicas != m.Sight.Replicas {
				l.sizes = append(l.sizes, level{m.At, float64(m.Move.Replicas)})
			}
		},
	}
	cusme := simulate.Cusme("cusme", policy)
	contender := simulate.Contender{Name: cusme.Name, Every: time.Millisecond, New: func(w simulate.World) simulate.Policy {
		return &asItWas{Policy: cusme.New(w), reads: reads, warm: s.warm(t), seen: &l.reads, began: reads[0].at}
	}}
	if _, err := w.Run(t.Context(), s.trace(reads[0].at), contender); err != nil {
		t.Fatal(err)
	}
	return l
}

// trace is the demand as the model takes it.
func (s *studio) trace(began time.Time) simulate.Trace {
	return simulate.Trace{Name: "short", Begin: began, Requests: func(uint64) iter.Seq2[simulate.Request, error] {
		return func(yield func(simulate.Request, error) bool) {
			for _, r := range s.demand {
				if !yield(r, nil) {
					return
				}
			}
		}
	}}
}

// starts is how long pods took to come, from the write of the replicas on.
func (s *studio) starts(t testing.TB) []time.Duration {
	t.Helper()
	sizes, all := s.witness.changes(s.name), []time.Duration(nil)
	for _, l := range s.witness.all(t, "painter")[warmPods:] {
		from, _ := l.shift()
		asked := sizes[0].at
		for _, size := range sizes {
			if size.version < l.seen[0].version {
				asked = size.at
			}
		}
		if !from.IsZero() {
			all = append(all, from.Sub(asked))
		}
	}
	if len(all) == 0 {
		t.Fatal("expected pods to be started, found none")
	}
	t.Logf("%d pods took %s to %s", len(all), slices.Min(all), slices.Max(all))
	return all
}

// warm are the pods that were there at the beginning, by their names in the model.
func (s *studio) warm(t testing.TB) map[string]scaling.Pod {
	t.Helper()
	pods := map[string]scaling.Pod{}
	for i, l := range s.witness.all(t, "painter")[:warmPods] {
		first := l.seen[slices.IndexFunc(l.seen, func(s sight) bool { return ready(s.pod) })].pod
		for _, c := range first.Status.Conditions {
			if c.Type == corev1.PodReady {
				pods[fmt.Sprintf("pod-%d", i+1)] = scaling.Pod{Created: first.CreationTimestamp.Time, ReadySince: c.LastTransitionTime.Time}
			}
		}
	}
	return pods
}

// asItWas has a policy of the model look at the load when it was really read,
// see times of pods as the API server tells them, and wait for marks to settle.
type asItWas struct {
	simulate.Policy
	reads []reading
	warm  map[string]scaling.Pod
	began time.Time
	// seen are the values that the policy was shown.
	seen *[]level
	// settling is a scale-in that waits for its marks until it is due.
	settling *simulate.Move
	due      time.Time
}

// Decide implements simulate.Policy.
func (a *asItWas) Decide(s *simulate.Sight) simulate.Move {
	stay := simulate.Move{Replicas: s.Replicas}
	if a.settling != nil && !s.Now.Before(a.due) {
		move := *a.settling
		a.settling = nil
		return move
	}
	if len(a.reads) == 0 || s.Now.Before(a.reads[0].at) {
		return stay
	}
	a.reads = a.reads[1:]
	*a.seen = append(*a.seen, level{s.Now.Sub(a.began), s.Reading.Value})
	pods := a.told(s.Pods())
	s.Pods = func() []scaling.Pod { return pods }
	move := a.Policy.Decide(s)
	if move.Replicas < s.Replicas && len(move.Mark) > 0 {
		a.settling, a.due = &move, s.Now.Add(shortMarks)
		return stay
	}
	return move
}

// told returns pods with times in whole seconds.
func (a *asItWas) told(pods []scaling.Pod) []scaling.Pod {
	for i := range pods {
		p := &pods[i]
		if warm, is := a.warm[p.Name]; is {
			p.Created, p.ReadySince = warm.Created, warm.ReadySince
		}
		p.Created, p.ReadySince = p.Created.Truncate(time.Second), p.ReadySince.Truncate(time.Second)
	}
	return pods
}

// compareMoves fails when replicas are more than one apart for over a quarter of
// the time, or moves by more than half and three: more than was
// measured at worst. A request that is done a millisecond before a poll, and not after it,
// can make a band hold for a window in one of the two.
func compareMoves(t testing.TB, really, model timeline) {
	t.Helper()
	const step = 100 * time.Millisecond
	apart, same := 0, 0
	for now := time.Duration(0); now < shortSpan; now += step {
		switch off := math.Abs(levelAt(really.sizes, now) - levelAt(model.sizes, now)); {
		case off > 1:
			apart++
		case off == 0:
			same++
		}
	}
	all := int(shortSpan / step)
	share := func(n int) float64 { return 100 * float64(n) / float64(all) }
	t.Logf("the same replicas for %.1f %% of the time, more than 1 apart for %.1f %%; %d moves really, %d in the model", share(same), share(apart), really.moves(), model.moves())
	t.Logf("\n%s", sideBySide(really, model))
	if share(apart) > 25 {
		t.Errorf("expected replicas to be more than 1 apart for 25 %% of the time at most, got %.1f %%", share(apart))
	}
	if off := math.Abs(float64(really.moves() - model.moves())); off > max(3, 0.5*float64(really.moves())) {
		t.Errorf("expected as many moves within a half, or within 3: %d really, %d in the model", really.moves(), model.moves())
	}
}

// sideBySide is a table of both timelines, a row for each read of the load.
func sideBySide(really, model timeline) string {
	var b strings.Builder
	b.WriteString("    at   load  model   replicas  model\n")
	for _, r := range really.reads {
		fmt.Fprintf(&b, "%6.2f %6.2f %6.2f %10.0f %6.0f\n", r.at.Seconds(), r.value, levelAt(model.reads, r.at+15*time.Millisecond), levelAt(really.sizes, r.at), levelAt(model.sizes, r.at))
	}
	return b.String()
}
