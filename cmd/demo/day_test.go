package main

import (
	"math"
	"testing"
	"time"
)

func TestTheDayHasTwoHumpsAndADeadNight(t *testing.T) {
	top := func(from, to float64) (hour float64) {
		for h := from; h < to; h += 0.1 {
			if rate(h) > rate(hour) || hour == 0 {
				hour = h
			}
		}
		return hour
	}
	if got := top(6, 15); math.Abs(got-11) > 0.3 {
		t.Errorf("the morning's peak is at %.1f h, want about 11", got)
	}
	if got := top(15, 24); math.Abs(got-20) > 0.3 {
		t.Errorf("the evening's peak is at %.1f h, want about 20", got)
	}
	if rate(20) <= rate(11) {
		t.Errorf("the evening (%.2f/s) is not above the morning (%.2f/s)", rate(20), rate(11))
	}
	if night := rate(4); night > rate(20)/10 {
		t.Errorf("at 4 h come %.2f requests a second, more than a tenth of the evening's %.2f", night, rate(20))
	}
	if rate(1) != rate(25) {
		t.Errorf("the day does not close: %v at 1 h, %v at 25 h", rate(1), rate(25))
	}
}

// The peak must need more than the 8 GPUs of the one ordinary node, and less than maxReplicas at the band's upper end.
func TestThePeakOverflowsToTheVirtualNode(t *testing.T) {
	s, err := loadScaler()
	if err != nil {
		t.Fatal(err)
	}
	busy := rate(20) * meanService.Seconds()
	high := s.Spec.Loads[0].High.AsApproximateFloat64()
	if need := busy / high; need <= 8 || need > float64(s.Spec.MaxReplicas) {
		t.Errorf("the peak keeps %.1f pods busy and needs %.1f at load %v: want more than 8 and at most %d", busy, need, high, s.Spec.MaxReplicas)
	}
}

func TestArrivalsFollowTheDay(t *testing.T) {
	d := day{24 * time.Hour} // an hour per hour: 3,600 times the rate
	a := newArrivals(d, 7)
	var counted [24]float64
	var service time.Duration
	n := 0
	for {
		at, s := a.next()
		if at >= 24*time.Hour {
			break
		}
		counted[int(d.hour(at))]++
		service += s
		n++
	}
	for hour, got := range counted {
		want := 0.0
		for minute := range 60 {
			want += rate(float64(hour)+float64(minute)/60+1.0/120) * 60
		}
		if math.Abs(got-want) > 5*math.Sqrt(want) { // five standard deviations of a Poisson number
			t.Errorf("%d requests between %d and %d h, want about %.0f", int(got), hour, hour+1, want)
		}
	}
	if mean := service / time.Duration(n); math.Abs(mean.Seconds()-meanService.Seconds()) > 0.05 {
		t.Errorf("a request takes %s on average, want %s", mean, meanService)
	}
}

func TestTheSameSeedIsTheSameDay(t *testing.T) {
	a, b, c := newArrivals(day{time.Hour}, 1), newArrivals(day{time.Hour}, 1), newArrivals(day{time.Hour}, 2)
	differs := false
	for range 100 {
		at, s := a.next()
		if bt, bs := b.next(); at != bt || s != bs {
			t.Fatalf("one seed, two days: %s %s and %s %s", at, s, bt, bs)
		}
		ct, _ := c.next()
		differs = differs || ct != at
	}
	if !differs {
		t.Error("another seed gives the same day")
	}
}

func TestTheClockWrapsAround(t *testing.T) {
	d := day{6 * time.Minute}
	for elapsed, want := range map[time.Duration]string{
		0:                "07:30",
		15 * time.Second: "08:30",
		4 * time.Minute:  "23:30",
		5 * time.Minute:  "03:30",
		6 * time.Minute:  "07:30",
	} {
		if got := d.clock(elapsed); got != want {
			t.Errorf("after %s it is %s, want %s", elapsed, got, want)
		}
	}
}
