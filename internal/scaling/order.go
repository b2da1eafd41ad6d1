package scaling

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// RemovalOrder returns the pods in the order in which a ReplicaSet controller
// would remove them at the given time: the order of ActivePodsWithRanks in
// Kubernetes 1.37's pkg/controller/controller_utils.go. Pods that it tells
// apart by nothing keep an order by name, for want of a better guess.
func RemovalOrder(pods []Pod, at time.Time) []Pod {
	crowd := crowding(pods)
	sorted := slices.Clone(pods)
	slices.SortStableFunc(sorted, func(a, b Pod) int {
		return cmp.Or(
			byState(a, b),
			byCost(a, b, crowd),
			byReadyTime(a, b, at),
			byRestarts(a, b),
			byAge(a, b, Pod.created, at),
			strings.Compare(a.Name, b.Name),
		)
	})
	return sorted
}

// surelyBefore reports whether a goes before b whenever the ReplicaSet
// controller may look. Ages are compared in powers of two and then by UID, so
// that two pods change places as both grow older; what only holds at one moment is not sure.
func surelyBefore(a, b Pod, crowd map[string]int) bool {
	if c := cmp.Or(byState(a, b), byCost(a, b, crowd)); c != 0 {
		return c < 0
	}
	if a.Ready && !a.ReadySince.Equal(b.ReadySince) {
		return a.ReadySince.After(b.ReadySince) && a.UID < b.UID
	}
	if c := byRestarts(a, b); c != 0 {
		return c < 0
	}
	return a.Created.After(b.Created) && a.UID < b.UID
}

// crowding counts the target's pods on each node.
func crowding(pods []Pod) map[string]int {
	crowd := map[string]int{}
	for _, p := range pods {
		crowd[p.Node]++
	}
	return crowd
}

// byState compares by what comes before the deletion cost, and cannot be steered.
func byState(a, b Pod) int { return cmp.Compare(a.stateRank(), b.stateRank()) }

// stateRank orders by assignment, then by phase, then by readiness.
func (p *Pod) stateRank() int {
	rank := 2 * phaseRank(p.Phase)
	if p.Node != "" {
		rank += 2 * phases
	}
	if p.Ready {
		rank++
	}
	return rank
}

// byCost compares by the deletion cost and by what else is true of two pods whatever their age.
func byCost(a, b Pod, crowd map[string]int) int {
	return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(crowd[b.Node], crowd[a.Node]))
}

func byReadyTime(a, b Pod, at time.Time) int {
	if !a.Ready || !b.Ready {
		return 0
	}
	return byAge(a, b, Pod.readySince, at)
}

func byRestarts(a, b Pod) int {
	return cmp.Or(cmp.Compare(b.Restarts, a.Restarts), cmp.Compare(b.SidecarRestarts, a.SidecarRestarts))
}

// byAge puts the younger first, in steps of powers of two; within one step the
// UID decides, so that not always the same end of a deployment's life is cut.
// A time that is not known counts as the youngest.
func byAge(a, b Pod, since func(Pod) time.Time, at time.Time) int {
	switch ta, tb := since(a), since(b); {
	case ta.Equal(tb):
		return 0
	case ta.IsZero() || tb.IsZero():
		return boolFirst(ta.IsZero(), tb.IsZero())
	default:
		return cmp.Or(cmp.Compare(magnitude(at.Sub(ta)), magnitude(at.Sub(tb))), strings.Compare(a.UID, b.UID))
	}
}

func (p Pod) created() time.Time    { return p.Created }
func (p Pod) readySince() time.Time { return p.ReadySince }

func magnitude(age time.Duration) int64 {
	if age <= 0 {
		return -1
	}
	return int64(math.Log2(float64(age)))
}

// phases is how many ranks phaseRank tells apart.
const phases = 3

func phaseRank(p Phase) int {
	switch p {
	case PhaseRunning:
		return 2
	case PhaseUnknown:
		return 1
	default:
		return 0
	}
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// active returns the pods that a ReplicaSet counts: those not leaving.
func active(pods []Pod) []Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(p Pod) bool { return p.Leaving })
}
