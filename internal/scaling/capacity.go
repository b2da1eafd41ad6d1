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
	// Late pods should serve by now and do not: broken ones, and those that have not been ready for longer than the start-up deadline.
	Late int32
	// Elastic pods, of the existing ones, are paid by the second.
	Elastic int32
}

func (in input) census() Census {
	c := Census{Ready: in.ready(), Late: in.late(), Starting: in.starting()}
	for _, p := range active(in.Pods) {
		c.Existing++
		if p.Elastic {
			c.Elastic++
		}
	}
	return c
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

// late counts the pods that should serve by now and do not: broken ones, and
// those unready for longer than the start-up deadline. They are not capacity,
// and they are not waited for.
func (in input) late() int32 {
	var n int32
	for _, p := range in.Pods {
		if !p.Leaving && !p.Ready && in.broken(p) {
			n++
		}
	}
	return n
}

// trusted is the capacity to count on: the replicas asked for, without the late
// ones. Pods on their way are in it, else a load that stays high while a model
// loads would order the same pods again at every reading: 2, 4, 8, 16.
func (in input) trusted() int32 {
	return max(0, in.Replicas-in.late())
}

// starting counts the replicas asked for that are neither ready nor late.
func (in input) starting() int32 {
	return max(0, in.trusted()-in.ready())
}

// broken reports whether a pod can no longer be expected to serve. The deadline
// runs from when it was last found unready: a pod that served for hours and
// blinks for a second is no reason to order another.
func (in input) broken(p Pod) bool {
	waiting := min(in.Now.Sub(p.Created), in.Now.Sub(p.UnreadySince))
	return p.Broken != "" || !p.Ready && waiting > in.StartDeadline
}

// stuck counts the pods that cannot start: broken ones, and late ones that do
// not even run. A late pod that runs may be unready from overload, and is no
// sign that another would fail.
func (in input) stuck() int32 {
	var n int32
	for _, p := range in.Pods {
		if !p.Leaving && !p.Ready && in.broken(p) && (p.Broken != "" || p.Phase != PhaseRunning) {
			n++
		}
	}
	return n
}

// young reports whether minPodAge protects the pod. Creation is known to the
// whole second, so age counts from that second's end.
func (in input) young(p Pod) bool {
	if in.MinPodAge == 0 || in.broken(p) {
		return false
	}
	if !in.AgeFromReady {
		return in.Now.Before(protectedUntil(p.Created, in.MinPodAge))
	}
	return !p.Ready || in.Now.Before(protectedUntil(p.ReadySince, in.MinPodAge))
}

func protectedUntil(since time.Time, minAge time.Duration) time.Time {
	return since.Truncate(time.Second).Add(time.Second + minAge)
}
