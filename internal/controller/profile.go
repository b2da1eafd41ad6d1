package controller

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

const (
	// worthSlots is how many half hours have to be news before a profile is saved for its own sake: a restart may lose six hours.
	worthSlots = 12
	// mostNeed is the most replicas that a slot is remembered to have needed, so that the whole stays below 2 KiB.
	mostNeed = 9999
	// unseen stands for a slot that was never seen.
	unseen = "-"
)

// profileOf writes a profile into a status; nil before its first slot is over.
func profileOf(p scaling.Profile) *v1alpha1.LearnedProfile {
	if len(p.Needs) != scaling.SlotsAWeek {
		return nil
	}
	out := &v1alpha1.LearnedProfile{Since: &metav1.Time{Time: p.Began.Truncate(time.Second)}, Score: map[string]string{}}
	for day := range 7 {
		words := make([]string, scaling.SlotsADay)
		for i := range words {
			words[i] = needText(p.Needs[day*scaling.SlotsADay+i])
		}
		out.Week = append(out.Week, strings.Join(words, " "))
	}
	for name, v := range scores(&p) {
		out.Score[name] = strconv.FormatFloat(*v, 'g', 4, 64)
	}
	return out
}

// needText writes what a slot needed, with one decimal below 10.
func needText(need float64) string {
	switch {
	case need < 0 || math.IsNaN(need):
		return unseen
	case need < 9.95:
		return strconv.FormatFloat(math.Round(need*10)/10, 'f', -1, 64)
	default:
		return strconv.FormatFloat(math.Round(min(need, mostNeed)), 'f', -1, 64)
	}
}

// scores are the numbers of a profile's scores, by name.
func scores(p *scaling.Profile) map[string]*float64 {
	return map[string]*float64{
		"rises": &p.Ever.Rises, "foretold": &p.Ever.Foretold, "off": &p.Ever.Off, "waiting": &p.Ever.Waiting,
		"lateRises": &p.Lately.Rises, "lateForetold": &p.Lately.Foretold, "lateOff": &p.Lately.Off, "lateWaiting": &p.Lately.Waiting,
	}
}

// profileFrom reads a profile back, whole or not at all.
func profileFrom(l *v1alpha1.LearnedProfile, now time.Time) (scaling.Profile, error) {
	if l == nil {
		return scaling.Profile{}, nil
	}
	if l.Since == nil || l.Since.After(now.Add(time.Minute)) {
		return scaling.Profile{}, errors.New("status.learned.profile.since: expected a time that is past")
	}
	p := scaling.Profile{Began: l.Since.Time}
	var err error
	if p.Needs, err = needsFrom(l.Week); err != nil {
		return scaling.Profile{}, err
	}
	for name, v := range scores(&p) {
		if *v, err = strconv.ParseFloat(l.Score[name], 64); err != nil || !(*v >= 0 && *v < math.MaxInt32) {
			return scaling.Profile{}, fmt.Errorf("status.learned.profile.score.%s: expected a number of 0 or more, got %q", name, oneLine(l.Score[name]))
		}
	}
	return p, nil
}

func needsFrom(week []string) ([]float64, error) {
	var needs []float64
	for i, day := range week {
		for _, word := range strings.Fields(day) {
			need, err := strconv.ParseFloat(word, 64)
			switch {
			case word == unseen:
				need = -1
			case err != nil || !(need >= 0 && need <= mostNeed):
				return nil, fmt.Errorf("status.learned.profile.week[%d]: expected numbers from 0 to %d, or -, got %q", i, mostNeed, oneLine(word))
			}
			needs = append(needs, need)
		}
	}
	if len(needs) != scaling.SlotsAWeek {
		return nil, fmt.Errorf("status.learned.profile.week: expected 7 days of %d numbers, got %d numbers", scaling.SlotsADay, len(needs))
	}
	return needs, nil
}

// changedSlots counts the slots that are others by a quarter, or were not known.
func changedSlots(was, is *v1alpha1.LearnedProfile) (n int) {
	if is == nil {
		return 0
	}
	var before []string
	if was != nil {
		before = strings.Fields(strings.Join(was.Week, " "))
	}
	for i, word := range strings.Fields(strings.Join(is.Week, " ")) {
		old := unseen
		if i < len(before) {
			old = before[i]
		}
		if old != word && (old == unseen || !near(old, word)) {
			n++
		}
	}
	return n
}
