package simulate

import (
	"container/heap"
	"time"
)

// levels is what pods cost while they do not work.
type levels struct {
	start        time.Duration // what a start takes, and is billed
	warm, always int           // pods that are there at the beginning, and those of them that always stay
}

// again is what it costs to have a pod at work that was last at work some time
// ago: it is kept, or started again, whichever is less. One that always stays is kept.
func (l levels) again(pod int, idle time.Duration) time.Duration {
	if pod < l.always {
		return idle
	}
	return min(idle, l.start)
}

// A stack is the pool in which nobody waits. Its k-th pod is at work while k
// requests or more are served, and whether it is kept in between is a choice of
// its own, whatever the others do: so the least of each is the least of all.
type stack struct {
	levels
	work, idle time.Duration
	busy       urgent          // until when each request is served
	left       []time.Duration // when each pod was last at work
}

// take serves a request at once; one without service is none.
func (s *stack) take(q Request) {
	s.until(q.At)
	if q.Service <= 0 {
		return
	}
	switch pod := len(s.busy); {
	case pod < len(s.left):
		s.idle = added(s.idle, s.again(pod, q.At-s.left[pod]))
	case pod < s.warm:
		s.left = append(s.left, 0)
		s.idle = added(s.idle, s.again(pod, q.At))
	default:
		s.left = append(s.left, 0)
		s.idle = added(s.idle, s.start)
	}
	heap.Push(&s.busy, portion{until: q.At + q.Service})
	s.work += q.Service
}

// until ends what is served by a moment.
func (s *stack) until(moment time.Duration) {
	for len(s.busy) > 0 && s.busy[0].until <= moment {
		p := heap.Pop(&s.busy).(portion)
		s.left[len(s.busy)] = p.until
	}
}

// billed is what the pool costs up to its end, by which all is served.
func (s *stack) billed(end time.Duration) time.Duration {
	s.until(end)
	sum := added(s.work, s.idle)
	for pod := range s.always {
		if pod < len(s.left) {
			sum = added(sum, end-s.left[pod])
		} else {
			sum = added(sum, end)
		}
	}
	return sum
}

// A pool lets requests wait for as long as the limit, where that costs less.
// Each in turn gets the pod that adds the least to the bill, and of equal ones the one
// that is free first. A pod that is not kept is forgotten.
type pool struct {
	levels
	limit      time.Duration
	work, idle time.Duration
	free       []time.Duration // from when on, each pod; first those that always stay
}

func newPool(l levels, limit time.Duration) pool {
	return pool{levels: l, limit: limit, free: make([]time.Duration, l.warm)}
}

func (p *pool) take(q Request) {
	p.work += q.Service
	p.forget(q.At - p.start)
	pod := p.cheapest(q.At)
	if pod < 0 {
		p.idle = added(p.idle, p.start)
		p.free = append(p.free, q.At+q.Service)
		return
	}
	p.idle = added(p.idle, max(0, q.At-p.free[pod]))
	p.free[pod] = max(q.At, p.free[pod]) + q.Service
}

// forget lets the pods go that have been idle since a moment.
func (p *pool) forget(moment time.Duration) {
	for pod := len(p.free) - 1; pod >= p.always; pod-- {
		if last := len(p.free) - 1; p.free[pod] <= moment {
			p.free[pod] = p.free[last]
			p.free = p.free[:last]
		}
	}
}

// cheapest is the pod that adds least, or -1 when that is a new one. What
// always stays adds nothing.
func (p *pool) cheapest(at time.Duration) int {
	best, least := -1, p.start
	for pod, free := range p.free {
		if free > at+p.limit {
			continue
		}
		adds := max(0, at-free)
		if pod < p.always {
			adds = 0
		}
		if adds < least || best >= 0 && adds == least && free < p.free[best] {
			best, least = pod, adds
		}
	}
	return best
}

// billed is what the pool costs up to an end, or to its own.
func (p *pool) billed(end time.Duration) time.Duration {
	for _, free := range p.free {
		end = max(end, free)
	}
	sum := added(p.work, p.idle)
	for _, free := range p.free[:p.always] {
		sum = added(sum, end-free)
	}
	return sum
}

// A filling is the most work that some pods find to do, on each request until
// it is done at the latest. Work is divided at will, and the most urgent goes first:
// that leaves the least undone.
type filling struct {
	pods    time.Duration
	now     time.Duration // the pods' time together since the beginning
	done    time.Duration // the part of it spent at work
	waiting urgent
}

func (f *filling) take(q Request, latest time.Duration) {
	if f.pods > 0 {
		f.until(q.At)
		heap.Push(&f.waiting, portion{work: q.Service, until: latest})
	}
}

// until works up to a moment, and returns the work done since the beginning.
func (f *filling) until(moment time.Duration) time.Duration {
	for f.now < f.pods*moment && len(f.waiting) > 0 {
		p := &f.waiting[0]
		step := max(0, min(p.work, f.pods*min(moment, p.until)-f.now))
		f.now, f.done, p.work = f.now+step, f.done+step, p.work-step
		if p.work <= 0 || f.pods*p.until <= f.now {
			heap.Pop(&f.waiting)
		}
	}
	f.now = max(f.now, f.pods*moment)
	return f.done
}

// lulls are the times in which no request can be at work, however long it
// waited: what it costs to have a first pod again after each.
type lulls struct {
	levels
	idle  time.Duration
	began bool
	until time.Duration // when the last request is done at the latest
}

func (l *lulls) take(at, latest time.Duration) {
	switch {
	case !l.began && l.warm == 0:
		l.idle = l.start
	case at > l.until:
		l.idle += l.again(0, at-l.until)
	}
	l.began, l.until = true, max(l.until, latest)
}

// A portion is work, and until when.
type portion struct{ work, until time.Duration }

// urgent is a heap of portions, the first one due first.
type urgent []portion

func (u urgent) Len() int           { return len(u) }
func (u urgent) Less(i, j int) bool { return u[i].until < u[j].until }
func (u urgent) Swap(i, j int)      { u[i], u[j] = u[j], u[i] }
func (u *urgent) Push(p any)        { *u = append(*u, p.(portion)) }
func (u *urgent) Pop() any {
	last := len(*u) - 1
	p := (*u)[last]
	*u = (*u)[:last]
	return p
}
