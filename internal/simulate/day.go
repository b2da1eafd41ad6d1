package simulate

import (
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// The demand of the day that is built in: what people ask of a service that makes
// images, on a working day. Rates are requests per second.
const (
	nightRate     = 0.02 // one in fifty seconds, all day long
	morningRate   = 0.28 // at its height
	afternoonRate = 0.30
	burstRate     = 1.2 // at once, after a notification to all telephones
	mostRate      = nightRate + morningRate + afternoonRate + burstRate

	dayMedian = 18 * time.Second // of the service time
	daySpread = 0.6              // of its logarithm: 1 in 100 takes 4 times as long
)

// Day returns a synthetic day of a service that makes images, for people who have
// no history at hand yet: a quiet night, a hump in the morning and one in the
// afternoon, a dip at lunch between them, and a burst at 20:00. It has about
// 12,000 requests of 22 s, which is 3 pods' work on average and 7 at the humps.
// Every seed is another such day.
func Day() Trace {
	return Trace{Name: "day", Span: 24 * time.Hour, Requests: dayRequests}
}

// dayRequests draws arrivals at the highest rate, and keeps of them as many as the rate of their moment wants.
func dayRequests(seed uint64) iter.Seq2[Request, error] {
	return func(yield func(Request, error) bool) {
		random := rand.New(rand.NewPCG(seed, 0x646179))
		for hours := 0.0; ; {
			hours += random.ExpFloat64() / mostRate / 3600
			if hours >= 24 {
				return
			}
			if random.Float64()*mostRate > dayRate(hours) {
				continue
			}
			service := float64(dayMedian) * math.Exp(daySpread*random.NormFloat64())
			if !yield(Request{At: time.Duration(hours * float64(time.Hour)), Service: time.Duration(service)}, nil) {
				return
			}
		}
	}
}

// dayRate is how many requests arrive per second at an hour of the day.
func dayRate(hours float64) float64 {
	rate := nightRate + hump(morningRate, hours-10.5, 1.5) + hump(afternoonRate, hours-16, 2.2)
	if since := hours - 20; since >= 0 {
		rate += burstRate * math.Exp(-since*60/6) // a third of it is left after 6 minutes
	}
	return rate
}

// hump is a bell of a height, so many hours from its middle.
func hump(height, off, width float64) float64 {
	return height * math.Exp(-off*off/(2*width*width))
}
