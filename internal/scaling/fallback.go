package scaling

import (
	"fmt"
	"time"
)

// unread decides for a load without a fresh reading. It holds what there is,
// until its fallback is due. Nobody to ask yet is no failure: it begins no time.
func (in *input) unread(v Verdict) Verdict {
	v.Since = in.silentSince(v)
	v.Demand, v.Holds = in.held(), true
	rule, exists := in.fallback(v.State)
	if !exists || in.Now.Sub(v.Since) < rule.After {
		return v
	}
	want, says := rule.wants(v.Demand)
	v.Demand, v.Holds = want, false
	v.Why = fmt.Sprintf("%s; without a fresh reading for %s the fallback asks for %s", v.Why, brief(rule.After), says)
	return v
}

// held is what a load asks for that may not lower the number: what there is,
// and what was given up for lack of stock.
func (in *input) held() int32 {
	return clamp(int64(in.Replicas) + int64(in.Stock.Given))
}

// fallback returns the rule for a state; Pending has none. CurrentReplicas is
// what happens without a rule.
func (in *input) fallback(s State) (Fallback, bool) {
	rule, exists := in.Fallbacks[s]
	return rule, exists && rule.Behavior != FallbackCurrent
}

// wants returns the number that the rule makes of the current one, and its words for it.
func (f Fallback) wants(current int32) (int32, string) {
	switch f.Behavior {
	case FallbackHigher:
		return max(current, f.Replicas), fmt.Sprintf("at least %d", f.Replicas)
	case FallbackLower:
		return min(current, f.Replicas), fmt.Sprintf("at most %d", f.Replicas)
	default:
		return f.Replicas, fmt.Sprint(f.Replicas)
	}
}

// silentSince is since when a load has had no fresh reading, as far as is
// remembered: a restart counts anew, which only holds the number for longer. It
// is zero while there was nothing but Pending.
func (in *input) silentSince(v Verdict) time.Time {
	if since, known := in.Silent[v.Load]; known || v.State == Pending {
		return since
	}
	return in.Now
}

// nextFallback is when the next fallback will be due, and zero when none will.
func (in *input) nextFallback() time.Time {
	var next time.Time
	for _, v := range in.loads {
		rule, exists := in.fallback(v.State)
		if !exists || !v.Holds {
			continue
		}
		if due := v.Since.Add(rule.After); due.After(in.Now) && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}
