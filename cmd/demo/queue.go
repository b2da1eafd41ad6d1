package main

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// A request is one image somebody waits for. Times count from the demo's start.
type request struct {
	arrived time.Duration
	service time.Duration // how long a pod takes for it
	began   time.Duration // when the pod that has it began
}

// A queue serves requests in order of arrival, one at a time per pod. It is a
// discrete simulation: it knows no clock, and time only moves by its methods.
type queue struct {
	now     time.Duration
	waiting []request
	pods    map[string]*worker
	arrived int
	again   int             // requests begun anew because their pod went
	waits   []time.Duration // of the served requests, from arrival to the begin that led to the image
}

// A worker is a pod as the queue sees it.
type worker struct {
	serving bool // takes new requests; otherwise it only finishes what it has
	busy    bool
	request request
}

func (w *worker) done() time.Duration { return w.request.began + w.request.service }

func newQueue() *queue {
	return &queue{pods: map[string]*worker{}}
}

// arrive adds a request at a time not before any earlier call's.
func (q *queue) arrive(at, service time.Duration) {
	q.advance(at)
	q.arrived++
	q.waiting = append(q.waiting, request{arrived: at, service: service})
	q.handOut()
}

// advance lets time pass until a moment; requests end on the way, and pods
// take the next ones at the very moment they become free.
func (q *queue) advance(to time.Duration) {
	for {
		next := q.firstDone()
		if next == nil || next.done() > to {
			break
		}
		q.now = max(q.now, next.done())
		q.waits = append(q.waits, next.request.began-next.request.arrived)
		next.busy = false
		q.handOut()
	}
	q.now = max(q.now, to)
}

// see tells the queue which pods there are at a moment: true for one that
// takes requests, false for one that only finishes what it has. The request of
// a pod that is there no more goes back to the head of the queue.
func (q *queue) see(at time.Duration, pods map[string]bool) {
	q.advance(at)
	var lost []request
	for name, w := range q.pods {
		if _, there := pods[name]; there {
			continue
		}
		if w.busy {
			lost = append(lost, w.request)
		}
		delete(q.pods, name)
	}
	q.again += len(lost)
	q.waiting = append(lost, q.waiting...)
	// By arrival, because a request that was lost earlier may still be at the head.
	slices.SortStableFunc(q.waiting, func(a, b request) int { return cmp.Compare(a.arrived, b.arrived) })
	for name, serving := range pods {
		if q.pods[name] == nil {
			q.pods[name] = &worker{}
		}
		q.pods[name].serving = serving
	}
	q.handOut()
}

// handOut gives waiting requests to free pods, by name so that a replay is the same.
func (q *queue) handOut() {
	for _, name := range slices.Sorted(maps.Keys(q.pods)) {
		if len(q.waiting) == 0 {
			return
		}
		w := q.pods[name]
		if w.busy || !w.serving {
			continue
		}
		w.busy, w.request = true, q.waiting[0]
		w.request.began = q.now
		q.waiting = q.waiting[1:]
	}
}

// firstDone is the busy pod that ends first, nil when none is busy.
func (q *queue) firstDone() *worker {
	var first *worker
	for _, w := range q.pods {
		if w.busy && (first == nil || w.done() < first.done()) {
			first = w
		}
	}
	return first
}

// running counts the requests on pods, those on leaving pods included.
func (q *queue) running() int {
	n := 0
	for _, w := range q.pods {
		if w.busy {
			n++
		}
	}
	return n
}

// load is the index the back end reports: requests running or waiting, per pod that takes requests.
func (q *queue) load() float64 {
	serving := 0
	for _, w := range q.pods {
		if w.serving {
			serving++
		}
	}
	return float64(q.running()+len(q.waiting)) / float64(max(1, serving))
}

// longest is how long the request at the head of the queue has waited so far.
func (q *queue) longest() time.Duration {
	if len(q.waiting) == 0 {
		return 0
	}
	return q.now - q.waiting[0].arrived
}

// waitStats sums up how long served requests waited for a pod.
type waitStats struct {
	mean, median, p95, most time.Duration
}

func (q *queue) stats() waitStats {
	if len(q.waits) == 0 {
		return waitStats{}
	}
	sorted := slices.Sorted(slices.Values(q.waits))
	var sum time.Duration
	for _, w := range sorted {
		sum += w
	}
	return waitStats{
		mean:   sum / time.Duration(len(sorted)),
		median: quantile(sorted, 0.5),
		p95:    quantile(sorted, 0.95),
		most:   sorted[len(sorted)-1],
	}
}

// quantile is the smallest value that a share of the sorted values does not
// exceed (nearest rank), so that it is always a wait somebody really had.
func quantile(sorted []time.Duration, share float64) time.Duration {
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[max(1, rank)-1]
}
