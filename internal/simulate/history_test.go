package simulate

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"
)

// TestHistoryOfAReplay records the load of a day under a fixed size, works the
// demand out of that again, and wants the same demand and the same waits of it.
func TestHistoryOfAReplay(t *testing.T) {
	for name, c := range map[string]struct {
		pods  int32
		total bool
	}{
		"enough pods":             {40, false},
		"enough pods, told whole": {40, true},
		"waits now and then":      {10, false},
		"queues at the humps":     {6, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := World{Interval: 15 * time.Second, Start: StartUp{time.Minute, time.Minute}, Min: c.pods, Max: c.pods, Warm: c.pods, Total: c.total, Limit: time.Minute, Seed: 3}
			was, points := recorded(t, w, Day())
			trace, err := LoadHistory{Name: "again", Points: points, Service: was.Offered / time.Duration(was.Requests), Total: c.total}.Trace()
			if err != nil {
				t.Fatal(err)
			}
			is, _ := recorded(t, w, trace)
			if off := math.Abs(float64(is.Requests)/float64(was.Requests) - 1); off > 0.02 {
				t.Errorf("%d requests in place of %d", is.Requests, was.Requests)
			}
			if was, is := was.Waits.Mean.Seconds(), is.Waits.Mean.Seconds(); math.Abs(was-is) > was/20 {
				t.Errorf("a mean wait of %.1f s in place of %.1f s", is, was)
			}
			if !trace.Begin.Equal(points[0].At) || trace.Span != points[len(points)-1].At.Sub(points[0].At) {
				t.Errorf("begins at %s and goes on for %s", trace.Begin, trace.Span)
			}
		})
	}
}

// recorded replays a trace under a fixed size, with the load as it was polled.
func recorded(t *testing.T, w World, trace Trace) (Result, []Point) {
	t.Helper()
	var points []Point
	w.Observe = func(m *Moment) {
		points = append(points, Point{At: m.Now, Load: m.Reading.Value, Ready: m.Ready})
	}
	r, err := w.Run(context.Background(), trace, Contender{Name: "fixed", New: func(World) Policy { return steady{} }})
	if err != nil {
		t.Fatal(err)
	}
	return r, points
}

type steady struct{}

func (steady) Decide(s *Sight) Move { return Move{Replicas: s.Replicas} }

// TestHistoryByHand wants the numbers that a person gets on paper.
func TestHistoryByHand(t *testing.T) {
	at := func(seconds, load float64, ready, leaving int32) Point {
		return Point{Epoch.Add(time.Duration(seconds) * time.Second), load, ready, leaving}
	}
	for name, c := range map[string]struct {
		points []Point
		total  bool
		want   int
	}{
		// 2 pods work for 100 s, by 10 s each.
		"a steady load": {[]Point{at(0, 0.5, 4, 0), at(50, 0.5, 4, 0), at(100, 0.5, 4, 0)}, false, 20},
		"told whole":    {[]Point{at(0, 2, 4, 0), at(50, 2, 4, 0), at(100, 2, 4, 0)}, true, 20},
		// 4 pods work for 20 s on a queue of 8, and none is left of it.
		"a queue that drains": {[]Point{at(0, 3, 4, 0), at(20, 1, 4, 0)}, false, 8},
		// Without pods nothing is done: the 5 have come.
		"a queue at no pods": {[]Point{at(0, 0, 0, 0), at(10, 5, 0, 0), at(20, 5, 0, 0)}, false, 5},
		// 8 requests on 4 ready pods and 4 that leave: all of them work.
		"pods that leave": {[]Point{at(0, 2, 4, 4), at(20, 2, 4, 4)}, false, 16},
		// The queue of 12 shrinks by more than was done: 2 of it, and 2 that came later.
		"given up":      {[]Point{at(0, 4, 4, 0), at(10, 0, 4, 0), at(20, 1, 4, 0)}, false, 4},
		"half requests": {[]Point{at(0, 0, 1, 0), at(1, 0.4, 1, 0), at(2, 0.8, 1, 0), at(3, 0, 1, 0)}, false, 0},
	} {
		trace, err := LoadHistory{Name: name, Points: c.points, Service: 10 * time.Second, Total: c.total}.Trace()
		if err != nil {
			t.Fatal(err)
		}
		got := all(t, trace, 1)
		if len(got) != c.want {
			t.Errorf("%s: %d requests, want %d", name, len(got), c.want)
		}
		for i, r := range got {
			if r.Service != 10*time.Second || r.At > trace.Span || i > 0 && r.At < got[i-1].At {
				t.Errorf("%s: request %d is %v", name, i, r)
			}
		}
	}
}

