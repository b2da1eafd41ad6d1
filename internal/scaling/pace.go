package scaling

import (
	"fmt"
	"math"
	"time"
)

// pace is HPA's rate limit: how far replicas may be from where they stood at
// the start of each policy's period. Ported from
// calculateScaleUpLimitWithScalingRules and calculateScaleDownLimitWithBehaviors
// of Kubernetes 1.37, and checked against running HPAs. It differs in two cases.
// At zero replicas a percentage would allow nothing for ever: one is allowed.
// And HPA forgets a move once it is older than the longest period of its own
// direction, even where the other direction's policies look back further: with
// up at 100 % per 15 s and down at 30 % per 4 s, it took 4 replicas that had
// been 23 for 7 and doubled those. Here every move within the period counts.
func pace(in *input, want int32) (int32, string) {
	switch n := in.Replicas; {
	case in.toBound(want):
	case want > n:
		limit := max(n, in.ceiling(), min(1, want))
		if want > limit {
			return limit, in.Up.says(limit, "up")
		}
	case want < n:
		limit := min(n, in.floor())
		if want < limit {
			return limit, in.Down.says(limit, "down")
		}
	}
	return want, ""
}

// ceiling is the most replicas that the up rules allow now.
func (in *input) ceiling() int32 {
	if len(in.Up.Limits) == 0 && in.Up.Select != SelectDisabled {
		return math.MaxInt32
	}
	return in.Up.choose(in.Replicas, math.MinInt32, func(l Limit) int32 {
		start := in.replicasBefore(l.Period)
		if !l.Percent {
			return clamp(int64(start) + int64(l.Value))
		}
		// Rounded up, else one replica and ten percent could never become two.
		return clamp(int64(math.Ceil(float64(start) * (1 + float64(l.Value)/100))))
	}, true)
}

// floor is the fewest replicas that the down rules allow now.
func (in *input) floor() int32 {
	if len(in.Down.Limits) == 0 && in.Down.Select != SelectDisabled {
		return 0
	}
	return in.Down.choose(in.Replicas, math.MaxInt32, func(l Limit) int32 {
		start := in.replicasBefore(l.Period)
		if !l.Percent {
			return int32(max(math.MinInt32, int64(start)-int64(l.Value)))
		}
		return int32(float64(start) * (1 - float64(l.Value)/100))
	}, false)
}

// choose picks among the limits by Select: Max takes the one furthest in the
// rules' direction, Min the nearest.
func (r Rules) choose(n, none int32, limit func(Limit) int32, upwards bool) int32 {
	if r.Select == SelectDisabled {
		return n
	}
	highest := upwards == (r.Select != SelectMin)
	got := none
	for i, l := range r.Limits {
		switch at := limit(l); {
		case i == 0, highest && at > got, !highest && at < got:
			got = at
		}
	}
	return got
}

// replicasBefore is the number of replicas before cusme's own moves within the
// period. Writes of others are not counted: each is a new starting point.
func (in *input) replicasBefore(period time.Duration) int32 {
	n, since := in.Replicas, in.Now.Add(-period)
	for _, m := range in.Moves {
		if m.At.After(since) {
			n -= m.To - m.From
		}
	}
	return n
}

func (r Rules) says(limit int32, direction string) string {
	if r.Select == SelectDisabled {
		return fmt.Sprintf("moves %s are disabled", direction)
	}
	return fmt.Sprintf("the pace allows %d for now", limit)
}
