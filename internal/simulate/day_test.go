package simulate

import (
	"slices"
	"testing"
	"time"
)

// TestDay wants the day that its comment promises, of every seed.
func TestDay(t *testing.T) {
	for seed := range uint64(20) {
		day := all(t, Day(), seed)
		var service time.Duration
		perHour := make([]int, 24)
		for i, r := range day {
			if i > 0 && r.At < day[i-1].At || r.At >= Day().Span || r.Service <= 0 {
				t.Fatalf("seed %d: request %d is %v, after %v", seed, i, r, day[max(0, i-1)])
			}
			service += r.Service
			perHour[r.At/time.Hour]++
		}
		mean := service / time.Duration(len(day))
		if n := len(day); n < 11_000 || n > 13_000 || mean < 20*time.Second || mean > 23*time.Second {
			t.Errorf("seed %d: %d requests of %s", seed, n, mean)
		}
		if night, morning, lunch, afternoon := perHour[3], perHour[10], perHour[13], perHour[15]; night > 120 || lunch > morning*9/10 || lunch > afternoon*9/10 {
			t.Errorf("seed %d: %d requests at night, %d in the morning, %d at lunch, %d in the afternoon", seed, night, morning, lunch, afternoon)
		}
		if evening, burst := perHour[19], perHour[20]; burst < evening*3/2 {
			t.Errorf("seed %d: %d requests from 19:00 on, and %d from 20:00 on", seed, evening, burst)
		}
		if !slices.Equal(day, all(t, Day(), seed)) {
			t.Errorf("seed %d gives two days", seed)
		}
	}
}
