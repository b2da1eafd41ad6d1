package simulate

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// fortnight is 14 days of short requests at an even mean rate, 7 million of them at 5.8 per second.
func fortnight(perSecond float64) Trace {
	return Trace{Name: "fortnight", Span: 14 * 24 * time.Hour, Requests: func(seed uint64) iter.Seq2[Request, error] {
		return func(yield func(Request, error) bool) {
			draw, at := rand.New(rand.NewPCG(seed, 14)), 0.0
			for {
				at += draw.ExpFloat64() / perSecond
				if at > 14*24*3600 || !yield(Request{At: time.Duration(at * float64(sec)), Service: 340 * time.Millisecond}, nil) {
					return
				}
			}
		}
	}}
}

// entrants are the peers, and cusme by bands, by an objective, and by one that protects young pods.
func entrants() []Contender {
	load := scaling.Load{Name: "load", StaleAfter: 45 * sec}
	band := load
	band.Low, band.Target, band.High = 0.5, 0.65, 0.8
	bands := scaling.Policy{Min: 1, Max: 1000, Loads: []scaling.Load{band}, StartDeadline: 10 * time.Minute}
	objective := bands
	objective.Loads, objective.Objective = []scaling.Load{load}, &scaling.Objective{Wait: 30 * sec, Percentile: 95}
	protected := objective
	protected.MinPodAge = 10 * time.Minute
	return append(Peers(), Cusme("cusme, bands", bands), Cusme("cusme, objective", objective), Cusme("cusme, objective and minPodAge", protected))
}

// BenchmarkFortnight replays 7 million requests under each policy, on one core. Two pods are at work on average,
// and there are 20 at most, which is never too few.
func BenchmarkFortnight(b *testing.B) {
	for _, c := range entrants() {
		b.Run(c.Name, func(b *testing.B) {
			for b.Loop() {
				w := plain(1, 1)
				w.Max = 20
				got, err := w.Run(b.Context(), fortnight(5.8), c)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(got.Requests)/1e6, "Mrequests")
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/fortnight")
		})
	}
}

// TestMemoryIsFlat looks at the heap after one day and after 14 of them.
func TestMemoryIsFlat(t *testing.T) {
	const day, slack = 24 * time.Hour, 256 << 10
	for _, c := range entrants() {
		w, heaps := plain(1, 1), map[time.Duration]uint64{}
		w.Observe = func(m *Moment) {
			if m.At == day || m.At == 13*day {
				var now runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&now)
				heaps[m.At] = now.HeapAlloc
			}
		}
		if _, err := w.Run(t.Context(), fortnight(0.5), c); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: a heap of %d KiB after a day, and of %d KiB after 13", c.Name, heaps[day]>>10, heaps[13*day]>>10)
		if first, last := heaps[day], heaps[13*day]; len(heaps) != 2 || last > first+slack {
			t.Errorf("%s: expected at most %d KiB more after 13 days than after one", c.Name, slack>>10)
		}
	}
}

// TestBillIsThePodsTime adds up by each pod's own age what is billed for all together. Between
// two looks a pod may end, so that the sum is known to an interval of each.
func TestBillIsThePodsTime(t *testing.T) {
	type life struct{ began, seen time.Time }
	for _, c := range entrants() {
		w, lives := plain(1, 1), map[string]life{}
		w.Observe = func(m *Moment) {
			for _, p := range m.Pods() {
				l := life{p.Created, m.Now}
				if l.began.Before(Epoch) {
					l.began = Epoch
				}
				lives[p.Name] = l
			}
		}
		got, err := w.Run(t.Context(), Day(), c)
		if err != nil {
			t.Fatal(err)
		}
		least := time.Duration(0)
		for _, l := range lives {
			least += l.seen.Sub(l.began)
		}
		if most := least + time.Duration(got.Started+1)*w.Interval; got.Billed < least || got.Billed > most {
			t.Errorf("%s: expected %s to %s for %d pods, got %s billed", c.Name, least, most, len(lives), got.Billed)
		}
	}
}

// TestReplaysDoNotMeet runs the same replay alone, and many times at once.
func TestReplaysDoNotMeet(t *testing.T) {
	for _, c := range entrants() {
		alone, err := plain(1, 1).Run(t.Context(), Day(), c)
		if err != nil {
			t.Fatal(err)
		}
		var crowd sync.WaitGroup
		for range 4 {
			crowd.Go(func() {
				got, err := plain(1, 1).Run(t.Context(), Day(), c)
				if err != nil || fmt.Sprint(got) != fmt.Sprint(alone) {
					t.Errorf("%s: alone %+v, among others %+v, %v", c.Name, alone, got, err)
				}
			})
		}
		crowd.Wait()
	}
}
