package scaling

import "time"

// Account is what a target cost and what became of its young pods, summed up
// since the account began.
type Account struct {
	// Until is up to when it is complete; zero when nothing was counted yet.
	Until time.Time
	// Elastic is the time for which elastic pods are billed, of all pods
	// together: from when the node got them, as the image pull is billed, to
	// when they ended or were gone.
	Elastic time.Duration
	// Waited is for how long protected pods held back a scale-in.
	Waited time.Duration
	// Removed counts the pods that cusme's scale-ins took, and Missed those of
	// them that were not the ones chosen.
	Removed, Missed int64
	// Young counts the pods that went before their age, by what.
	Young map[Cause]int64
}

// after returns the account up to the moment of a decision. waiting says that
// the decision before this one was held back.
func (a Account) after(o Observation, d Decision, waiting bool) Account {
	if !a.Until.IsZero() && waiting {
		a.Waited += o.Now.Sub(a.Until)
	}
	if !a.Until.IsZero() {
		a.Elastic += a.billed(o)
	}
	young := map[Cause]int64{}
	for by, n := range a.Young {
		young[by] = n
	}
	for _, g := range d.Gone {
		if g.By == ByCusme {
			a.Removed++
		}
		if g.Missed {
			a.Missed++
		}
		if g.Young {
			young[g.By]++
		}
	}
	a.Until, a.Young = o.Now, young
	return a
}

// billed is the pods' time since the account was last complete.
func (a Account) billed(o Observation) time.Duration {
	var sum time.Duration
	for _, p := range o.Pods {
		if p.Elastic && !p.Ended {
			sum += max(0, o.Now.Sub(later(a.Until, p.Created)))
		}
	}
	return sum
}
