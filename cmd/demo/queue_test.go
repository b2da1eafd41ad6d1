package main

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const sec = time.Second

func pods(names ...string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

func TestWaitsAreFromArrivalToTheBeginOfWork(t *testing.T) {
	q := newQueue()
	q.see(0, pods("a"))
	q.arrive(1*sec, 4*sec) // 1 to 5, no wait
	q.arrive(2*sec, 4*sec) // 5 to 9, waits 3
	q.arrive(3*sec, 4*sec) // 9 to 13, waits 6
	if got := q.load(); got != 3 {
		t.Errorf("load with one running and two waiting on one pod is %v, want 3", got)
	}
	q.advance(12 * sec)
	if len(q.waits) != 2 {
		t.Fatalf("%d requests are served after 12 s, want 2", len(q.waits))
	}
	q.advance(20 * sec)
	want := waitStats{mean: 3 * sec, median: 3 * sec, p95: 6 * sec, most: 6 * sec}
	if got := q.stats(); got != want {
		t.Errorf("waits are %+v, want %+v", got, want)
	}
}

func TestTheRequestOfARemovedPodIsBegunAgainFirst(t *testing.T) {
	q := newQueue()
	q.see(0, pods("a"))
	q.arrive(0, 10*sec)
	q.arrive(1*sec, 1*sec)
	q.see(4*sec, pods("b"))
	if q.again != 1 {
		t.Fatalf("%d requests were begun again, want 1", q.again)
	}
	if got := q.pods["b"].request.service; got != 10*sec {
		t.Fatalf("b works on the request of %s, want the removed pod's of 10s", got)
	}
	q.advance(15 * sec)
	if got := q.stats().most; got != 13*sec {
		t.Errorf("the longest wait is %s; the second request came at 1s and began at 14s", got)
	}
	if got := q.waits[0]; got != 4*sec {
		t.Errorf("the first request waited %s, want 4s: what the removed pod did is lost", got)
	}
}

func TestALeavingPodFinishesAndTakesNothingNew(t *testing.T) {
	q := newQueue()
	q.see(0, pods("a"))
	q.arrive(0, 5*sec)
	q.arrive(0, 5*sec)
	q.see(1*sec, map[string]bool{"a": false})
	if got := q.load(); got != 2 {
		t.Errorf("load is %v, want 2: work on a leaving pod counts, the pod does not", got)
	}
	q.advance(30 * sec)
	if len(q.waits) != 1 || len(q.waiting) != 1 {
		t.Errorf("%d served and %d waiting, want 1 and 1", len(q.waits), len(q.waiting))
	}
}

func TestNoPodsAndNoRequests(t *testing.T) {
	q := newQueue()
	if got := q.load(); got != 0 {
		t.Errorf("load of nothing is %v, want 0", got)
	}
	if got := q.stats(); got != (waitStats{}) {
		t.Errorf("waits of nobody are %+v", got)
	}
	q.arrive(0, sec)
	q.advance(7 * sec)
	if q.load() != 1 || q.longest() != 7*sec {
		t.Errorf("load %v and longest wait %s, want 1 and 7s", q.load(), q.longest())
	}
}

// Whatever happens, no request is lost or doubled, and nobody waits beside a free pod.
func TestRequestsAreConserved(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		q := newQueue()
		at := time.Duration(0)
		for range 400 {
			at += time.Duration(random.IntN(1500)) * time.Millisecond
			switch random.IntN(4) {
			case 0:
				there := map[string]bool{}
				for i := range random.IntN(5) {
					there[fmt.Sprint("pod", random.IntN(3)+i)] = random.IntN(4) > 0
				}
				q.see(at, there)
			default:
				q.arrive(at, time.Duration(random.IntN(9000)+1)*time.Millisecond)
			}
			if sum := len(q.waits) + q.running() + len(q.waiting); sum != q.arrived {
				t.Fatalf("seed %d at %s: %d served + %d running + %d waiting are not the %d that arrived",
					seed, at, len(q.waits), q.running(), len(q.waiting), q.arrived)
			}
			for name, w := range q.pods {
				if w.serving && !w.busy && len(q.waiting) > 0 {
					t.Fatalf("seed %d at %s: %d wait while %s is free", seed, at, len(q.waiting), name)
				}
			}
			for i := 1; i < len(q.waiting); i++ {
				if q.waiting[i].arrived < q.waiting[i-1].arrived {
					t.Fatalf("seed %d at %s: the queue is out of order", seed, at)
				}
			}
		}
	}
}
