package scaling

import (
	"fmt"
	"slices"
	"time"
)

// young shrinks only by pods that would go before the first young one. A
// deletion cost cannot keep that promise: a ReplicaSet removes unassigned,
// pending and unready pods before it looks at the cost, and of the ready ones
// the youngest. Only not shrinking can.
func young(in input, want int32) (int32, string) {
	pods := active(in.Pods)
	if want >= in.Replicas {
		return want, ""
	}
	if born := in.unborn(pods); born != "" {
		return in.Replicas, born
	}
	if int(want) >= len(pods) {
		return want, ""
	}
	var protected []Pod
	for _, p := range removalOrder(pods, in.Now) {
		if in.young(p) {
			protected = append(protected, p)
		}
	}
	switch {
	case len(protected) == 0:
		return want, ""
	case in.Unsteerable != "":
		return in.Replicas, fmt.Sprintf("%s decides which pods go, and %s", in.Unsteerable, in.protects(protected[0]))
	}
	floor := min(in.Replicas, int32(len(pods)-spare(pods, protected)))
	if floor <= want {
		return want, ""
	}
	return floor, fmt.Sprintf("%s would go next: %s", protected[0].Name, in.age(protected[0]))
}

// watchLag is how long pods may take to be seen after their replicas were asked for.
const watchLag = time.Minute

// unborn says so when replicas that were just asked for have no pods to be seen
// yet. They may exist by now, and would be the first to go.
func (in input) unborn(pods []Pod) string {
	last, moved := in.lastMove()
	missing := in.Replicas - int32(len(pods))
	if in.MinPodAge == 0 || missing <= 0 || !moved || last.To < last.From || in.Now.Sub(last.At) > watchLag {
		return ""
	}
	return fmt.Sprintf("%s asked for %s ago would go next, and cannot be seen yet", count(missing, "replica"), brief(in.Now.Sub(last.At)))
}

// spare counts the pods that are sure to go before every protected one: so many
// can be removed, whatever the order among themselves.
func spare(pods, protected []Pod) int {
	crowd, n := crowding(pods), 0
	for _, p := range pods {
		if !slices.ContainsFunc(protected, func(y Pod) bool { return y.UID == p.UID || !surelyBefore(p, y, crowd) }) {
			n++
		}
	}
	return n
}

func (in input) protects(p Pod) string {
	return fmt.Sprintf("%s is among them: %s", p.Name, in.age(p))
}

func (in input) age(p Pod) string {
	switch {
	case !in.AgeFromReady:
		return fmt.Sprintf("%s old, protected for %s", brief(in.Now.Sub(p.Created)), brief(in.MinPodAge))
	case p.Ready:
		return fmt.Sprintf("ready for %s, protected for %s", brief(in.Now.Sub(p.ReadySince)), brief(in.MinPodAge))
	default:
		return fmt.Sprintf("not ready yet, protected until %s after it is", brief(in.MinPodAge))
	}
}

// losing names the pods that a scale-in to n is expected to remove.
func (in input) losing(n int32) []string {
	pods := active(in.Pods)
	if n >= in.Replicas || int(n) >= len(pods) {
		return nil
	}
	var names []string
	for _, p := range removalOrder(pods, in.Now)[:len(pods)-int(n)] {
		names = append(names, p.Name)
	}
	return names
}
