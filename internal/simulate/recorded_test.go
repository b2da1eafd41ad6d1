package simulate

import (
	"os"
	"testing"
	"time"
)

// Each trace of a directory of one's own, under all peers: go test -v -run RecordedTraces, with its path in CUSME_TRACES.
func TestRecordedTraces(t *testing.T) {
	dir := os.Getenv("CUSME_TRACES")
	if dir == "" {
		t.Skip("set CUSME_TRACES to a directory of traces: CSV files that ReadTraces reads")
	}
	traces, err := ReadTraces(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := plain(1, 1)
	w.Max = 100 // AIBrix goes to any
	w.Start.P99, w.Drain, w.Grace = 150*time.Second, false, 30*time.Second
	for _, trace := range traces {
		t.Run(trace.Name, func(t *testing.T) {
			t.Parallel()
			b, err := Clairvoyant(t.Context(), w, trace)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%-24s %6.2f without waits, %.2f within %s, no less than %.2f", "bound", b.Ratio(b.NoWait), b.Ratio(b.Relaxed), w.Limit, b.Ratio(b.Least))
			if !(b.Offered <= b.Least && b.Least <= b.Relaxed && b.Relaxed <= b.NoWait) {
				t.Errorf("the bounds are out of order: %+v", b)
			}
			for _, c := range Peers() {
				r, err := w.Run(t.Context(), trace, c)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%-24s %6.2f, p95 %s, %d started", c.Name, r.Ratio(), r.Waits.P95, r.Started)
				if r.Waits.Max <= w.Limit && r.Billed < b.Least {
					t.Errorf("%s was billed %s; %s was thought the least", c.Name, r.Billed, b.Least)
				}
			}
		})
	}
}
