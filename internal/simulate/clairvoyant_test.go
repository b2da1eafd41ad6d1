package simulate

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cusme.dev/cusme/internal/scaling"
)

const sec = time.Second

// given is a trace of requests in a table.
func given(requests ...Request) Trace {
	return Trace{Name: "given", Requests: func(uint64) iter.Seq2[Request, error] {
		return func(yield func(Request, error) bool) {
			for _, q := range requests {
				if !yield(q, nil) {
					return
				}
			}
		}
	}}
}

// plain is a world in which every start takes a minute and nobody is to wait longer than 30 s.
func plain(least, warm int32) World {
	return World{Interval: 15 * sec, Start: StartUp{Median: 60 * sec, P99: 60 * sec}, Drain: true, Min: least, Max: 1000, Warm: warm, Limit: 30 * sec}
}

func TestBoundsByHand(t *testing.T) {
	for _, c := range []struct {
		name                   string
		world                  World
		requests               []Request
		noWait, relaxed, least time.Duration
	}{
		{"nothing to do, and nothing that stays", plain(0, 0), nil, 0, 0, 0},
		{"one request, one start", plain(0, 0), []Request{{100 * sec, 50 * sec}}, 110 * sec, 110 * sec, 110 * sec},
		{"one request, on a pod that is there", plain(0, 1), []Request{{10 * sec, 50 * sec}}, 60 * sec, 60 * sec, 60 * sec},
		{"one request, on a pod that always stays", plain(1, 1), []Request{{100 * sec, 50 * sec}}, 150 * sec, 150 * sec, 150 * sec},
		{"a short gap is kept", plain(0, 0), []Request{{0, 50 * sec}, {80 * sec, 50 * sec}}, 60*sec + 50*sec + 30*sec + 50*sec, 190 * sec, 160 * sec},
		{"a long one is started anew", plain(0, 0), []Request{{0, 50 * sec}, {200 * sec, 50 * sec}}, 220 * sec, 220 * sec, 220 * sec},
		{"the second of two at once waits on the first's pod", plain(0, 0), []Request{{0, 20 * sec}, {0, 20 * sec}}, 160 * sec, 100 * sec, 100 * sec},
		{"and is kept for a third", plain(0, 0), []Request{{0, 20 * sec}, {0, 20 * sec}, {70 * sec, 20 * sec}}, 230 * sec, 150 * sec, 140 * sec},
		{"the one that is free first serves", plain(0, 2), []Request{{0, 10 * sec}, {0, 20 * sec}, {5 * sec, 20 * sec}, {45 * sec, 10 * sec}}, 140 * sec, 75 * sec, 60 * sec},
		{"but not beyond the limit", plain(0, 0), []Request{{0, 40 * sec}, {0, 40 * sec}}, 200 * sec, 200 * sec, 200 * sec},
		{"what always stays is used first", plain(1, 1), []Request{{0, 40 * sec}, {40 * sec, 10 * sec}, {45 * sec, 10 * sec}}, 120 * sec, 60 * sec, 60 * sec},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := Clairvoyant(t.Context(), c.world, given(c.requests...))
			if err != nil {
				t.Fatal(err)
			}
			if b.NoWait != c.noWait || b.Relaxed != c.relaxed || b.Least != c.least {
				t.Errorf("expected %s without waits, %s relaxed, at least %s; got %s, %s, %s", c.noWait, c.relaxed, c.least, b.NoWait, b.Relaxed, b.Least)
			}
		})
	}
}

func TestBoundsOfABrokenTrace(t *testing.T) {
	torn := errors.New("torn")
	_, err := Clairvoyant(t.Context(), plain(1, 1), Trace{Name: "x", Requests: func(uint64) iter.Seq2[Request, error] {
		return func(yield func(Request, error) bool) { yield(Request{}, torn) }
	}})
	if !errors.Is(err, torn) {
		t.Errorf("expected the trace's error, got %v", err)
	}
}

// With no wait allowed all bounds are one.
func TestBoundsMeetWithoutALimit(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w, requests := smallWorld(r), fewRequests(r)
		w.Limit = 0
		b, err := Clairvoyant(t.Context(), w, given(requests...))
		if err != nil {
			r.Fatal(err)
		}
		if b.Relaxed != b.NoWait || b.Least != b.NoWait {
			r.Fatalf("expected one bound, got %s without waits, %s relaxed, at least %s", b.NoWait, b.Relaxed, b.Least)
		}
	})
}

func TestBoundsAreInOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b, err := Clairvoyant(t.Context(), smallWorld(r), given(fewRequests(r)...))
		if err != nil {
			r.Fatal(err)
		}
		if !(b.Offered <= b.Least && b.Least <= b.Relaxed && b.Relaxed <= b.NoWait) {
			r.Fatalf("expected offered ≤ least ≤ relaxed ≤ without waits, got %s, %s, %s, %s", b.Offered, b.Least, b.Relaxed, b.NoWait)
		}
	})
}

func TestNoPolicyBeatsItsBound(t *testing.T) {
	within, prompt := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		w, requests := smallWorld(r), fewRequests(r)
		contenders := append(Peers(), Fixed(1), Fixed(5), HPAAverage(0.65), foresighted(requests, 0), foresighted(requests, w.Limit), wanton(r))
		c := contenders[rapid.IntRange(0, len(contenders)-1).Draw(r, "contender")]
		got, err := w.Run(r.Context(), given(requests...), c)
		if err != nil {
			r.Skip(err) // such as no pod for ever
		}
		b, err := Clairvoyant(t.Context(), w, given(requests...))
		if err != nil {
			r.Fatal(err)
		}
		if got.Waits.Max == 0 {
			prompt++
			if got.Billed < b.NoWait {
				r.Fatalf("%s was billed %s and let nobody wait; %s was thought the least", c.Name, got.Billed, b.NoWait)
			}
		}
		if got.Waits.Max <= w.Limit {
			within++
			if got.Billed < b.Least {
				r.Fatalf("%s was billed %s within the limit; %s was thought the least", c.Name, got.Billed, b.Least)
			}
		}
	})
	if prompt < 10 || within <= prompt {
		t.Errorf("too little was tried: %d runs without waits, %d within the limit", prompt, within)
	}
}

func smallWorld(r *rapid.T) World {
	start := rapid.SampledFrom([]time.Duration{sec, 10 * sec, 60 * sec}).Draw(r, "start")
	warm := rapid.Int32Range(0, 4).Draw(r, "warm")
	return World{
		Interval: rapid.SampledFrom([]time.Duration{sec, 15 * sec}).Draw(r, "interval"),
		Start:    StartUp{Median: start, P99: start},
		Drain:    rapid.Bool().Draw(r, "drain"), Grace: 5 * sec,
		Min: rapid.Int32Range(0, 3).Draw(r, "min"), Max: 50, Warm: warm,
		TellBusy: true,
		Limit:    rapid.SampledFrom([]time.Duration{0, 5 * sec, 30 * sec, 120 * sec}).Draw(r, "limit"),
	}
}

func fewRequests(r *rapid.T) []Request {
	span := rapid.IntRange(1, 1200).Draw(r, "span")
	all := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) Request {
		return Request{
			At:      time.Duration(rapid.IntRange(0, span).Draw(r, "at")) * sec,
			Service: time.Duration(rapid.IntRange(1, 90).Draw(r, "service")) * sec,
		}
	}), 1, 30).Draw(r, "requests")
	slices.SortStableFunc(all, func(a, b Request) int { return cmp.Compare(a.At, b.At) })
	return all
}

// foresighted knows the requests: it has as many pods as will be needed within a start-up time and
// two looks when each is served after a delay, and lets idle ones go.
func foresighted(requests []Request, delay time.Duration) Contender {
	return Contender{Name: "foresighted", New: func(w World) Policy {
		return decider(func(s *Sight) Move {
			now := s.Now.Sub(Epoch)
			return Move{Replicas: crowd(requests, delay, now, now+w.Start.Median+2*w.Interval), Mark: idlePods(s)}
		})
	}}
}

// crowd is the most requests at work at once within a span.
func crowd(requests []Request, delay, from, to time.Duration) int32 {
	most := int32(0)
	for _, q := range requests {
		at, n := max(q.At+delay, from), int32(0)
		for _, o := range requests {
			if o.At+delay <= at && at < o.At+delay+o.Service {
				n++
			}
		}
		if at <= to {
			most = max(most, n)
		}
	}
	return most
}

func idlePods(s *Sight) (names []string) {
	for _, p := range s.Pods() {
		if p.Busy == scaling.Idle {
			names = append(names, p.Name)
		}
	}
	return names
}

// wanton goes through sizes in a circle, and lets idle pods go.
func wanton(r *rapid.T) Contender {
	sizes := rapid.SliceOfN(rapid.Int32Range(0, 8), 1, 20).Draw(r, "sizes")
	return Contender{Name: "wanton", New: func(World) Policy {
		looks := 0
		return decider(func(s *Sight) Move {
			looks++
			return Move{Replicas: sizes[looks%len(sizes)] + 1, Mark: idlePods(s)}
		})
	}}
}

type decider func(*Sight) Move

func (d decider) Decide(s *Sight) Move { return d(s) }
