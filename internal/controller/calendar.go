package controller

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/utils/lru"
)

// A calendar tells when windows are open that one cron line opens and another
// ends. The lines speak of what a clock on the wall shows. A time that the clock
// shows twice is the first; one that it skips is when it skips it. Thus no window
// is left out, and none stays open for want of an end.
type calendar struct {
	start, end cron.Schedule // of what the clock shows, as if that were UTC
	zone       *time.Location
	last       atomic.Pointer[window]
}

// A window is the first that ends after the moment asked for, and so for all moments until it ends.
type window struct {
	asked, start, end time.Time
}

// calendarKey is what a calendar is made of.
type calendarKey struct{ start, end, zone string }

// Calendars and zones that were used last: policies are resolved at every
// reading, and a zone has some kilobytes that take longer to load than all else.
var (
	calendars = lru.New(4096)
	zones     = lru.New(64)
)

const (
	// farthest is how far back the end of a window is looked for: the 29th of February comes every four years.
	farthest = 5 * 366 * 24 * time.Hour
	// farthestZone is more than any zone is away from UTC, with what a clock ever skipped.
	farthestZone = 48 * time.Hour
)

// fiveFields is a cron line and nothing else: robfig/cron takes a zone in the line as well, and panics at some.
var fiveFields = regexp.MustCompile(`^[0-9A-Za-z*/,?-]+( +[0-9A-Za-z*/,?-]+){4}$`)

// calendarOf returns the calendar of two cron lines in a zone. An error begins
// with the field that is wrong.
func calendarOf(key calendarKey) (*calendar, error) {
	if known, ok := calendars.Get(key); ok {
		return known.(*calendar), nil
	}
	start, err := cronOf(key.start)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	end, err := cronOf(key.end)
	if err != nil {
		return nil, fmt.Errorf("end: %w", err)
	}
	if *start == *end {
		return nil, fmt.Errorf("end: expected another time than start, got %q, as such a window would never end; give the LoadScaler these bounds instead", key.end)
	}
	zone, err := zoneOf(key.zone)
	if err != nil {
		return nil, fmt.Errorf("timeZone: %w", err)
	}
	c := &calendar{start: start, end: end, zone: zone}
	calendars.Add(key, c)
	return c, nil
}

func cronOf(line string) (*cron.SpecSchedule, error) {
	const expected = "expected a cron line of minute, hour, day, month and weekday, such as 0 9 * * 1-5, got %q"
	if !fiveFields.MatchString(line) {
		return nil, fmt.Errorf(expected, line)
	}
	parsed, err := cron.ParseStandard(line)
	if err != nil {
		return nil, fmt.Errorf(expected+": %w", line, err)
	}
	s := parsed.(*cron.SpecSchedule)
	s.Location = time.UTC
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("expected a time that comes, got %q: no year has such a day", line)
	}
	return s, nil
}

// zoneOf loads a zone by its IANA name. Go knows two names more: none, and Local, which is whatever the machine is set to.
func zoneOf(name string) (*time.Location, error) {
	if known, ok := zones.Get(name); ok {
		return known.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("expected an IANA time zone such as Asia/Shanghai or Etc/UTC, got %q", name)
	}
	zones.Add(name, zone)
	return zone, nil
}

// Window returns the first window that ends after t.
func (c *calendar) Window(t time.Time) (start, end time.Time, ok bool) {
	last := c.last.Load()
	if last == nil || t.Before(last.asked) || !t.Before(last.end) {
		last = c.find(t)
		c.last.Store(last)
	}
	return last.start, last.end, !last.end.IsZero()
}

// find looks for the first start after the last end, and for the end after that.
func (c *calendar) find(t time.Time) *window {
	now := c.shown(t)
	start := c.start.Next(lastOf(c.end, now).Add(-time.Second))
	end := c.end.Next(start)
	if start.IsZero() || end.IsZero() {
		return &window{asked: t}
	}
	return &window{asked: t, start: c.moment(start), end: c.moment(end)}
}

// lastOf returns the last time of a cron line that is not after t.
func lastOf(line cron.Schedule, t time.Time) time.Time {
	back := sort.Search(int(farthest/time.Second), func(s int) bool {
		next := line.Next(t.Add(-time.Duration(s) * time.Second))
		return !next.IsZero() && !next.After(t)
	})
	return line.Next(t.Add(-time.Duration(back) * time.Second))
}

// shown returns the latest time that a clock in the zone has shown up to t. Where
// it was just set back, that is not what it shows.
func (c *calendar) shown(t time.Time) time.Time {
	shows := wall(t.In(c.zone))
	since, _ := t.In(c.zone).ZoneBounds()
	if since.IsZero() {
		return shows
	}
	if before := wall(since.Add(-time.Second).In(c.zone)); before.After(shows) {
		return before
	}
	return shows
}

// moment returns the first moment at which a clock in the zone has shown a time, or a later one.
func (c *calendar) moment(shown time.Time) time.Time {
	from := shown.Add(-farthestZone)
	n := sort.Search(int(2*farthestZone/time.Second), func(s int) bool {
		return !c.shown(from.Add(time.Duration(s) * time.Second)).Before(shown)
	})
	return from.Add(time.Duration(n) * time.Second).In(c.zone)
}

// wall returns what a clock shows as if that were UTC.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}
