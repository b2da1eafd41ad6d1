package simulate

import (
	"iter"
	"math/rand/v2"
	"testing"
	"time"
)

// erlangC is the mean wait of requests that arrive at random, offered in all
// (in pods, below their number), for pods that each serve one in a random time
// of the given mean: the M/M/c queue.
func erlangC(pods int, offered float64, service time.Duration) time.Duration {
	lost := 1.0 // Erlang's B, of as many pods as the loop has counted
	for n := 1; n <= pods; n++ {
		lost = offered * lost / (float64(n) + offered*lost)
	}
	waits := lost / (1 - offered/float64(pods)*(1-lost))
	return time.Duration(waits * float64(service) / (float64(pods) - offered))
}

// One pod is the M/M/1 queue, offered·service/(1−offered); two are offered²/(4−offered²); five at 4 wait with a chance of 0.554113.
func TestErlangC(t *testing.T) {
	for _, c := range []struct {
		pods    int
		offered float64
		want    time.Duration // with a service of an hour
	}{
		{1, 0.5, time.Hour},
		{1, 0.9, 9 * time.Hour},
		{2, 1, 20 * time.Minute},
		{5, 4, time.Duration(0.554113 * float64(time.Hour))},
	} {
		if got := erlangC(c.pods, c.offered, time.Hour); (got - c.want).Abs() > time.Second {
			t.Errorf("%d pods, %v offered: expected %s, got %s", c.pods, c.offered, c.want, got)
		}
	}
}

// random is a trace of requests at random moments, each of a random length.
func random(n int, between, service time.Duration) Trace {
	return Trace{Name: "random", Requests: func(seed uint64) iter.Seq2[Request, error] {
		return func(yield func(Request, error) bool) {
			draw, at := rand.New(rand.NewPCG(seed, 7)), 0.0
			for range n {
				at += draw.ExpFloat64() * float64(between)
				q := Request{At: time.Duration(at), Service: time.Duration(draw.ExpFloat64() * float64(service))}
				if !yield(q, nil) {
					return
				}
			}
		}
	}}
}

// A mean of two million waits is itself off by 1 to 2 %; the seed is fixed.
func TestWaitsAreErlangs(t *testing.T) {
	const service = 10 * time.Second
	for _, c := range []struct {
		pods    int32
		offered float64
	}{{1, 0.7}, {2, 1.4}, {5, 4}, {20, 16}} {
		w := plain(c.pods, c.pods)
		w.Seed = 1
		got, err := w.Run(t.Context(), random(2_000_000, time.Duration(float64(service)/c.offered), service), Fixed(c.pods))
		if err != nil {
			t.Fatal(err)
		}
		want := erlangC(int(c.pods), c.offered, service)
		if off := got.Waits.Mean.Seconds()/want.Seconds() - 1; off < -0.03 || off > 0.03 {
			t.Errorf("%d pods, %v offered: expected a mean wait within 3 %% of %s, got %s", c.pods, c.offered, want, got.Waits.Mean)
		}
	}
}
