package simulate

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longestWait bounds what the histogram tells apart: a wait of a year counts as half of one.
const longestWait = 183 * 24 * time.Hour

// waits collects how long requests waited, in milliseconds and to three digits.
// Most do not wait at all and are only counted.
type waits struct {
	limit         time.Duration
	none, n, over int64
	sumOf         float64 // seconds
	longest       time.Duration
	some          *hdrhistogram.Histogram
}

func newWaits(limit time.Duration) waits {
	return waits{limit: limit, some: hdrhistogram.New(1, longestWait.Milliseconds(), 3)}
}

func (w *waits) add(wait time.Duration) {
	w.n++
	if wait == 0 {
		w.none++
		return
	}
	w.sumOf += wait.Seconds()
	w.longest = max(w.longest, wait)
	if wait > w.limit {
		w.over++
	}
	_ = w.some.RecordValue(min(wait, longestWait).Milliseconds()) // cannot fail: within the bounds
}

func (w *waits) sum() Waits {
	if w.n == 0 {
		return Waits{}
	}
	return Waits{
		Mean: time.Duration(w.sumOf / float64(w.n) * float64(time.Second)),
		P50:  w.quantile(0.50), P95: w.quantile(0.95), P99: w.quantile(0.99),
		Max:  w.longest,
		Over: float64(w.over) / float64(w.n),
	}
}

// quantile is the wait that a share of the requests do not exceed. The histogram rounds up, and no wait is above the longest.
func (w *waits) quantile(q float64) time.Duration {
	rank := q*float64(w.n) - float64(w.none)
	if rank <= 0 {
		return 0
	}
	return min(w.longest, time.Duration(w.some.ValueAtQuantile(100*rank/float64(w.n-w.none)))*time.Millisecond)
}
