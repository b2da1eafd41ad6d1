package scaling

import "time"

// Account is what a target cost and what became of its young pods, summed up
// since the account began.
type Account struct {
	// Until is up to when it is complete; zero when nothing was counted yet.
	Until time.Time
	// Elastic is the time for which elastic pods are billed, of all pods
	// together: from their creation, as the image pull is billed, to when they
	// ended or were gone; not those that found no stock.
	Elastic time.Duration
	// Waited is for how long protected pods held back a scale-in.
	Waited time.Duration
	// Removed counts the pods that cusme's scale-ins took, and Missed those of
	// them that were not the ones chosen.
	Removed, Missed int64
	// Young counts the pods that went before their age, by what.
	Young map[Cause]int64
}

// longestLook is the longest time between two decisions that is taken for
// waiting. What lasts longer is an outage of the target or of cusme.
const longestLook = 10 * time.Minute

// after returns the account up to the moment of a decision. waiting says that
// the decision before this one was held back.
func (a Account) after(o Observation, d Decision, waiting bool) Account {
	if !a.Until.IsZero() && waiting {
		a.Waited += min(max(0, o.Now.Sub(a.Until)), longestLook) // After a restart elsewhere another clock may be behind.
	}
	if !a.Until.IsZero() {
		a.Elastic += a.billed(o)
	}
	for _, g := range d.Gone {
		if g.By == ByCusme {
			a.Removed++
		}
		if g.Missed {
			a.Missed++
		}
		if g.Young {
			a.Young = counted(a.Young, g.By)
		}
	}
	a.Until = later(a.Until, o.Now)
	return a
}

// billed is the pods' time since the account was last complete.
func (a Account) billed(o Observation) time.Duration {
	var sum time.Duration
	for _, p := range o.Pods {
		if p.Elastic && !p.Ended && p.SoldOut == "" {
			sum += max(0, o.Now.Sub(later(a.Until, p.Created)))
		}
	}
	return sum
}

// counted returns young with one pod more: the account before keeps its own.
func counted(young map[Cause]int64, by Cause) map[Cause]int64 {
	more := map[Cause]int64{by: 1}
	for cause, n := range young {
		more[cause] += n
	}
	return more
}
