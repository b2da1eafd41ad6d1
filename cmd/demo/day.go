package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// dayBegins is the hour at which the demo's day starts: just before the
// morning's rise, so that the first minute already shows something.
const dayBegins = 7.5

// A hump is a busy part of the day: at its hour, requests arrive this much
// faster than at night.
type hump struct {
	hour, width float64 // hours; width is one standard deviation
	rate        float64 // requests per second at its height
}

// humps are the morning's and the evening's peak. The evening is the higher
// one, as it is for services people use at home.
var humps = []hump{
	{hour: 11, width: 1.8, rate: 1.7},
	{hour: 20, width: 2.2, rate: 2.2},
}

// nightRate is what is left in the dead of night, in requests per second.
const nightRate = 0.15

// rate is how many requests arrive per second of real time at an hour of the
// day. Hours beyond 24 wrap around.
func rate(hour float64) float64 {
	sum := nightRate
	for _, h := range humps {
		away := math.Abs(math.Mod(hour, 24) - h.hour)
		away = min(away, 24-away) / h.width
		sum += h.rate * math.Exp(-away*away/2)
	}
	return sum
}

// A day is 24 synthetic hours told in a length of real time.
type day struct {
	length time.Duration
}

// hour is the time of the synthetic day after a while of real time, in 0..24.
func (d day) hour(elapsed time.Duration) float64 {
	return math.Mod(dayBegins+24*float64(elapsed)/float64(d.length), 24)
}

// clock is the time of the synthetic day as 15:04.
func (d day) clock(elapsed time.Duration) string {
	minutes := int(d.hour(elapsed) * 60)
	return fmt.Sprintf("%02d:%02d", minutes/60%24, minutes%60)
}

// The time one image takes is lognormal with this mean and shape: most near
// four seconds, a few of ten.
const (
	meanService  = 4 * time.Second
	serviceSigma = 0.5
)

// arrivals are the requests of a day: Poisson, and for one seed always the same.
type arrivals struct {
	day    day
	random *rand.Rand
	at     time.Duration
}

func newArrivals(d day, seed uint64) *arrivals {
	return &arrivals{day: d, random: rand.New(rand.NewPCG(seed, 0))}
}

// next returns when the next request arrives, counted from the demo's start,
// and how long a pod takes for it. It thins a Poisson process of the day's
// highest rate (Lewis and Shedler 1979), which needs no integral of the rate.
func (a *arrivals) next() (at, service time.Duration) {
	top := nightRate
	for _, h := range humps {
		top += h.rate
	}
	for {
		a.at += time.Duration(a.random.ExpFloat64() / top * float64(time.Second))
		if a.random.Float64()*top < rate(a.day.hour(a.at)) {
			break
		}
	}
	mu := math.Log(float64(meanService)) - serviceSigma*serviceSigma/2
	return a.at, time.Duration(math.Exp(mu + serviceSigma*a.random.NormFloat64()))
}
