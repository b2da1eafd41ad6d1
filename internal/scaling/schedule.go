package scaling

import (
	"fmt"
	"time"
)

// A Schedule opens windows in which other bounds hold.
type Schedule struct {
	// Name tells it from the others in sentences.
	Name string
	// Min and Max stand in the place of the policy's while a window is open; nil leaves those. 0 ≤ Min ≤ Max.
	Min, Max *int32
	// Ramp is how long before a window opens its minimum may begin to rise, 0 or more; nil is for as long as pods take to
	// start.
	Ramp *time.Duration
	// Windows say when.
	Windows Windows
}

// Windows are spans of time that follow each other and do not overlap.
type Windows interface {
	// Window returns the first that ends after t: the one that is open at t, or else the next one. Its start belongs to
	// it, and its end does not. It is false when none will come. Times are in the zone in which people think of them.
	Window(t time.Time) (start, end time.Time, ok bool)
}

// leastTick is the least time between two rises of a ramp, so that many
// replicas in a short one are not as many writes.
const leastTick = 10 * time.Second

// onSchedule keeps the number within the bounds of windows. Bounds would do so
// in any case; here the window is named, and what it asks for is settled before
// the rules for the moves of a load.
func onSchedule(in *input, want int32) (int32, string) {
	switch {
	case want < in.Min && in.corridor.leastWhy != "":
		return in.Min, in.corridor.leastWhy
	case want > in.Max && in.corridor.mostWhy != "":
		return in.Max, in.corridor.mostWhy
	default:
		return want, ""
	}
}

// toBound reports whether a move goes to a bound and no further: bounds will ask
// for it in any case, whatever a window of the past or a pace says.
func (in *input) toBound(want int32) bool {
	return in.Replicas < want && want <= in.Min || in.Replicas > want && want >= in.Max
}

// A corridor is the bounds that hold at one moment.
type corridor struct {
	least, most int32
	// leastWhy and mostWhy name the windows that a bound comes from; empty for the policy's own.
	leastWhy, mostWhy string
	// until is when the bounds may be others next; zero for never.
	until time.Time
}

// corridorNow returns the bounds that hold now. Of several open windows the
// highest minimum and the lowest maximum count.
func (in *input) corridorNow() corridor {
	c := corridor{least: in.Min, most: in.Max}
	type coming struct {
		Schedule
		start time.Time
	}
	var next []coming
	for _, s := range in.Schedules {
		start, end, ok := s.Windows.Window(in.Now)
		switch {
		case !ok:
		case start.After(in.Now):
			next = append(next, coming{s, start})
		default:
			c.enter(s, "opened "+in.clock(start))
			c.changes(end)
		}
	}
	open := c.least
	for _, s := range next {
		in.approach(&c, s.Schedule, open, s.start)
	}
	if c.least > c.most {
		if c.leastWhy != "" {
			c.leastWhy += ", but " + c.atMost()
		}
		c.least = c.most
	}
	return c
}

// enter takes in the bounds of an open window.
func (c *corridor) enter(s Schedule, opened string) {
	if s.Min != nil && (c.leastWhy == "" || *s.Min > c.least) {
		c.least, c.leastWhy = *s.Min, fmt.Sprintf("window %q %s: at least %d", s.Name, opened, *s.Min)
	}
	if s.Max != nil && (c.mostWhy == "" || *s.Max < c.most) {
		c.most, c.mostWhy = *s.Max, fmt.Sprintf("window %q %s: at most %d", s.Name, opened, *s.Max)
	}
}

// changes takes in a moment at which the bounds may change.
func (c *corridor) changes(at time.Time) {
	if c.until.IsZero() || at.Before(c.until) {
		c.until = at
	}
}

func (c *corridor) atMost() string {
	if c.mostWhy != "" {
		return c.mostWhy
	}
	return fmt.Sprintf("the maximum is %d", c.most)
}

// approach takes in how far the minimum has risen, from that of the open windows, to that of one to come.
func (in *input) approach(c *corridor, s Schedule, open int32, start time.Time) {
	c.changes(start)
	if s.Min == nil || *s.Min <= open {
		return
	}
	risen, next := in.ramp(s, start).at(in.Now, *s.Min-open)
	if !next.IsZero() {
		c.changes(next)
	}
	if least := open + risen; least > c.least {
		c.least, c.leastWhy = least, fmt.Sprintf("window %q opens %s: at least %d by now", s.Name, in.clock(start), least)
	}
}

// A ramp is a time in which a minimum rises.
type ramp struct {
	from time.Time
	span time.Duration
}

// ramp returns that of a window. It ends one start-up time before the window
// opens, so that the pods are ready by then, and begins no earlier than told.
func (in *input) ramp(s Schedule, start time.Time) ramp {
	lead := in.lead()
	if s.Ramp == nil {
		return ramp{from: start.Add(-lead)}
	}
	return ramp{from: start.Add(-*s.Ramp), span: max(0, *s.Ramp-lead)}
}

// at returns how much of a rise is done at a moment, in equal times, and when
// it goes on; zero when it is done.
func (r ramp) at(now time.Time, rise int32) (done int32, next time.Time) {
	ticks := max(1, min(int64(rise), int64(r.span/leastTick)))
	every := r.span / time.Duration(ticks)
	switch passed := now.Sub(r.from); {
	case passed < 0:
		return 0, r.from.Add(every)
	case passed >= every*time.Duration(ticks):
		return rise, time.Time{}
	default:
		n := int64(passed / every)
		return int32(int64(rise) * n / ticks), r.from.Add(every * time.Duration(n+1))
	}
}

// lead is how long before they are needed pods have to be asked for, as far as
// is known: the pods to come may be of either kind.
func (in *input) lead() time.Duration {
	var longest time.Duration
	for _, s := range []Starts{in.Learned.Ordinary, in.Learned.Elastic} {
		if s.Known() {
			longest = max(longest, s.P95)
		}
	}
	return longest
}

// clock writes a time as people of its zone do, with the day where it is not within a day of now.
func (in *input) clock(t time.Time) string {
	layout := "15:04"
	if away := t.Sub(in.Now).Abs(); away >= 24*time.Hour {
		layout = "2 Jan 15:04"
	}
	return t.Format(layout) + " " + t.Location().String()
}
