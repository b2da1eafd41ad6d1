package scaling

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// classes are the kinds of pods in the order in which cusme lets them go; a pod
// is of the first that it fits. Within a class idle pods go before busy ones and
// older before younger. A ReplicaSet controller looks at a pod's state before it
// looks at its cost, so the table orders pods in the same state.
var classes = []class{
	{"broken", func(in input, p Pod) bool { return p.Broken != "" || p.Doomed != "" || in.hopeless(p) }},
	{"late", func(in input, p Pod) bool { return in.broken(p) }},
	{"elastic", func(in input, p Pod) bool { return p.Elastic && !in.young(p) }},
	{"ordinary", func(in input, p Pod) bool { return !in.young(p) }},
	{"young", func(input, Pod) bool { return true }},
}

type class struct {
	name string
	is   func(input, Pod) bool
}

// class returns the place of a pod's class in the table.
func (in input) class(p Pod) int {
	return slices.IndexFunc(classes, func(c class) bool { return c.is(in, p) })
}

// order returns the active pods in the order in which a scale-in takes them.
// Where nobody knows it, it is a guess.
func (in input) order() []Pod {
	pods := active(in.Pods)
	switch in.Order {
	case OrderCost:
		slices.SortStableFunc(pods, in.chosenFirst)
	case OrderOrdinal:
		slices.SortStableFunc(pods, func(a, b Pod) int { return cmp.Compare(b.Ordinal, a.Ordinal) })
	default:
		return removalOrder(pods, in.Now)
	}
	return pods
}

// chosenFirst is the ReplicaSet controller's order once the chosen pods are
// marked. Marks that are there stay where they do no harm: every change of them
// costs a write and a wait.
func (in input) chosenFirst(a, b Pod) int {
	return cmp.Or(
		byState(a, b),
		cmp.Compare(in.class(a), in.class(b)),
		boolFirst(a.Busy != Working, b.Busy != Working),
		boolFirst(a.Marked, b.Marked),
		a.Created.Compare(b.Created),
		strings.Compare(a.Name, b.Name),
	)
}

// losing returns the pods that a scale-in to n takes, in order.
func (in input) losing(n int32) []Pod {
	if n >= in.Replicas {
		return nil
	}
	order := in.order()
	if in.Order == OrderOrdinal {
		return slices.DeleteFunc(order, func(p Pod) bool { return p.Ordinal < n })
	}
	return order[:max(0, len(order)-int(n))]
}

// marking returns those of the pods to lose that go only if they are marked:
// those in the same state as one that is to stay.
func (in input) marking(lose []Pod) []Pod {
	order := in.order()
	if in.Order != OrderCost || len(lose) == len(order) {
		return nil
	}
	stays := order[len(lose)]
	return slices.DeleteFunc(slices.Clone(lose), func(p Pod) bool { return !p.Marked && byState(p, stays) != 0 })
}

// asking returns the pods that have to be asked whether they are busy before a
// scale-in to n can choose: those of the class in which some go and some stay.
func (in input) asking(n int32) []Pod {
	lose, order := in.losing(n), in.order()
	if !in.AskBusy || in.Order != OrderCost || len(lose) == 0 || len(lose) == len(order) {
		return nil
	}
	last := lose[len(lose)-1]
	alike := func(p Pod) bool { return byState(p, last) == 0 && in.class(p) == in.class(last) }
	if !alike(order[len(lose)]) {
		return nil
	}
	return slices.DeleteFunc(order, func(p Pod) bool { return !alike(p) || p.Busy != "" })
}

// busy holds a scale-in until it is known which of the pods at stake work on a request.
func busy(in input, want int32) (int32, string) {
	ask := in.asking(want)
	if len(ask) == 0 {
		return want, ""
	}
	return in.Replicas, fmt.Sprintf("asking %s whether they are busy", count(int32(len(ask)), "pod"))
}

func names(pods []Pod) []string {
	var out []string
	for _, p := range pods {
		out = append(out, p.Name)
	}
	return out
}
