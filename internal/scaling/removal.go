package scaling

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// classes are the kinds of pods in the order in which cusme lets them go; a pod
// is of the first that it fits. Within a class idle pods go before busy ones and
// older before younger. A ReplicaSet controller looks at a pod's state before it
// looks at its cost, so the table orders pods in the same state.
var classes = []class{
	{"broken", func(in *input, p Pod) bool { return p.Broken != "" || p.Doomed != "" || in.hopeless(p) }},
	{"late", func(in *input, p Pod) bool { return in.broken(p) }},
	{"elastic", func(in *input, p Pod) bool { return p.Elastic && !in.young(p) }},
	{"ordinary", func(in *input, p Pod) bool { return !in.young(p) }},
	{"young", func(*input, Pod) bool { return true }},
}

type class struct {
	name string
	is   func(*input, Pod) bool
}

// class returns the place of a pod's class in the table.
func (in *input) class(p Pod) int {
	return slices.IndexFunc(classes, func(c class) bool { return c.is(in, p) })
}

// order returns the active pods in the order in which a scale-in takes them.
// Where nobody knows it, it is a guess. Most decisions move nothing and never
// ask for it; the others ask several times, so it is worked out once.
func (in *input) order() []Pod {
	if in.going == nil {
		in.going = in.sorted()
	}
	return in.going
}

func (in *input) sorted() []Pod {
	switch in.Order {
	case OrderCost:
		return in.chosenFirst()
	case OrderOrdinal:
		pods := active(in.Pods)
		slices.SortStableFunc(pods, func(a, b Pod) int { return cmp.Compare(b.Ordinal, a.Ordinal) })
		return pods
	default:
		return RemovalOrder(active(in.Pods), in.Now)
	}
}

// A place is what a pod's place in the order of removal depends on, worked out
// before sorting: a thousand pods are compared ten thousand times.
type place struct {
	pod   *Pod
	state int
	class int
	since time.Time // created, or last found unready
}

// chosenFirst sorts the active pods by the ReplicaSet controller's order once
// the chosen ones are marked. Within a class marks that are there stay, also on
// a pod that became busy meanwhile: every change of them costs a write and the
// whole wait again, and with requests of a second there would be no end.
func (in *input) chosenFirst() []Pod {
	places := make([]place, 0, len(in.Pods))
	for i := range in.Pods {
		if !in.Pods[i].Leaving {
			places = append(places, in.place(&in.Pods[i]))
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(
			cmp.Compare(a.state, b.state),
			cmp.Compare(a.class, b.class),
			boolFirst(a.pod.Marked, b.pod.Marked),
			boolFirst(a.pod.Busy != Working, b.pod.Busy != Working),
			a.since.Compare(b.since),
			strings.Compare(a.pod.Name, b.pod.Name),
		)
	})
	sorted := make([]Pod, len(places))
	for i, p := range places {
		sorted[i] = *p.pod
	}
	return sorted
}

// place returns a pod's place. Unready pods go by how long they have not been ready, ready
// ones by age: one that served for days may have failed a minute ago.
func (in *input) place(p *Pod) place {
	at := place{pod: p, state: p.stateRank(), class: in.class(*p), since: p.Created}
	if !p.Ready {
		at.since = later(p.Created, p.UnreadySince)
	}
	return at
}

// losing returns the pods that a scale-in to n takes, in order.
func (in *input) losing(n int32) []Pod {
	if n >= in.Replicas {
		return nil
	}
	order := in.order()
	if in.Order == OrderOrdinal {
		return slices.DeleteFunc(slices.Clone(order), func(p Pod) bool { return p.Ordinal < n })
	}
	return order[:max(0, len(order)-int(n))]
}

// marking returns those of the pods to lose that go only if they are marked:
// those in the same state as one that is to stay; with them those that carry a
// mark already. Where states decide it all there are none, and nothing to wait for.
func (in *input) marking(lose []Pod) []Pod {
	if in.Order != OrderCost || len(lose) == 0 {
		return nil
	}
	order := in.order()
	if len(lose) == len(order) {
		return nil
	}
	stays := order[len(lose)]
	if byState(lose[len(lose)-1], stays) != 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(lose), func(p Pod) bool { return !p.Marked && byState(p, stays) != 0 })
}

// asking returns the pods that have to be asked whether they are busy before a
// scale-in to n can choose: those of the class in which some go and some stay.
func (in *input) asking(n int32) []Pod {
	if !in.AskBusy || in.Order != OrderCost || n >= in.Replicas {
		return nil
	}
	lose, order := in.losing(n), in.order()
	if len(lose) == 0 || len(lose) == len(order) {
		return nil
	}
	last := lose[len(lose)-1]
	alike := func(p Pod) bool { return byState(p, last) == 0 && in.class(p) == in.class(last) }
	if !alike(order[len(lose)]) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(order), func(p Pod) bool { return !alike(p) || p.Busy != "" })
}

// busy holds a scale-in until it is known which of the pods at stake work on a
// request: those at stake in the number that the minimum will leave of it.
func busy(in *input, want int32) (int32, string) {
	ask := in.asking(max(want, in.fewest()))
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
