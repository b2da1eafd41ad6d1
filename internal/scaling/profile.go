package scaling

import (
	"math"
	"slices"
	"time"
)

const (
	// SlotLength is the length of the parts of a week that a profile tells apart.
	SlotLength = 30 * time.Minute
	// SlotsADay and SlotsAWeek are how many of them there are.
	SlotsADay  = int(24 * time.Hour / SlotLength)
	SlotsAWeek = 7 * SlotsADay

	week = 7 * 24 * time.Hour
	// profileWeeks is how many weeks a slot is a mean of, about: a newer one weighs a quarter.
	profileWeeks = 4
	// shortestStep is the least time between two looks: a look a minute says as much of half an hour as one a second.
	shortestStep = time.Minute
	// longestStep is the longest time between two looks that is taken to have been like its end.
	longestStep = SlotLength / 3
)

// A Profile is how many replicas the half hours of the week needed, and how
// right it was about rises. It is a value: what is added makes a new one.
type Profile struct {
	// Began is when it began; zero while there is none.
	Began time.Time
	// Needs are the mean replicas that each slot of the week needed, from Monday 0:00 on; below 0 of a slot that was never
	// seen. It is empty before the first slot is over, and never changed in place.
	Needs []float64
	// Ever and Lately are how right it was: over weeks, and over the last day or so.
	Ever, Lately Score

	// The slot of the last look, and what is known of it so far.
	slot int
	at   time.Time
	took time.Duration
	mean float64
	rise Rise
}

// A Score sums up foretold rises, in replicas. Older ones count less.
type Score struct {
	// Rises is how many were foretold.
	Rises float64
	// Foretold is how many replicas were, Off how many too many or too few that was, and Waiting by how many the load
	// alone was off at the same moments.
	Foretold, Off, Waiting float64
}

const (
	// halfEver and halfLately are after how long a rise counts half.
	halfEver, halfLately = 4 * week, 24 * time.Hour
	// trusted profiles are of provenAfter or more, have foretold provenRises, and were off by provenBy of what the load alone was, or less.
	provenAfter, provenRises, provenBy = 2 * week, 5, 2.0 / 3
)

// fade returns the score when a slot more was watched.
func (s Score) fade(half time.Duration) Score {
	keep := math.Exp2(-float64(SlotLength) / float64(half))
	return Score{s.Rises * keep, s.Foretold * keep, s.Off * keep, s.Waiting * keep}
}

// with returns the score and one rise more.
func (s Score) with(r Rise, needed int32) Score {
	return Score{
		Rises:    s.Rises + 1,
		Foretold: s.Foretold + float64(r.Replicas),
		Off:      s.Off + math.Abs(float64(r.Replicas-needed)),
		Waiting:  s.Waiting + math.Abs(float64(r.Without-needed)),
	}
}

// Wrong is by which part of what it foretold the profile was off.
func (s Score) Wrong() float64 { return s.Off / max(1, s.Foretold) }

// A Rise is what a profile foretells: pods asked for at From are ready when they are needed.
type Rise struct {
	// From is when it was foretold; zero for none. Until is when it is judged, and stops to count: one start-up time after
	// the pods should be ready.
	From, Until time.Time
	// Replicas are how many it is to be, Without how many the load alone asked for.
	Replicas, Without int32
}

// holds reports whether a rise is under way.
func (r Rise) holds(now time.Time) bool { return !now.Before(r.From) && now.Before(r.Until) }

// ready is when the pods should be.
func (r Rise) ready() time.Time { return r.From.Add(r.Until.Sub(r.From) / 2) }

// slotOf is the slot of the week that a time is in, by the clock of its zone.
func slotOf(t time.Time) int {
	day := (int(t.Weekday()) + 6) % 7
	return day*SlotsADay + (t.Hour()*60+t.Minute())/int(SlotLength/time.Minute)
}

// needs is what a slot needed; false when it was never seen.
func (p Profile) needs(slot int) (float64, bool) {
	if slot >= len(p.Needs) || p.Needs[slot] < 0 {
		return 0, false
	}
	return p.Needs[slot], true
}

// seen returns the profile once so many replicas were needed at a time of its zone.
func (p Profile) seen(at time.Time, need int32) Profile {
	if p.Began.IsZero() || at.Before(p.Began) { // A clock was set back.
		p.Began = at
	}
	slot, took := slotOf(at), at.Sub(p.at)
	if slot != p.slot {
		p = p.closed()
		p.slot, p.took, p.mean = slot, 0, 0
	}
	p.at = at
	if took <= 0 || took > longestStep {
		return p
	}
	p.took += took
	p.mean += (float64(need) - p.mean) * took.Seconds() / p.took.Seconds()
	return p
}

// closed takes in the slot that is over. Seen for less than half of it, it says nothing.
func (p Profile) closed() Profile {
	if p.at.IsZero() {
		return p // It was kept over a restart, and not looked at yet.
	}
	p.Ever, p.Lately = p.Ever.fade(halfEver), p.Lately.fade(halfLately)
	if p.took < SlotLength/2 {
		return p
	}
	was, known := p.needs(p.slot)
	if p.Needs = slices.Clone(p.Needs); len(p.Needs) != SlotsAWeek {
		p.Needs = slices.Repeat([]float64{-1}, SlotsAWeek)
	}
	p.Needs[p.slot] = p.mean
	if known {
		weeks := 1 + float64(p.at.Sub(p.Began)/week)
		p.Needs[p.slot] = was + (p.mean-was)/min(weeks, profileWeeks)
	}
	return p
}

// judged takes in how a rise came out. One whose time went by unseen, or that
// is yet to come since a clock was set back, says nothing.
func (p Profile) judged(now time.Time, needed int32) Profile {
	r := p.rise
	if r.holds(now) {
		return p
	}
	if p.rise = (Rise{}); !now.Before(r.Until) && now.Sub(r.Until) <= longestStep {
		p.Ever, p.Lately = p.Ever.with(r, needed), p.Lately.with(r, needed)
	}
	return p
}
