package scaling

import "time"

// A Census is how a decision counted the pods.
type Census struct {
	// Existing pods, leaving ones apart.
	Existing int32
	// Ready pods serve.
	Ready int32
	// Starting counts the replicas asked for that are trusted to become ready, created already or not.
	Starting int32
	// Late pods should serve by now and do not, or will soon be taken away: broken
	// ones, those that have not been ready for longer than the start-up deadline, those on their way for longer than this
	// target's pods take, and doomed ones.
	Late int32
	// Elastic pods, of the existing ones, are paid by the second.
	Elastic int32
}

func (in *input) census() Census {
	c := Census{Existing: in.existing(), Ready: in.ready(), Late: in.late(), Starting: in.starting()}
	for _, p := range in.Pods {
		if !p.Leaving && p.Elastic {
			c.Elastic++
		}
	}
	return c
}

// existing counts the pods that are not leaving.
func (o Observation) existing() int32 {
	var n int32
	for _, p := range o.Pods {
		if !p.Leaving {
			n++
		}
	}
	return n
}

// ready counts the pods that serve.
func (o Observation) ready() int32 {
	var n int32
	for _, p := range o.Pods {
		if !p.Leaving && p.Ready {
			n++
		}
	}
	return n
}

// late counts the pods that cannot be counted on: those that fail, and those
// that are doubted.
func (in *input) late() int32 {
	n := int32(len(in.doubted))
	for _, p := range in.Pods {
		if !p.Leaving && in.fails(p) {
			n++
		}
	}
	return n
}

// fails reports whether a pod does not serve and will not in time, or not for
// much longer: a broken one, one unready for longer than the start-up deadline,
// and one that will soon be taken away. One that is being evicted is replaced in
// a moment: ordering another one as well made six pods of three when their node was drained.
func (in *input) fails(p Pod) bool {
	return p.Doomed != "" && !p.Evicted || !p.Ready && in.broken(p)
}

// trusted is the capacity to count on: the replicas asked for, without the late
// ones. Pods on their way are in it, else a load that stays high while a model
// loads would order the same pods again at every reading: 2, 4, 8, 16.
func (in *input) trusted() int32 {
	return in.without(in.late())
}

// without is how many of the replicas asked for are left when so many pods do
// not count. Those beyond the replicas asked for, such as a rollout's new one or
// pods that a scale-in has not reached yet, take nothing away.
func (in *input) without(pods int32) int32 {
	surge := max(0, in.existing()-in.Replicas)
	return max(0, in.Replicas-max(0, pods-surge))
}

// starting counts the replicas asked for that are neither ready nor late.
func (in *input) starting() int32 {
	return max(0, in.trusted()-in.ready())
}

// broken reports whether a pod can no longer be expected to serve.
func (in *input) broken(p Pod) bool {
	return p.Broken != "" || in.hopeless(p) || !p.Ready && in.waiting(p) > in.StartDeadline
}

// waiting is for how long a pod has not been ready. It counts from when the pod
// was last found unready: one that served for hours and blinks for a second is
// no reason to order another.
func (in *input) waiting(p Pod) time.Duration {
	return in.Now.Sub(later(p.Created, p.UnreadySince))
}

// stuck counts the pods that cannot start: broken ones, and late ones that do
// not even run. A late pod that runs may be unready from overload, and is no
// sign that another would fail.
func (in *input) stuck() int32 {
	var n int32
	for _, p := range in.Pods {
		if !p.Leaving && !p.Ready && in.broken(p) && (p.Broken != "" || p.Phase != PhaseRunning) {
			n++
		}
	}
	return n
}

// young reports whether minPodAge protects the pod. One that cannot serve, or
// will soon be taken away, needs no protection.
func (in *input) young(p Pod) bool {
	return p.Doomed == "" && !in.broken(p) && in.underAge(p)
}

// underAge reports whether the pod is younger than minPodAge.
func (in *input) underAge(p Pod) bool {
	switch {
	case in.MinPodAge == 0:
		return false
	case !in.AgeFromReady:
		return in.ageSince(p.Created) < in.MinPodAge
	default:
		return !p.Ready || in.ageSince(p.ReadySince) < in.MinPodAge
	}
}

// ageSince is how long ago that was, at least: times are known to the whole
// second, so it counts from that second's end.
func (in *input) ageSince(t time.Time) time.Duration {
	return in.Now.Sub(t.Truncate(time.Second).Add(time.Second))
}
