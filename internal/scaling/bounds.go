package scaling

import "fmt"

// bounds keeps the number within minimum and maximum. The maximum outranks
// everything, young pods too: it is a promise about money. The minimum gives way
// to a lack of stock, which no asking mends.
func bounds(in *input, want int32) (int32, string) {
	least := in.fewest()
	switch {
	case want > in.Max && in.corridor.mostWhy != "":
		return in.Max, in.corridor.mostWhy
	case want > in.Max && in.Replicas > in.Max:
		return in.Max, fmt.Sprintf("%s more than the maximum of %d", are(in.Replicas), in.Max)
	case want > in.Max:
		return in.Max, fmt.Sprintf("the maximum is %d", in.Max)
	case want < least && least < in.Min:
		return least, fmt.Sprintf("the minimum is %d, of which %d can be had", in.Min, least)
	case want < least && in.corridor.leastWhy != "":
		return least, in.corridor.leastWhy
	case want < least:
		return least, fmt.Sprintf("the minimum is %d", in.Min)
	default:
		return want, ""
	}
}

// fewest is the minimum, as far as it can be had.
func (in *input) fewest() int32 {
	return min(in.Min, in.obtainable())
}
