package controller

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

const (
	// learnedPause is how long what was learned may be out of date in the status when nothing else is news.
	learnedPause = 30 * time.Minute
	// learnedSpan is for how long something learned is worth a thing. The images and nodes of a month ago are others.
	learnedSpan = 14 * 24 * time.Hour
	// learnedDrift is by which part something has to change to be saved for its own sake.
	learnedDrift = 0.25
	// mostTook is the longest start that is kept. What waited for a day waited for a person.
	mostTook = 24 * time.Hour
	// mostLoads and mostEstimates keep the whole below 2 KiB, whatever the loads are called.
	mostLoads, mostEstimates = 4, 8
)

// learnedOf writes into a status what was learned.
func learnedOf(l scaling.Learned) v1alpha1.Learned {
	out := v1alpha1.Learned{StartUp: v1alpha1.LearnedStartUp{Ordinary: startUpOf(l.Ordinary), Elastic: startUpOf(l.Elastic)}}
	if !l.Started.IsZero() {
		out.StartUp.NewestAt = &metav1.Time{Time: l.Started.Truncate(time.Second)}
	}
	for _, load := range slices.Sorted(maps.Keys(l.Objective)) {
		if len(out.Objective) < mostLoads {
			out.Objective = append(out.Objective, v1alpha1.LearnedLoad{Load: load, Estimates: estimatesOf(l.Objective[load])})
		}
	}
	out.Profile = profileOf(l.Profile)
	return out
}

func startUpOf(s scaling.Starts) *v1alpha1.StartUp {
	if s.Seen == 0 {
		return nil
	}
	seconds := make([]string, len(s.Took))
	for i, took := range s.Took {
		seconds[i] = strconv.Itoa(int(max(time.Second, min(took, mostTook)).Round(time.Second) / time.Second))
	}
	return &v1alpha1.StartUp{
		P50:  s.P50.Round(time.Second).String(),
		P95:  s.P95.Round(time.Second).String(),
		Seen: int32(s.Seen),
		Took: strings.Join(seconds, " "),
	}
}

func estimatesOf(e scaling.Estimates) map[string]string {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if v := e[name]; len(out) < mostEstimates && !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[name] = strconv.FormatFloat(v, 'g', 6, 64)
		}
	}
	return out
}

// recall takes over what a cusme before this one has learned of the target.
// Anybody may have written there: what cannot be true is told and left out.
func (c *controller) recall(key types.NamespacedName, ls *v1alpha1.LoadScaler, m *memory) {
	if ls.Status.Summary.Target != targetOf(ls) {
		return // It was learned of another one.
	}
	var err error
	if m.history.Learned, err = learnedFrom(ls.Status, c.now()); err != nil {
		c.log.Info("part of what was learned cannot be used, and is forgotten", "scaler", key.String(), "error", err.Error())
	}
}

// learnedFrom reads back what is not too old to be worth a thing. The error
// names the fields that cannot be understood; the others are in the result.
func learnedFrom(s v1alpha1.LoadScalerStatus, now time.Time) (scaling.Learned, error) {
	var l scaling.Learned
	var starts, objective, profile error
	l.Ordinary, l.Elastic, l.Started, starts = startsFrom(s.Learned.StartUp, now)
	if until := s.Account.Until; until != nil && now.Sub(until.Time) < learnedSpan {
		l.Objective, objective = objectiveFrom(s.Learned.Objective)
		l.Profile, profile = profileFrom(s.Learned.Profile, now)
	}
	return l, errors.Join(starts, objective, profile)
}

func startsFrom(s v1alpha1.LearnedStartUp, now time.Time) (ordinary, elastic scaling.Starts, newest time.Time, err error) {
	switch {
	case s.Ordinary == nil && s.Elastic == nil:
		return ordinary, elastic, newest, nil
	case s.NewestAt == nil:
		return ordinary, elastic, newest, errors.New("status.learned.startUp.newestAt: expected a time that is past, got none")
	case s.NewestAt.After(now.Add(time.Minute)): // Another replica's clock may be ahead.
		return ordinary, elastic, newest, fmt.Errorf("status.learned.startUp.newestAt: expected a time that is past, got %s", s.NewestAt.UTC().Format(time.RFC3339))
	case now.Sub(s.NewestAt.Time) > learnedSpan:
		return ordinary, elastic, newest, nil
	}
	ordinary, ordinaryErr := startsOf("ordinary", s.Ordinary)
	elastic, elasticErr := startsOf("elastic", s.Elastic)
	return ordinary, elastic, s.NewestAt.Time, errors.Join(ordinaryErr, elasticErr)
}

// startsOf makes starts of how long they took.
func startsOf(nodes string, s *v1alpha1.StartUp) (scaling.Starts, error) {
	if s == nil {
		return scaling.Starts{}, nil
	}
	var took []time.Duration
	for _, word := range strings.Fields(s.Took) {
		seconds, err := strconv.Atoi(word)
		if most := int(mostTook / time.Second); err != nil || seconds < 1 || seconds > most {
			return scaling.Starts{}, fmt.Errorf("status.learned.startUp.%s.took: expected whole seconds from 1 to %d, got %q", nodes, most, oneLine(word))
		}
		took = append(took, time.Duration(seconds)*time.Second)
	}
	return scaling.NewStarts(took), nil
}

func objectiveFrom(loads []v1alpha1.LearnedLoad) (map[string]scaling.Estimates, error) {
	all, errs := map[string]scaling.Estimates{}, []error(nil)
	for _, l := range loads {
		e := scaling.Estimates{}
		for name, text := range l.Estimates {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				errs = append(errs, fmt.Errorf("status.learned.objective[%s].estimates.%s: expected a number, got %q", l.Load, oneLine(name), oneLine(text)))
				continue
			}
			e[name] = v
		}
		all[l.Load] = e
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, errors.Join(errs...)
}

// learnedMuch reports whether what was learned since is worth a write of its own.
func learnedMuch(was, is v1alpha1.Learned) bool {
	loads := func(a, b v1alpha1.LearnedLoad) bool {
		return a.Load == b.Load && maps.EqualFunc(a.Estimates, b.Estimates, near)
	}
	return !nearStarts(was.StartUp.Ordinary, is.StartUp.Ordinary) || !nearStarts(was.StartUp.Elastic, is.StartUp.Elastic) ||
		!slices.EqualFunc(was.Objective, is.Objective, loads) || changedSlots(was.Profile, is.Profile) >= worthSlots
}

func nearStarts(a, b *v1alpha1.StartUp) bool {
	if a == nil || b == nil {
		return a == b
	}
	known := func(s *v1alpha1.StartUp) bool { return scaling.StartUp{Seen: int(s.Seen)}.Known() }
	return known(a) == known(b) && near(a.P50, b.P50) && near(a.P95, b.P95)
}

// near reports whether two numbers, or durations, are about the same. It is for what cusme wrote itself.
func near(a, b string) bool {
	x, y := numberOf(a), numberOf(b)
	return math.Abs(x-y) <= learnedDrift*max(math.Abs(x), math.Abs(y))
}

func numberOf(text string) float64 {
	if d, err := time.ParseDuration(text); err == nil {
		return d.Seconds()
	}
	v, _ := strconv.ParseFloat(text, 64) // What is no number is saved anew.
	return v
}
