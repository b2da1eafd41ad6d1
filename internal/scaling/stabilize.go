package scaling

import "fmt"

// stabilize is HPA's stabilization: replicas fall no lower than the highest
// demand within the down window, and rise no higher than the lowest within the
// up window. Ported from stabilizeRecommendationWithBehaviors of Kubernetes
// 1.37's horizontal pod autoscaler, and checked against a running one.
func stabilize(in *input, want int32) (int32, string) {
	if !in.asks() || in.toBound(want) {
		return want, ""
	}
	lowest, highest := want, want
	upSince, downSince := in.Now.Add(-in.Up.Window), in.Now.Add(-in.Down.Window)
	for _, r := range in.Recommendations {
		if r.At.After(upSince) {
			lowest = min(lowest, r.Replicas)
		}
		if r.At.After(downSince) {
			highest = max(highest, r.Replicas)
		}
	}
	got := min(max(in.Replicas, lowest), highest)
	switch {
	case got > want:
		return got, fmt.Sprintf("%d were asked for within the last %s", highest, brief(in.Down.Window))
	case got < want:
		return got, fmt.Sprintf("only %d were asked for within the last %s", lowest, brief(in.Up.Window))
	default:
		return want, ""
	}
}

func (in *input) blind() bool { return Decision{Loads: in.loads}.Blind() }

func (in *input) asks() bool { return Decision{Loads: in.loads}.asks() }
