package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

func aProfile() scaling.Profile {
	needs := slices.Repeat([]float64{-1, 0, 0.3, 9.9, 12, 1234}, scaling.SlotsAWeek/6)
	return scaling.Profile{Began: noon.Add(-20 * 24 * time.Hour), Needs: needs, Ever: scaling.Score{Rises: 7, Foretold: 80, Off: 12, Waiting: 60}, Lately: scaling.Score{Rises: 1, Foretold: 10, Off: 2.5, Waiting: 9}}
}

func TestAProfileComesBack(t *testing.T) {
	want := aProfile()
	l, err := learnedFrom(taught(scaling.Learned{Profile: want}, noon), noon)
	if got := l.Profile; err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v (%v)\nwant %+v", got, err, want)
	}
	if l, err := learnedFrom(taught(scaling.Learned{Profile: want}, noon), noon.Add(15*24*time.Hour)); err != nil || l.Profile.Needs != nil {
		t.Errorf("after a fortnight: got %+v (%v), want nothing", l.Profile, err)
	}
}

// aLongProfile takes as much room as any.
func aLongProfile() scaling.Profile {
	p := aProfile()
	p.Needs = slices.Repeat([]float64{99999.5}, scaling.SlotsAWeek)
	p.Ever = scaling.Score{Rises: 1.23456e-9, Foretold: 1.23456e9, Off: 1.23456e9, Waiting: 1.23456e9}
	p.Lately = p.Ever
	return p
}

// Anybody may write into a status: a profile is believed whole or not at all.
func TestANonsensicalProfileIsNotLearned(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*v1alpha1.LearnedProfile)
		says  string
	}{
		"no time":      {func(p *v1alpha1.LearnedProfile) { p.Since = nil }, "status.learned.profile.since: expected a time that is past"},
		"a later time": {func(p *v1alpha1.LearnedProfile) { p.Since.Time = noon.Add(time.Hour) }, "status.learned.profile.since: expected a time that is past"},
		"six days":     {func(p *v1alpha1.LearnedProfile) { p.Week = p.Week[1:] }, "status.learned.profile.week: expected 7 days of 48 numbers, got 288 numbers"},
		"a word":       {func(p *v1alpha1.LearnedProfile) { p.Week[3] = "many " + p.Week[3] }, `status.learned.profile.week[3]: expected numbers from 0 to 9999, or -, got "many"`},
		"NaN":          {func(p *v1alpha1.LearnedProfile) { p.Week[0] = strings.Replace(p.Week[0], "12", "NaN", 1) }, `week[0]: expected numbers from 0 to 9999, or -, got "NaN"`},
		"a score":      {func(p *v1alpha1.LearnedProfile) { p.Score["off"] = "-1" }, `status.learned.profile.score.off: expected a number of 0 or more, got "-1"`},
		"no score":     {func(p *v1alpha1.LearnedProfile) { p.Score = nil }, "expected a number of 0 or more"},
	} {
		status := taught(scaling.Learned{Profile: aProfile(), Objective: map[string]scaling.Estimates{"backend": {"service": 30}}}, noon)
		c.spoil(status.Learned.Profile)
		l, err := learnedFrom(status, noon)
		if !l.Profile.Began.IsZero() || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %+v and %v, want nothing and %q", name, l.Profile, err, c.says)
		}
		if len(l.Objective) != 1 {
			t.Errorf("%s: the rest is to be used", name)
		}
	}
}

func TestAProfileIsWorthAWriteAfterSixHours(t *testing.T) {
	for changed, want := range map[int]bool{0: false, 11: false, 12: true, 40: true} {
		was, is := aProfile(), aProfile()
		for i := range changed {
			is.Needs[i] += 3000
		}
		if got := learnedMuch(learnedOf(scaling.Learned{Profile: was}), learnedOf(scaling.Learned{Profile: is})); got != want {
			t.Errorf("%d slots changed: worth a write %t, want %t", changed, got, want)
		}
	}
	if !learnedMuch(v1alpha1.Learned{}, learnedOf(scaling.Learned{Profile: aProfile()})) {
		t.Error("the first one: not worth a write")
	}
}

func TestZoneOfAForecast(t *testing.T) {
	for text, want := range map[string]string{
		"": "UTC", "forecast: Auto": "UTC", "timeZone: Asia/Shanghai": "Asia/Shanghai", "{forecast: Auto, timeZone: Etc/UTC}": "Etc/UTC", "forecast: Disabled": "none",
		"timeZone: Mars/Base": `objective.timeZone: expected an IANA time zone such as Asia/Shanghai or Etc/UTC, got "Mars/Base"`,
		"forecast: Maybe":     `objective.forecast: expected Auto or Disabled, got "Maybe"`,
	} {
		if !strings.HasPrefix(text, "{") {
			text = "{" + text + "}"
		}
		knob := strings.TrimSuffix(strings.Replace(text, "{", "{wait: 30s, ", 1), ", }")
		p, err := PolicyOf(specOf(t, "maxReplicas: 20\nloads: [{name: backend}]\nobjective: "+strings.TrimSuffix(knob, "}")+"}"))
		got := "none"
		switch {
		case err != nil:
			got = err.Error()
		case p.Objective.Zone != nil:
			got = p.Objective.Zone.String()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
