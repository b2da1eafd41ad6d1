package main

import (
	"container/heap"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/simulate"
)

// An arena is a trace, and the world in which policies are compared on it.
type arena struct {
	simulate.Trace
	world simulate.World
	mean  float64       // pods at work, if nobody waited
	goal  time.Duration // for the p95 of waits
}

// recordedArenas are those of one's own traces: in CUSME_TRACES, or beside the clone. None where there are none.
func recordedArenas(tb testing.TB) []arena {
	tb.Helper()
	dir := os.Getenv("CUSME_TRACES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "traces")
		if _, err := os.Stat(dir); err != nil {
			return nil
		}
	}
	traces, err := simulate.ReadTraces(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return arenasOf(tb, traces)
}

func arenasOf(tb testing.TB, traces []simulate.Trace) []arena {
	tb.Helper()
	arenas, errs := make([]arena, len(traces)), make([]error, len(traces))
	inParallel(len(traces), func(i int) { arenas[i], errs[i] = arenaOf(traces[i]) })
	for _, err := range errs {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return arenas
}

// arenaOf makes the world of a trace: a Deployment whose pods start in 60 s
// (p99 150 s), polled every 15 s, with a maximum that is never too small. An hour begins warm, as it
// is the middle of a day; a longer trace with one pod. Jobs of many minutes are drained, and may wait 90 s.
func arenaOf(t simulate.Trace) (arena, error) {
	needs, err := needsOf(t)
	w := simulate.World{
		Interval: 15 * time.Second,
		Start:    simulate.StartUp{Median: 60 * time.Second, P99: 150 * time.Second},
		Grace:    30 * time.Second,
		Min:      1, Max: max(20, needs.peak), Warm: 1,
		Limit: 30 * time.Second, YoungAge: 10 * time.Minute, Seed: 1,
	}
	a := arena{Trace: t, world: w, mean: needs.work.Seconds() / t.Span.Seconds(), goal: 30 * time.Second}
	if t.Span < 2*time.Hour {
		a.world.Warm = int32(math.Ceil(a.mean / 0.65))
	}
	if needs.work > time.Duration(needs.requests)*10*time.Minute {
		a.world.Drain, a.goal = true, 90*time.Second
	}
	return a, err
}

// needs is what a demand would take if nobody waited.
type needs struct {
	requests int64
	work     time.Duration
	peak     int32 // pods at work at once
}

func needsOf(t simulate.Trace) (needs, error) {
	var n needs
	var ends moments
	for q, err := range t.Requests(1) {
		if err != nil {
			return n, err
		}
		for len(ends) > 0 && ends[0] <= q.At {
			heap.Pop(&ends)
		}
		heap.Push(&ends, q.At+q.Service)
		n.requests, n.work, n.peak = n.requests+1, n.work+q.Service, max(n.peak, int32(len(ends)))
	}
	return n, nil
}

// moments is a heap, the earliest first.
type moments []time.Duration

func (m moments) Len() int           { return len(m) }
func (m moments) Less(i, j int) bool { return m[i] < m[j] }
func (m moments) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *moments) Push(x any)        { *m = append(*m, x.(time.Duration)) }
func (m *moments) Pop() any {
	last := len(*m) - 1
	x := (*m)[last]
	*m = (*m)[:last]
	return x
}

// cusmeOf is what a LoadScaler of testdata/policies does, within the bounds of the world: one setting for all traces.
func cusmeOf(tb testing.TB, file string) simulate.Contender {
	tb.Helper()
	s, err := scalerFile{path: filepath.Join("testdata", "policies", file+".yaml"), namespace: "default"}.only()
	if err != nil {
		tb.Fatal(err)
	}
	p, err := controller.PolicyOf(s.Spec)
	if err != nil {
		tb.Fatal(err)
	}
	return simulate.Contender{Name: "cusme, " + file, New: func(w simulate.World) simulate.Policy {
		p := p
		p.Min, p.Max = w.Min, w.Max
		return simulate.Cusme(file, p).New(w)
	}}
}

// A bout is one policy on one trace.
type bout struct {
	arena
	simulate.Contender
	simulate.Result
	took time.Duration
	err  error
}

// fight replays all bouts, as many at a time as there are processors.
func fight(tb testing.TB, bouts []bout) {
	tb.Helper()
	inParallel(len(bouts), func(i int) {
		b, began := &bouts[i], time.Now()
		b.Result, b.err = b.world.Run(tb.Context(), b.arena.Trace, b.Contender)
		b.took = time.Since(began)
	})
	for _, b := range bouts {
		if b.err != nil {
			tb.Error(b.err)
		}
	}
}

func inParallel(n int, do func(int)) {
	var wg sync.WaitGroup
	tasks := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range tasks {
				do(i)
			}
		})
	}
	for i := range n {
		tasks <- i
	}
	close(tasks)
	wg.Wait()
}

// A score is what a policy made of several traces.
type score struct {
	ratio   float64 // geometric mean
	goals   int
	over    float64 // mean share of requests that waited beyond the limit
	started int64
	young   int64
	lost    int64
	took    time.Duration
}

func scoreOf(bouts []bout) (s score) {
	for _, b := range bouts {
		s.ratio += math.Log(b.Ratio()) / float64(len(bouts))
		s.over += b.Waits.Over / float64(len(bouts))
		s.started, s.young, s.lost, s.took = s.started+b.Started, s.young+b.Young, s.lost+b.Lost, s.took+b.took
		if b.Waits.P95 <= b.goal {
			s.goals++
		}
	}
	s.ratio = math.Exp(s.ratio)
	return s
}

// cell is a bout in a table: the ratio, and the p95 of waits in seconds.
func (b bout) cell() string {
	return fmt.Sprintf("%.2f/%.*f", b.Ratio(), digits(b.Waits.P95), b.Waits.P95.Seconds())
}

func digits(d time.Duration) int {
	if d < 10*time.Second {
		return 1
	}
	return 0
}

func arenaNamed(tb testing.TB, arenas []arena, name string) arena {
	tb.Helper()
	i := slices.IndexFunc(arenas, func(a arena) bool { return a.Name == name })
	if i < 0 {
		tb.Skipf("the trace %s is not among them", name)
	}
	return arenas[i]
}
