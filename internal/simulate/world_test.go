package simulate

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cusme.dev/cusme/internal/scaling"
)

// scripted asks for one size after the other, a look each, and for the last from then on.
func scripted(sizes ...int32) Contender {
	return Contender{Name: "scripted", New: func(World) Policy {
		looks := 0
		return decider(func(*Sight) Move {
			looks++
			return Move{Replicas: sizes[min(looks, len(sizes))-1]}
		})
	}}
}

// TestWorldByHand wants the numbers that a person gets on paper. A look is every 10 s.
func TestWorldByHand(t *testing.T) {
	// Two pods work for 30 s each and a third request waits, when at 10 s one of them is to go.
	full := []Request{{0, 30 * sec}, {0, 30 * sec}, {sec, 4 * sec}}
	for _, c := range []struct {
		name     string
		world    World
		requests []Request
		sizes    []int32
		want     Result
	}{
		{
			"a pod is killed: its request is the next, and begins anew", World{Warm: 2, Grace: 5 * sec}, full, []int32{1},
			Result{Lost: 1, Wasted: 15 * sec, Billed: (15 + 64) * sec, Span: 64 * sec, Removed: 1, Moves: 1, Waits: Waits{Mean: 89 * sec / 3, P50: 30 * sec, P95: 59 * sec, P99: 59 * sec, Max: 59 * sec, Over: 2. / 3}},
		},
		{
			"it is done just as its time is over", World{Warm: 2, Grace: 20 * sec}, full, []int32{1},
			Result{Billed: (30 + 34) * sec, Span: 34 * sec, Removed: 1, Moves: 1, Waits: Waits{Mean: 29 * sec / 3, P95: 29 * sec, P99: 29 * sec, Max: 29 * sec, Over: 1. / 3}},
		},
		{
			"it drains", World{Warm: 2, Drain: true}, full, []int32{1},
			Result{Billed: (30 + 34) * sec, Span: 34 * sec, Removed: 1, Moves: 1, Waits: Waits{Mean: 29 * sec / 3, P95: 29 * sec, P99: 29 * sec, Max: 29 * sec, Over: 1. / 3}},
		},
		{
			"from zero: two pods are billed for the start, and one of them works", World{}, []Request{{3 * sec, 10 * sec}}, []int32{2},
			Result{Billed: 60 * sec, Starting: 40 * sec, Span: 40 * sec, Started: 2, Moves: 1, Waits: Waits{Mean: 27 * sec, P50: 27 * sec, P95: 27 * sec, P99: 27 * sec, Max: 27 * sec, Over: 1}},
		},
		{
			"pods that never served are removed young, one way and the other", World{Warm: 1, Drain: true, YoungAge: time.Minute}, []Request{{0, 45 * sec}}, []int32{3, 1, 2},
			Result{Billed: (45 + 2*10 + 15) * sec, Starting: (2*10 + 15) * sec, Span: 45 * sec, Started: 3, Removed: 2, Young: 2, Moves: 3, Reversals: 2},
		},
		{
			"those that were there at the beginning are not young", World{Warm: 3, Drain: true, YoungAge: time.Minute}, []Request{{0, 45 * sec}}, []int32{2},
			Result{Billed: 3 * 45 * sec, Span: 45 * sec, Removed: 1, Moves: 1},
		},
		{
			"sizes beyond the bounds are the bounds", World{Min: 1, Max: 2, Warm: 2, Drain: true}, []Request{{0, 15 * sec}}, []int32{0},
			Result{Billed: 2 * 15 * sec, Span: 15 * sec, Removed: 1, Moves: 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.world
			w.Interval, w.Start, w.Max, w.Limit = 10*sec, StartUp{20 * sec, 20 * sec}, cmp.Or(w.Max, 10), 20*sec
			got, err := w.Run(t.Context(), given(c.requests...), scripted(c.sizes...))
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			want.Trace, want.Policy, want.Requests = "given", "scripted", int64(len(c.requests))
			for _, q := range c.requests {
				want.Offered += q.Service
			}
			got.Waits = rounder(got.Waits)
			want.Waits = rounder(want.Waits)
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// rounder are waits to a tenth of a second: the histogram keeps three digits.
func rounder(w Waits) Waits {
	for _, d := range []*time.Duration{&w.Mean, &w.P50, &w.P95, &w.P99} {
		*d = d.Round(sec / 10)
	}
	return w
}

// TestMarkedPodsGoFirst takes the oldest of three, which would go last. It is at work, and so it can be seen to leave.
func TestMarkedPodsGoFirst(t *testing.T) {
	w := World{Interval: 10 * sec, Start: StartUp{sec, sec}, Max: 10, Warm: 1, Drain: true}
	var leaves []string
	c := Contender{Name: "marks", New: func(World) Policy {
		return decider(func(s *Sight) Move {
			for _, p := range s.Pods() {
				if p.Leaving {
					leaves = append(leaves, p.Name)
				}
			}
			if s.Now.Sub(Epoch) < 20*sec {
				return Move{Replicas: 3}
			}
			return Move{Replicas: 2, Mark: []string{"pod-1"}}
		})
	}}
	if _, err := w.Run(t.Context(), given(Request{5 * sec, 30 * sec}), c); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(leaves, []string{"pod-1"}) {
		t.Errorf("seen to leave: %v, want pod-1", leaves)
	}
}

func TestPodsOfTheBeginningAreOld(t *testing.T) {
	w := World{Interval: 10 * sec, Start: StartUp{sec, sec}, Min: 1, Max: 10, Warm: 3}
	c := Original(10*sec, scaling.FixedStep{Up: 1, Down: 1}, 10*time.Minute)
	if got, err := w.Run(t.Context(), given(Request{0, 15 * sec}), c); err != nil || got.Removed != 1 {
		t.Errorf("got %+v, %v, want one pod removed: none is young", got, err)
	}
}

// TestReadings has a load that grows by one each 10 s, from 2 at the first look on.
func TestReadings(t *testing.T) {
	growing := make([]Request, 9)
	for i := range growing {
		growing[i] = Request{time.Duration(10*i) * sec, 1000 * sec}
	}
	span := func(from, to int) []Span { return []Span{{time.Duration(from) * sec, time.Duration(to) * sec}} }
	const failed, invalid = -1, -2
	for _, c := range []struct {
		name   string
		faults Faults
		want   []float64
	}{
		{"as it is", Faults{}, []float64{2, 3, 4, 5, 6, 7, 8, 9}},
		{"no answer", Faults{Missing: span(20, 40)}, []float64{2, failed, failed, 5, 6, 7, 8, 9}},
		{"the last value, as if it were new", Faults{Frozen: span(20, 40)}, []float64{2, 2, 2, 5, 6, 7, 8, 9}},
		{"no number", Faults{Broken: span(20, 30)}, []float64{2, invalid, 4, 5, 6, 7, 8, 9}},
		{"20 s late", Faults{Lag: 20 * sec}, []float64{2, 2, 2, 3, 4, 5, 6, 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := World{Interval: 10 * sec, Start: StartUp{sec, sec}, Max: 100, Min: 1, Warm: 1, Faults: c.faults}
			var got []float64
			w.Observe = func(m *Moment) {
				now := m.Reading.At.Equal(m.Now)
				switch m.Reading.Problem {
				case scaling.Failed:
					got = append(got, failed)
				case scaling.Invalid:
					got = append(got, invalid)
				default:
					got = append(got, m.Reading.Value)
				}
				if now != (m.Reading.Problem == "") {
					t.Errorf("at %s a reading of %s, %q", m.At, m.Reading.At.Sub(Epoch), m.Reading.Problem)
				}
				if want := max(0, m.At-10*sec); m.At < 1000*sec && m.Waiting != want {
					t.Errorf("at %s the head of the queue has waited %s, want %s", m.At, m.Waiting, want)
				}
			}
			if _, err := w.Run(t.Context(), given(growing...), Fixed(1)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got[:len(c.want)], c.want) {
				t.Errorf("got %v, want %v", got[:len(c.want)], c.want)
			}
		})
	}
}

// TestTimeIsAccountedFor wants the same run twice, and each pod's time to be its start, its work or idle.
func TestTimeIsAccountedFor(t *testing.T) {
	lost := int64(0)
	rapid.Check(t, func(r *rapid.T) {
		w, requests, c := smallWorld(r), fewRequests(r), wanton(r)
		w.Start.P99 *= 3
		w.Faults.Noise = rapid.SampledFrom([]float64{0, 0.2}).Draw(r, "noise")
		got, err := w.Run(r.Context(), given(requests...), c)
		if err != nil {
			r.Skip(err) // such as work that is always killed
		}
		again, err := w.Run(r.Context(), given(requests...), c)
		if err != nil || got != again {
			r.Fatalf("got %+v, and then %+v, %v", got, again, err)
		}
		if got.Requests != int64(len(requests)) || got.Billed < got.Offered+got.Wasted+got.Starting || got.Lost == 0 != (got.Wasted == 0) {
			r.Fatalf("of %d requests: %+v", len(requests), got)
		}
		if got.Waits.P99 > got.Waits.Max || got.Waits.Mean > got.Waits.Max {
			r.Fatalf("waits above the longest: %+v", got.Waits)
		}
		lost += got.Lost
	})
	if lost == 0 {
		t.Error("no work was ever lost: too little was tried")
	}
}

func TestWorldsThatCannotBe(t *testing.T) {
	for want, spoil := range map[string]func(*World){
		"the world's Interval: expected more than 0, got 0s":                         func(w *World) { w.Interval = 0 },
		"the world's Start: expected 0 < Median ≤ P99, got 0s and 1m0s":              func(w *World) { w.Start.Median = 0 },
		"the world's Start: expected 0 < Median ≤ P99, got 1m0s and 59s":             func(w *World) { w.Start.P99 = 59 * sec },
		"the world's bounds: expected 0 ≤ Min ≤ Max and Max at least 1, got 3 and 2": func(w *World) { w.Min, w.Max = 3, 2 },
		"the world's Warm: expected 0 to Max (1000), got -1":                         func(w *World) { w.Warm = -1 },
		"the world's Grace: expected 0s or more, got -1s":                            func(w *World) { w.Grace = -sec },
		"the world's Noise: expected 0 or more, got NaN":                             func(w *World) { w.Faults.Noise = math.NaN() },
		"the world's Noise: expected 0 or more, got -1":                              func(w *World) { w.Faults.Noise = -1 },
	} {
		w := plain(0, 1)
		spoil(&w)
		if _, err := w.Run(t.Context(), given(), Fixed(1)); err == nil || err.Error() != want {
			t.Errorf("got the error %v, want %q", err, want)
		}
	}
}

func TestDemandsThatCannotBeReplayed(t *testing.T) {
	years := make([]Request, 40)
	for i := range years {
		years[i] = Request{time.Duration(i), longestTrace}
	}
	for want, c := range map[string]struct {
		requests []Request
		sizes    int32
	}{
		"expected requests by time of arrival":                                 {[]Request{{sec, sec}, {0, sec}}, 1},
		"expected requests by time of arrival, and no negative service time":   {[]Request{{0, -sec}}, 1},
		"requests wait and the policy has no pods for them, for 30 days":       {[]Request{{0, sec}}, 0},
		"expected less than 292 years of service in one replay":                {years, 40},
		"expected less than 292 years of pods in one replay, got more: replay": {years[:1], 40},
	} {
		w := plain(0, 0)
		w.Interval = 30 * 24 * time.Hour
		_, err := w.Run(t.Context(), given(c.requests...), Fixed(c.sizes))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "replaying given under fixed at ") {
			t.Errorf("got the error %v, want %q", err, want)
		}
	}
	if _, err := Clairvoyant(t.Context(), plain(0, 0), given(years...)); err == nil || !strings.Contains(err.Error(), "bounds of given: expected less than 292 years of service") {
		t.Errorf("got the error %v of the bounds", err)
	}
	months := Request{120 * 24 * time.Hour, sec}
	if _, err := Clairvoyant(t.Context(), plain(1000, 1000), given(months)); err == nil || !strings.Contains(err.Error(), "bounds of given: expected less than 292 years of pods") {
		t.Errorf("got the error %v of the bounds with a thousand pods that always stay", err)
	}
}

// TestAtMostTenMillionWait brings one more than that to a replay without pods.
func TestAtMostTenMillionWait(t *testing.T) {
	r := replay{World: plain(0, 0), look: forever, queue: line{n: mostWaiting}}
	err := r.arrives(t.Context(), Request{sec, sec})
	if err == nil || !strings.Contains(err.Error(), "expected ten million requests to wait at most, at 1s more do: 0 pods are too few") {
		t.Errorf("got the error %v", err)
	}
}

// TestInterruption ends the context amid the requests of a single bin, long before the next look.
func TestInterruption(t *testing.T) {
	for name, begin := range map[string]func(context.Context, Trace) error{
		"a replay": func(ctx context.Context, trace Trace) error {
			_, err := plain(1, 1).Run(ctx, trace, Fixed(1))
			return err
		},
		"the bounds": func(ctx context.Context, trace Trace) error {
			_, err := Clairvoyant(ctx, plain(1, 1), trace)
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		yielded := 0
		err := begin(ctx, Trace{Name: "endless", Requests: func(uint64) iter.Seq2[Request, error] {
			return func(yield func(Request, error) bool) {
				for yield(Request{}, nil) && yielded < 1000 {
					if yielded++; yielded == 10 {
						cancel()
					}
				}
			}
		}})
		if !errors.Is(err, context.Canceled) || yielded > 10 {
			t.Errorf("%s: ended by %v after %d requests, want it canceled after 10", name, err, yielded)
		}
	}
}

// TestStartsEnd wants every start to take a time, however odd its distribution is.
func TestStartsEnd(t *testing.T) {
	for _, s := range []StartUp{{1, 1}, {1, 100}, {time.Hour, math.MaxInt64}} {
		w := World{Interval: 24 * time.Hour, Start: s, Max: 300, Drain: true}
		got, err := w.Run(t.Context(), given(Request{0, time.Minute}), Fixed(300))
		if err != nil || got.Started != 300 || got.Starting <= 0 {
			t.Errorf("%v: %+v, %v", s, got, err)
		}
	}
}

func TestOriginalIsNamedByItsInterval(t *testing.T) {
	for every, want := range map[time.Duration]string{5 * time.Minute: "5m", 10 * sec: "10s", 90 * sec: "1m30s", time.Hour: "1h0m"} {
		if got := Original(every, scaling.FixedStep{}, 0).Name; got != "original, every "+want {
			t.Errorf("got %q, want every %s", got, want)
		}
	}
}
