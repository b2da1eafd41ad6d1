package simulate

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
)

// A LoadHistory is a load as it was read in the past, from which the demand
// behind it can be worked out.
type LoadHistory struct {
	Name string
	// Points are by time, at least two. Readings that failed are left out; they are not 0.
	Points []Point
	// Service is the mean service time of a request, above 0, which no load tells.
	Service time.Duration
	// Total says that the load is the sum of running and queued requests; otherwise it is their ratio to the ready pods.
	Total bool
}

// A Point is a load at one time.
type Point struct {
	At time.Time
	// Load is finite, from 0 on.
	Load float64
	// Ready counts the pods that were ready, and Leaving those besides that still finished a request, where that is known.
	Ready, Leaving int32
}

// mostPresent is how many requests a point may speak of: a hundred for each of a hundred thousand pods. A replay keeps its queue in memory.
const mostPresent = 1e7

// nearlyAll is the part of the pods at work from which on all are taken to be: a use of GPUs seldom reads 1 exactly.
const nearlyAll = 0.98

// A long gap is more than so many times the usual step between points.
const longGap = 3

// Trace returns the demand behind the history. What arrived between two points
// is what was done meanwhile, by pods that do one request each in a service time, and by what the queue
// grew. So a queue is work that was put off, and no demand of its own, and all
// work together is as long as pods were seen to work.
//
// The error names the point that cannot be.
func (h LoadHistory) Trace() (Trace, error) {
	if err := h.check(); err != nil {
		return Trace{}, fmt.Errorf("load history %s: %w", h.Name, err)
	}
	return Trace{
		Name:     h.Name,
		Begin:    h.Points[0].At,
		Span:     h.span(),
		Requests: func(seed uint64) iter.Seq2[Request, error] { return requestsOf(h.rows, seed) },
	}, nil
}

func (h LoadHistory) check() error {
	if h.Service <= 0 {
		return fmt.Errorf("expected a service time above 0, got %s", h.Service)
	}
	if len(h.Points) < 2 {
		return fmt.Errorf("expected two points or more, got %d", len(h.Points))
	}
	for i, p := range h.Points {
		at := p.At.UTC().Format(time.RFC3339)
		switch {
		case !(p.Load >= 0) || math.IsInf(p.Load, 1):
			return fmt.Errorf("at %s: expected a load from 0 on, got %v", at, p.Load)
		case h.present(p) > mostPresent:
			return fmt.Errorf("at %s: expected a load of ten million requests at most, got %v with %d pods ready: leave out this time, or give the LoadScaler's load the type Total if it is a sum", at, p.Load, p.Ready)
		case p.Ready < 0 || p.Leaving < 0:
			return fmt.Errorf("at %s: expected no fewer than 0 pods, got %d ready and %d leaving", at, p.Ready, p.Leaving)
		case i > 0 && !p.At.After(h.Points[i-1].At):
			return fmt.Errorf("at %s: expected points by time, got one after %s", at, h.Points[i-1].At.UTC().Format(time.RFC3339))
		}
	}
	if !slices.ContainsFunc(h.Points, func(p Point) bool { return p.Load > 0 }) {
		return errors.New("the load was 0 all the time: there is nothing to replay")
	}
	return nil
}

func (h LoadHistory) span() time.Duration {
	return h.Points[len(h.Points)-1].At.Sub(h.Points[0].At)
}

// rows yields what arrived between points. Parts of a request are carried on, and
// so is a queue that shrank by more than was done, as requests gave up.
func (h LoadHistory) rows(yield func(row, error) bool) {
	arrived := h.queued(h.Points[0])
	for i, p := range h.Points[:len(h.Points)-1] {
		next := h.Points[i+1]
		step := next.At.Sub(p.At)
		arrived += h.queued(next) - h.queued(p) + (h.working(p)+h.working(next))/2*step.Seconds()/h.Service.Seconds()
		n := max(0, math.Floor(arrived))
		arrived -= n
		if n > mostArrivals {
			yield(row{}, fmt.Errorf("load history %s: from %s on: expected ten million requests at most between two points, got %.3g: is a service time of %s what a request takes?", h.Name, p.At.UTC().Format(time.RFC3339), n, h.Service))
			return
		}
		if n > 0 && !yield(row{at: p.At.Sub(h.Points[0].At), width: step, arrivals: int64(n), service: h.Service}, nil) {
			return
		}
	}
}

// present is how many requests a point speaks of, running and queued. Without a
// ready pod the ratio is one to a single pod, as decisions take it.
func (h LoadHistory) present(p Point) float64 {
	if h.Total {
		return p.Load
	}
	return p.Load * float64(max(1, p.Ready))
}

// working is how many pods worked on requests.
func (h LoadHistory) working(p Point) float64 {
	return min(h.present(p), h.capacity(p))
}

// capacity is how many requests pods can work on.
func (h LoadHistory) capacity(p Point) float64 { return float64(p.Ready) + float64(p.Leaving) }

// queued is how many requests waited.
func (h LoadHistory) queued(p Point) float64 { return h.present(p) - h.working(p) }

// Remarks says in sentences what the replayed demand leaves out or takes for granted.
func (h LoadHistory) Remarks() []string {
	out := []string{fmt.Sprintf("A load tells how much work there was, and not in which pieces: every request takes %s here, and what gave up or was turned away is not in it.", h.Service)}
	usual := h.usualStep()
	var queued, missing, full time.Duration
	for i, p := range h.Points[1:] {
		step := p.At.Sub(h.Points[i].At)
		if step > longGap*usual {
			missing += step
		}
		switch {
		case h.queued(p) > 0:
			queued += step
		case h.present(p) > 0 && h.present(p) >= nearlyAll*h.capacity(p):
			full += step
		}
	}
	if queued > 0 {
		out = append(out, fmt.Sprintf("For %s of %s requests waited: they are replayed as work that was put off, and no more than that.", rounded(queued), rounded(h.span())))
	}
	if queued == 0 && full > 0 {
		out = append(out, fmt.Sprintf("For %s of %s all pods were at work, and never did the load say that anybody waits: if it cannot, as the use of GPUs cannot, demand was higher than this.", rounded(full), rounded(h.span())))
	}
	if missing > 0 {
		out = append(out, fmt.Sprintf("For %s of %s there is no reading: the load is taken to have gone straight from one end of each gap to the other.", rounded(missing), rounded(h.span())))
	}
	if usual > h.Service {
		out = append(out, fmt.Sprintf("Points are %s apart, which is longer than a request takes: what came and went between two of them is not in it.", usual))
	}
	return out
}

// usualStep is the median step between points.
func (h LoadHistory) usualStep() time.Duration {
	steps := make([]time.Duration, len(h.Points)-1)
	for i := range steps {
		steps[i] = h.Points[i+1].At.Sub(h.Points[i].At)
	}
	slices.SortFunc(steps, cmp.Compare[time.Duration])
	return steps[len(steps)/2]
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Second) }
