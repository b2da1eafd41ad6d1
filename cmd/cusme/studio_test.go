package main

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/simulate"
)

// A studio is a Deployment's pods at work: requests of a demand wait in one
// line, and each ready pod works on one at a time. A pod that goes leaves its
// request to the others. It begins when its load is first read, and counts in
// milliseconds. It shares no code with the model.
type studio struct {
	*deployment
	demand  []simulate.Request
	witness *witness
	server  *httptest.Server

	mu    sync.Mutex
	began time.Time
	reads []level // answers so far
}

func newStudio(t testing.TB, d *deployment, demand []simulate.Request) *studio {
	t.Helper()
	s := &studio{deployment: d, demand: demand, witness: newWitness(t, d.client, d.namespace)}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// ServeHTTP answers with the load: requests there for each ready pod.
func (s *studio) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		s.began = time.Now()
	}
	now := time.Since(s.began).Truncate(time.Millisecond)
	load := loadAt(s.demand, s.shifts(), now)
	s.reads = append(s.reads, level{now, load})
	fmt.Fprintf(w, `{"load": %v, "at": %q}`, load, s.began.Add(now).Format(time.RFC3339Nano))
}

// read returns the answers so far.
func (s *studio) read() []level {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reads)
}

// scaledBy makes the LoadScaler, and returns the file it is in. The model knows nothing of doubts about a zero.
func (s *studio) scaledBy(t testing.TB, how string) string {
	t.Helper()
	scaler := s.manifest(s.server.URL, how)
	file := filepath.Join(t.TempDir(), "scaler.yaml")
	if err := os.WriteFile(file, []byte(scaler), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cluster.InstallCRD(t)
	s.cluster.Apply(t, scaler)
	return file
}

func (s *studio) manifest(url, how string) string {
	return fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  maxReplicas: 30
  interval: %[5]s
  loads: [{name: queue, confirmZero: false, http: {url: %[3]q, value: body.load, observedAt: timestamp(body.at)}}]
  %[4]s
`, s.name, s.namespace, url, how, shortPoll)
}

// isOver waits until all of it has passed.
func (s *studio) isOver(t testing.TB) {
	t.Helper()
	clustertest.Eventually(t, shortHour+patience, func() error {
		reads := s.read()
		if n := len(reads); n == 0 || reads[n-1].at < shortHour {
			return fmt.Errorf("after %d reads of the load it is not over", n)
		}
		return nil
	})
}

// since is when a witness saw something, in the studio's time: after the reads before it.
func (s *studio) since(at time.Time) time.Duration {
	return max(0, at.Sub(s.began).Truncate(time.Millisecond)+time.Millisecond)
}

// sizes are the numbers of replicas that were asked for.
func (s *studio) sizes() (all []level) {
	for _, size := range s.witness.changes(s.name) {
		all = append(all, level{s.since(size.at), float64(size.replicas)})
	}
	return all
}

// timeline is what really happened.
func (s *studio) timeline() timeline { return timeline{reads: s.read(), sizes: s.sizes()} }

// A shift is the time of a pod at work.
type shift struct{ from, to time.Duration }

const never = time.Duration(math.MaxInt64)

// shifts are those of the pods, by creation; that of one that was never ready is empty. A pod
// works until the replicas are written that take it away, for its end is seen a moment later. Those that go
// together stop a millisecond after each other, the oldest first: else it would be chance whose request is taken up first.
func (s *studio) shifts() []shift {
	s.witness.mu.Lock()
	defer s.witness.mu.Unlock()
	var lives []*life
	for _, l := range s.witness.pods {
		lives = append(lives, l)
	}
	slices.SortFunc(lives, byBirth)
	all, gone := make([]shift, len(lives)), map[time.Duration]int{}
	for i, l := range lives {
		all[i] = s.shift(l, s.witness.sizes[s.name])
		if write := all[i].to; write != never {
			all[i].to += time.Duration(gone[write]) * time.Millisecond
			gone[write]++
		}
	}
	return all
}

func byBirth(a, b *life) int { return int(a.seen[0].version) - int(b.seen[0].version) }

func (s *studio) shift(l *life, sizes []size) shift {
	at := slices.IndexFunc(l.seen, func(s sight) bool { return ready(s.pod) })
	if at < 0 || l.gone != 0 && l.seen[at].version >= l.gone {
		return shift{never, never}
	}
	return shift{s.since(l.seen[at].at), s.goes(l, sizes)}
}

func (s *studio) goes(l *life, sizes []size) time.Duration {
	if l.gone == 0 {
		return never
	}
	return s.since(writeBefore(sizes, l.gone).at)
}

// writeBefore is the last number of replicas written before a version.
func writeBefore(sizes []size, version uint64) (last size) {
	for _, size := range sizes {
		if size.version < version {
			last = size
		}
	}
	return last
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
	soonest := never
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
