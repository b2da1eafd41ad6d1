package scaling

import (
	"math"
	"time"
)

const (
	// sudden is how many times as much as all that is replayed makes a burst: headroom for that would cost as much again.
	sudden = 2
	// mostLonger is how many times as far back as usual demand is replayed at most, where bursts come back.
	mostLonger = 4
	// longestReach bounds how far back demand is replayed, however long pods take to start.
	longestReach = time.Hour
)

// bursts is what is known of demand that came all at once, more than any replay
// of the last minutes could foresee. It is a value.
type bursts struct {
	// until is when pods for the newest one are ready: who waits before does so under any policy.
	until time.Time
	// high is the highest demand of the last time, and last when there was half of it or more.
	high float64
	last time.Time
	// longer is how many times as far back as usual demand is replayed, 1 to mostLonger; 0 stands for 1.
	longer float64
}

// reach is how far back demand is replayed.
func (b bursts) reach(start time.Duration) time.Duration {
	usual := min(longestReach, reachStarts*start)
	return min(longestReach, time.Duration(b.times()*float64(usual)))
}

// times is how many times as far back as usual demand is replayed.
func (b bursts) times() float64 { return max(1, min(b.longer, mostLonger)) }

// A surge is what may be a burst.
type surge struct {
	at   time.Time
	took time.Duration
	// demand is that of the stretch, and no more than there are requests: with long ones, a single one that comes would
	// be a demand of many for a moment. replayed is the highest before it.
	demand, replayed float64
	// tooLate says that more wait too long than the objective allows.
	tooLate bool
}

// after returns what is known after one more stretch. A burst like one whose
// pods were let go doubles the reach, while more wait too long than allowed:
// pods that are kept for the next one cost no more than pods started again for
// each, and nobody waits. Without another burst the reach falls back, by half in some hours.
func (b bursts) after(s surge, start time.Duration) bursts {
	b.longer = 1 + (b.times()-1)*math.Exp2(-s.took.Seconds()/usualOver.Seconds())
	if s.demand > sudden*max(1, s.replayed) {
		returns := b.high >= s.demand/2 && s.at.Sub(b.last) < min(longestReach, mostLonger*reachStarts*start)
		if returns && s.tooLate && s.at.After(b.until) {
			b.longer = min(mostLonger, 2*b.longer)
		}
		b.until = s.at.Add(start)
	}
	if s.demand >= b.high || s.at.Sub(b.last) > longestReach {
		b.high, b.last = s.demand, s.at
	}
	if s.demand >= b.high/2 {
		b.last = s.at
	}
	return b
}

// highest is the highest demand of a past.
func highest(past []Stretch) (demand float64) {
	for _, s := range past {
		demand = max(demand, s.Demand)
	}
	return demand
}
