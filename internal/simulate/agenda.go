package simulate

import "time"

// An event is something that will happen to a pod.
type event struct {
	at    time.Duration
	order uint64 // of events at one moment the older comes first
	pod   *pod
	stint uint32
	kind  kind
}

type kind uint8

const (
	becomesReady kind = iota
	isDone
	isKilled
)

// An agenda is a binary heap of events. container/heap's calls through an
// interface took a third of a replay's time.
type agenda struct {
	heap []event
	made uint64
}

func (e event) before(o event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

func (a *agenda) next() (time.Duration, bool) {
	if len(a.heap) == 0 {
		return 0, false
	}
	return a.heap[0].at, true
}

func (a *agenda) push(e event) {
	a.made++
	e.order = a.made
	a.heap = append(a.heap, e)
	i := len(a.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.before(a.heap[up]) {
			break
		}
		a.heap[i] = a.heap[up]
		i = up
	}
	a.heap[i] = e
}

func (a *agenda) pop() event {
	top, last := a.heap[0], a.heap[len(a.heap)-1]
	a.heap = a.heap[:len(a.heap)-1]
	n := len(a.heap)
	if n == 0 {
		return top
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && a.heap[down+1].before(a.heap[down]) {
			down++
		}
		if !a.heap[down].before(last) {
			break
		}
		a.heap[i] = a.heap[down]
		i = down
	}
	a.heap[i] = last
	return top
}

// mostWaiting bounds a queue, which is kept in memory: a ring for ten million requests takes 268 MB.
const mostWaiting = 1e7

// A line is a queue with two ends, in a ring that grows.
type line struct {
	ring  []Request
	start int
	n     int
}

func (l *line) len() int { return l.n }

func (l *line) head() Request { return l.ring[l.start] }

func (l *line) grow() {
	if l.n < len(l.ring) {
		return
	}
	ring := make([]Request, max(64, 2*len(l.ring)))
	for i := range l.n {
		ring[i] = l.ring[(l.start+i)%len(l.ring)]
	}
	l.ring, l.start = ring, 0
}

func (l *line) push(q Request) {
	l.grow()
	l.ring[(l.start+l.n)%len(l.ring)] = q
	l.n++
}

func (l *line) unshift(q Request) {
	l.grow()
	l.start = (l.start + len(l.ring) - 1) % len(l.ring)
	l.ring[l.start] = q
	l.n++
}

func (l *line) pop() Request {
	q := l.ring[l.start]
	l.start = (l.start + 1) % len(l.ring)
	l.n--
	return q
}
