package scaling

import (
	"fmt"
	"slices"
	"time"
)

// young shrinks only by pods that go before the first one that must stay. A
// deletion cost alone cannot keep that promise: a ReplicaSet removes unassigned,
// pending and unready pods before it looks at the cost, and those are often the
// youngest. Where one of them is in the way, only not shrinking helps.
func young(in *input, want int32) (int32, string) {
	if want >= in.Replicas {
		return want, ""
	}
	if born := in.unborn(); born != "" {
		return in.Replicas, born
	}
	least, why := in.least()
	if least = min(least, in.Replicas); least > want {
		return least, why
	}
	return want, ""
}

// least returns how few replicas can be had without losing a pod that must
// stay, and what stands in the way of fewer.
func (in *input) least() (int32, string) {
	switch order := in.order(); in.Order {
	case OrderCost:
		return in.leastOf(order, in.mustStay(order))
	case OrderOrdinal:
		i := slices.IndexFunc(order, in.young)
		if i < 0 {
			return 0, ""
		}
		return order[i].Ordinal + 1, in.goesNext(order[i])
	case OrderRank:
		return in.leastSure(order)
	default:
		i := slices.IndexFunc(order, in.young)
		if i < 0 {
			return 0, ""
		}
		return in.Replicas, fmt.Sprintf("%s decides which pods go, and %s is among them: %s", in.Unsteerable, order[i].Name, in.age(order[i]))
	}
}

// mustStay returns what keeps a pod from being chosen. Young ones stay. While
// one of them is elastic the ordinary ones stay as well: their nodes are paid
// for in any case, and the money is saved when the elastic one may go. While one
// is idle those stay that are known to work: their requests would begin anew
// elsewhere, for hours where they are long, to save minutes of an idle pod.
func (in *input) mustStay(order []Pod) func(Pod) string {
	elastic := slices.IndexFunc(order, func(p Pod) bool { return p.Elastic && in.young(p) })
	idle := slices.IndexFunc(order, func(p Pod) bool { return p.Busy == Idle && p.Ready && in.young(p) })
	return func(p Pod) string {
		switch {
		case in.young(p):
			return in.goesNext(p)
		case elastic >= 0 && !p.Elastic && !in.broken(p) && p.Doomed == "":
			return fmt.Sprintf("%s is elastic and should go next: %s", order[elastic].Name, in.age(order[elastic]))
		case idle >= 0 && p.Busy == Working && !in.broken(p) && p.Doomed == "":
			return fmt.Sprintf("%s is idle and should go next: %s", order[idle].Name, in.age(order[idle]))
		}
		return ""
	}
}

func (in *input) leastOf(order []Pod, stays func(Pod) string) (int32, string) {
	for i, p := range order {
		if why := stays(p); why != "" {
			return int32(len(order) - i), why
		}
	}
	return 0, ""
}

// leastSure counts on nothing that only holds at this moment: of a ReplicaSet's
// pods it lets go as many as are sure to go before every young one, and are seen
// to. Both, because its comparison goes in circles among pods of which some are
// of one second: only those of different ages are told apart by their UIDs.
func (in *input) leastSure(order []Pod) (int32, string) {
	protected := slices.DeleteFunc(slices.Clone(order), func(p Pod) bool { return !in.young(p) })
	if len(protected) == 0 {
		return 0, ""
	}
	crowd, least := crowding(order), int32(len(order))
	for _, p := range order[:slices.IndexFunc(order, in.young)] {
		if !slices.ContainsFunc(protected, func(y Pod) bool { return y.UID == p.UID || !surelyBefore(p, y, crowd) }) {
			least--
		}
	}
	return least, in.goesNext(protected[0])
}

// watchLag is how long pods may take to be seen after their replicas were asked for.
const watchLag = time.Minute

// unborn says so when replicas that were just asked for, by whomever, or whose
// pods just went, have no pods to be seen yet. They may exist by now, and would
// be the first to go.
func (in *input) unborn() string {
	missing, ago := in.Replicas-in.existing(), in.Now.Sub(in.due)
	if in.MinPodAge == 0 || missing <= 0 || ago > watchLag {
		return ""
	}
	return fmt.Sprintf("%s due for %s would go next, and cannot be seen yet", count(missing, "pod"), brief(ago))
}

// dueSince is when pods were last due to be created: when the replicas asked
// for rose, whoever wrote them, or a pod went that its controller replaces.
// Before a first look nobody knows, and it may have been a moment ago.
func (in *input) dueSince(gone []Departure) time.Time {
	replaced := slices.ContainsFunc(gone, func(g Departure) bool { return g.By != ByCusme })
	if in.Replicas > in.Asked || replaced {
		return in.Now
	}
	return in.Due
}

func (in *input) goesNext(p Pod) string {
	return fmt.Sprintf("%s would go next: %s", p.Name, in.age(p))
}

func (in *input) age(p Pod) string {
	switch {
	case !in.AgeFromReady:
		return fmt.Sprintf("%s old, protected for %s", whole(in.ageSince(p.Created)), brief(in.MinPodAge))
	case p.Ready:
		return fmt.Sprintf("ready for %s, protected for %s", whole(in.ageSince(p.ReadySince)), brief(in.MinPodAge))
	default:
		return fmt.Sprintf("not ready yet, protected until %s after it is", brief(in.MinPodAge))
	}
}

// whole writes an age in seconds that are over: one of 59.6 s is not yet a minute.
func whole(age time.Duration) string { return brief(max(0, age).Truncate(time.Second)) }
