package target

import (
	"cmp"
	"context"
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

// byReplicaSet is the choice of a ReplicaSet controller between all pods of a target.
func (t *Targets) byReplicaSet(ctx context.Context, ref Ref, pods []*corev1.Pod) (choice, error) {
	owner, err := t.foreignOwner(ctx, ref, pods)
	if err != nil {
		return choice{}, err
	}
	p, veto := foreignlyPriced(pods), t.vetoed(ref)
	switch {
	case owner != "":
		return choice{scaling.OrderUnknown, owner}, nil
	case p != nil:
		return choice{scaling.OrderUnknown, fmt.Sprintf("whoever set the deletion cost of pod %s", p.Name)}, nil
	case !t.steers:
		return choice{scaling.OrderRank, "the ReplicaSet controller, as cusme may not patch pods,"}, nil
	case veto != "":
		return choice{scaling.OrderRank, fmt.Sprintf("the ReplicaSet controller, as the API server refuses cusme's marks (%s),", veto)}, nil
	}
	return choice{order: scaling.OrderCost}, nil
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
