package target

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"cusme.dev/cusme/internal/scaling"
)

// A choice is how a target's controller chooses the pods that a scale-in
// removes, and who stands behind it where that is not cusme: words that fit
// before "decides which pods go".
type choice struct {
	order scaling.Order
	by    string
}

// byReplicaSet is the choice of a single ReplicaSet controller between pods.
func (t *Targets) byReplicaSet(pods []*corev1.Pod) choice {
	switch p := foreignlyPriced(pods); {
	case p != nil:
		return choice{scaling.OrderUnknown, fmt.Sprintf("whoever set the deletion cost of pod %s", p.Name)}
	case !t.steers:
		return choice{scaling.OrderRank, "the ReplicaSet controller, as cusme may not patch pods,"}
	}
	return choice{order: scaling.OrderCost}
}

// foreignlyPriced returns the first pod, by name, whose deletion cost is not
// cusme's, or nil. Whoever set one may set more, or change it, at any moment.
func foreignlyPriced(pods []*corev1.Pod) *corev1.Pod {
	foreign := slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return leaving(p) || !foreignCost(p) })
	if len(foreign) == 0 {
		return nil
	}
	return slices.MinFunc(foreign, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
}