func TestHistoriesThatCannotBe(t *testing.T) {
	good := func() LoadHistory {
		return LoadHistory{Name: "webui", Service: time.Second, Points: []Point{{Epoch, 1, 1, 0}, {Epoch.Add(time.Minute), 1, 1, 0}}}
	}
	for want, spoil := range map[string]func(*LoadHistory){
		"expected a service time above 0, got 0s":                                                           func(h *LoadHistory) { h.Service = 0 },
		"expected two points or more, got 1":                                                                func(h *LoadHistory) { h.Points = h.Points[:1] },
		"at 2024-01-01T00:01:00Z: expected a load from 0 on, got NaN":                                       func(h *LoadHistory) { h.Points[1].Load = math.NaN() },
		"at 2024-01-01T00:01:00Z: expected a load from 0 on, got -1":                                        func(h *LoadHistory) { h.Points[1].Load = -1 },
		"at 2024-01-01T00:00:00Z: expected a load from 0 on, got +Inf":                                      func(h *LoadHistory) { h.Points[0].Load = math.Inf(1) },
		"expected a load of ten million requests at most, got 1e+19 with 1 pods ready: leave out this time": func(h *LoadHistory) { h.Points[0].Load = 1e19 },
		"expected a load of ten million requests at most, got 10001 with 1000 pods ready":                   func(h *LoadHistory) { h.Points[0].Load, h.Points[0].Ready = 10_001, 1000 },
		"expected no fewer than 0 pods, got -1 ready and 0 leaving":                                         func(h *LoadHistory) { h.Points[0].Ready = -1 },
		"expected no fewer than 0 pods, got 1 ready and -1 leaving":                                         func(h *LoadHistory) { h.Points[0].Leaving = -1 },
		"expected points by time, got one after 2024-01-01T00:00:00Z":                                       func(h *LoadHistory) { h.Points[1].At = Epoch },
		"the load was 0 all the time: there is nothing to replay":                                           func(h *LoadHistory) { h.Points[0].Load, h.Points[1].Load = 0, 0 },
	} {
		h := good()
		spoil(&h)
		if _, err := h.Trace(); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "load history webui: ") {
			t.Errorf("got the error %v, want %q", err, want)
		}
	}
	if _, err := good().Trace(); err != nil {
		t.Error(err)
	}
	h := good()
	h.Service = 1
	trace, err := h.Trace()
	for _, problem := range trace.Requests(1) {
		err = problem
	}
	if err == nil || !strings.Contains(err.Error(), "load history webui: from 2024-01-01T00:00:00Z on: expected ten million requests at most between two points, got 6e+10") {
		t.Errorf("of requests of a nanosecond: %v", err)
	}
}

func TestRemarks(t *testing.T) {
	h := LoadHistory{Service: 30 * time.Second}
	for minute, load := range []float64{0.5, 0.5, 2, 0.5, 0.5, 0.5} {
		if minute > 3 {
			minute += 57 // an hour without a reading
		}
		h.Points = append(h.Points, Point{Epoch.Add(time.Duration(minute) * time.Minute), load, 2, 0})
	}
	want := []string{
		"every request takes 30s here",
		"For 1m0s of 1h2m0s requests waited",
		"For 58m0s of 1h2m0s there is no reading",
		"Points are 1m0s apart, which is longer than a request takes",
	}
	got := h.Remarks()
	for i := range want {
		if len(got) != len(want) || !strings.Contains(got[i], want[i]) {
			t.Fatalf("got %q, want of them %q", got, want)
		}
	}
	h.Points[2].Load = 0.99
	if got := h.Remarks(); len(got) != len(want) || !strings.Contains(got[1], "For 1m0s of 1h2m0s all pods were at work, and never") {
		t.Errorf("of a load at its ceiling: %q", got)
	}
	h.Points, h.Service = h.Points[:2], time.Hour
	if got := h.Remarks(); len(got) != 1 {
		t.Errorf("of a plain history: %q", got)
	}
}
