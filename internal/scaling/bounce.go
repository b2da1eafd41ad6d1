package scaling

import "fmt"

// bounce refuses the part of a scale-in that would push the load above the band
// and be taken back at the next reading: removing k of N multiplies a load by
// N/(N-k), and 2 to 1 doubles it.
func bounce(in *input, want int32) (int32, string) {
	if want >= in.Replicas || in.toBound(want) || in.Objective != nil { // An objective's replay has looked further ahead.
		return want, ""
	}
	got, why := want, ""
	for i, v := range in.loads {
		l := in.Policy.Loads[i]
		if v.State != Fresh || v.Input {
			continue
		}
		need := min(in.Replicas, l.enough(v.Total))
		if need > got {
			got = need
			why = fmt.Sprintf("with %s %s would be %s, above %s", count(want, "replica"), l.Name, number(v.Total/float64(max(1, want))), number(l.High))
		}
	}
	return got, why
}

// enough is the fewest replicas at which the load would not start another.
func (l Load) enough(total float64) int32 {
	n := atLeast(total / l.High)
	if n == 1 && !l.Total {
		return 0 // At zero a ratio is read as if one replica served; it starts one only above High.
	}
	return n
}
