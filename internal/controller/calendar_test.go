package controller

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // as in cmd/cusme

	"pgregory.net/rapid"
)

// at reads a time such as 2026-03-08T09:00:00-04:00, and shows how far from UTC its zone is.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestWindows asks at one moment for the window that is open, or else the next.
func TestWindows(t *testing.T) {
	const work, shanghai, york, berlin = "0 9 * * 1-5 until 0 21 * * 1-5", "Asia/Shanghai", "America/New_York", "Europe/Berlin"
	for name, c := range map[string]struct{ lines, zone, now, start, end string }{
		"before it":                  {work, shanghai, "2026-11-23T00:00:00Z", "2026-11-23T09:00:00+08:00", "2026-11-23T21:00:00+08:00"},
		"as it opens":                {work, shanghai, "2026-11-23T01:00:00Z", "2026-11-23T09:00:00+08:00", "2026-11-23T21:00:00+08:00"},
		"in it":                      {work, shanghai, "2026-11-23T04:30:15.5Z", "2026-11-23T09:00:00+08:00", "2026-11-23T21:00:00+08:00"},
		"just before its end":        {work, shanghai, "2026-11-23T12:59:59.999999999Z", "2026-11-23T09:00:00+08:00", "2026-11-23T21:00:00+08:00"},
		"at its end":                 {work, shanghai, "2026-11-23T13:00:00Z", "2026-11-24T09:00:00+08:00", "2026-11-24T21:00:00+08:00"},
		"on Saturday":                {work, shanghai, "2026-11-28T04:00:00Z", "2026-11-30T09:00:00+08:00", "2026-11-30T21:00:00+08:00"},
		"an end on every day":        {"0 9 * * 1-5 until 0 21 * * *", shanghai, "2026-11-28T04:00:00Z", "2026-11-30T09:00:00+08:00", "2026-11-30T21:00:00+08:00"},
		"over midnight":              {"0 22 * * * until 0 6 * * *", berlin, "2026-06-01T01:00:00Z", "2026-05-31T22:00:00+02:00", "2026-06-01T06:00:00+02:00"},
		"a start in an open window":  {"0 * * * * until 30 1 * * *", "Etc/UTC", "2026-06-01T05:10:00Z", "2026-06-01T02:00:00Z", "2026-06-02T01:30:00Z"},
		"one after the other":        {"0 9 * * * until 0 9 * * 1", "Etc/UTC", "2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z", "2026-11-30T09:00:00Z"},
		"the end of a month":         {"0 0 31 * * until 0 0 1 * *", "Etc/UTC", "2026-02-10T00:00:00Z", "2026-03-31T00:00:00Z", "2026-04-01T00:00:00Z"},
		"the last minute of a year":  {"59 23 31 12 * until 0 6 1 1 *", shanghai, "2026-11-23T00:00:00Z", "2026-12-31T23:59:00+08:00", "2027-01-01T06:00:00+08:00"},
		"in the new year":            {"59 23 31 12 * until 0 6 1 1 *", shanghai, "2026-12-31T16:30:00Z", "2026-12-31T23:59:00+08:00", "2027-01-01T06:00:00+08:00"},
		"the 29th of February":       {"0 0 29 2 * until 0 0 1 3 *", "Etc/UTC", "2026-11-23T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
		"named days and months":      {"0 9 * NOV mon until 0 10 * nov MON", "Etc/UTC", "2026-11-24T00:00:00Z", "2026-11-30T09:00:00Z", "2026-11-30T10:00:00Z"},
		"the day has 23 hours":       {"0 1 * * * until 0 9 * * *", york, "2026-03-08T08:00:00Z", "2026-03-08T01:00:00-05:00", "2026-03-08T09:00:00-04:00"},
		"the day has 25 hours":       {"0 1 * * * until 0 9 * * *", york, "2026-11-01T08:00:00Z", "2026-11-01T01:00:00-04:00", "2026-11-01T09:00:00-05:00"},
		"a start that is skipped":    {"30 2 * * * until 0 9 * * *", york, "2026-03-08T05:00:00Z", "2026-03-08T03:00:00-04:00", "2026-03-08T09:00:00-04:00"},
		"open since a skipped start": {"30 2 * * * until 0 9 * * *", york, "2026-03-08T07:00:00Z", "2026-03-08T03:00:00-04:00", "2026-03-08T09:00:00-04:00"},
		"an end that is skipped":     {"0 22 * * * until 30 2 * * *", york, "2026-03-08T05:00:00Z", "2026-03-07T22:00:00-05:00", "2026-03-08T03:00:00-04:00"},
		"after a skipped end":        {"0 22 * * * until 30 2 * * *", york, "2026-03-08T07:00:00Z", "2026-03-08T22:00:00-04:00", "2026-03-09T02:30:00-04:00"},
		"half skipped":               {"30 2 * * * until 15 3 * * *", berlin, "2026-03-29T01:05:00Z", "2026-03-29T03:00:00+02:00", "2026-03-29T03:15:00+02:00"},
		"a start that comes twice":   {"30 1 * * * until 0 9 * * *", york, "2026-11-01T04:00:00Z", "2026-11-01T01:30:00-04:00", "2026-11-01T09:00:00-05:00"},
		"an end that comes twice":    {"0 22 * * * until 30 1 * * *", york, "2026-11-01T05:00:00Z", "2026-10-31T22:00:00-04:00", "2026-11-01T01:30:00-04:00"},
		"between the two":            {"0 22 * * * until 30 1 * * *", york, "2026-11-01T06:10:00Z", "2026-11-01T22:00:00-05:00", "2026-11-02T01:30:00-05:00"},
		"open between the two":       {"30 2 * * * until 0 4 * * *", berlin, "2026-10-25T01:10:00Z", "2026-10-25T02:30:00+02:00", "2026-10-25T04:00:00+01:00"},
		"a zone that skipped a day":  {"0 12 30 12 * until 0 6 31 12 *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-31T00:00:00+14:00", "2011-12-31T06:00:00+14:00"},
		"a zone of half an hour":     {"0 9 * * * until 0 10 * * *", "Asia/Kolkata", "2026-11-23T00:00:00Z", "2026-11-23T09:00:00+05:30", "2026-11-23T10:00:00+05:30"},
	} {
		t.Run(name, func(t *testing.T) {
			first, second, _ := strings.Cut(c.lines, " until ")
			cal, err := calendarOf(calendarKey{first, second, c.zone})
			if err != nil {
				t.Fatal(err)
			}
			start, end, ok := cal.Window(at(t, c.now))
			if !ok || !start.Equal(at(t, c.start)) || !end.Equal(at(t, c.end)) {
				t.Errorf("%s to %s (%v), want %s to %s", start.Format(time.RFC3339), end.Format(time.RFC3339), ok, c.start, c.end)
			}
			if start.Location().String() != c.zone {
				t.Errorf("told in %s, want %s", start.Location(), c.zone)
			}
		})
	}
}

// Asked in order or at random, a calendar gives the same answers as one that was never asked, and its windows follow each other:
// each begins at the end of the one before or later, and ends after it begins but for one that a clock skips.
func TestWindowsFollowEachOther(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Shanghai"} {
		for _, lines := range [][2]string{{"30 1 * * *", "30 2 * * *"}, {"0 22 * * *", "30 2 * * *"}, {"45 1 * * 0", "15 2 * * 0"}, {"*/20 1-3 * * 0", "*/30 1-3 * * 0"}} {
			key := calendarKey{lines[0], lines[1], zone}
			cal, err := calendarOf(key)
			if err != nil {
				t.Fatal(err)
			}
			from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			var before time.Time
			for now := from; now.Before(from.AddDate(0, 9, 0)); {
				start, end, ok := cal.Window(now)
				fresh := (&calendar{start: cal.start, end: cal.end, zone: cal.zone}).find(now)
				if !ok || !start.Equal(fresh.start) || !end.Equal(fresh.end) {
					t.Fatalf("%v at %s: %s to %s, and asked for the first time %s to %s", key, now, start, end, fresh.start, fresh.end)
				}
				if !end.After(now) || end.Before(start) || start.Before(before) {
					t.Fatalf("%v at %s: %s to %s, after one that ended %s", key, now, start, end, before)
				}
				if inside := start.Add(end.Sub(start) / 2); inside.After(now) {
					now = inside
					continue
				}
				before, now = end, end
			}
		}
	}
}

// What cannot be a schedule is refused with a sentence, and cron's own parser is never asked what it panics at.
func TestCalendarRefuses(t *testing.T) {
	for _, c := range []struct{ start, end, zone, want string }{
		{"0 9 * *", "0 21 * * *", "Etc/UTC", `start: expected a cron line of minute, hour, day, month and weekday, such as 0 9 * * 1-5, got "0 9 * *"`},
		{"0 9 * * *", "61 21 * * *", "Etc/UTC", `end: expected a cron line of minute, hour, day, month and weekday, such as 0 9 * * 1-5, got "61 21 * * *": `},
		{"0 9 * * 7", "0 21 * * *", "Etc/UTC", `start: expected a cron line`},
		{"@daily", "0 21 * * *", "Etc/UTC", `start: expected a cron line`},
		{"TZ=Asia/Shanghai 0 9 * * *", "0 21 * * *", "Etc/UTC", `start: expected a cron line`},
		{"TZ=", "0 21 * * *", "Etc/UTC", `start: expected a cron line`},
		{"", "0 21 * * *", "Etc/UTC", `start: expected a cron line`},
		{"0 0 30 2 *", "0 21 * * *", "Etc/UTC", `start: expected a time that comes, got "0 0 30 2 *": no year has such a day`},
		{"0 9 * * *", "0 0 31 4,6,9,11 *", "Etc/UTC", `end: expected a time that comes, got "0 0 31 4,6,9,11 *": no year has such a day`},
		{"0 9 * * 1", "00 9 * * MON", "Etc/UTC", `end: expected another time than start, got "00 9 * * MON"`},
		{"0 9 * * *", "0 21 * * *", "Asia/Shanghia", `timeZone: expected an IANA time zone such as Asia/Shanghai or Etc/UTC, got "Asia/Shanghia"`},
		{"0 9 * * *", "0 21 * * *", "", `timeZone: expected an IANA time zone`},
		{"0 9 * * *", "0 21 * * *", "Local", `timeZone: expected an IANA time zone`},
		{"0 9 * * *", "0 21 * * *", "../UTC", `timeZone: expected an IANA time zone`},
	} {
		if _, err := calendarOf(calendarKey{c.start, c.end, c.zone}); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q, %q, %q: %v\nwant %s", c.start, c.end, c.zone, err, c.want)
		}
	}
}

// Whatever a line says, cron's parser does not panic at it, and one that is accepted comes.
func TestCronLinesAtRandom(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		field := rapid.StringMatching(`(\*|\?|[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}|jan|MON|[a-z0-9,/?*-]{1,4})(/[0-9]{1,20})?(,[0-9]{1,2})?`)
		line := strings.Join(rapid.SliceOfN(field, 5, 5).Draw(r, "fields"), " ")
		if s, err := cronOf(line); err == nil && s.Next(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)).IsZero() {
			r.Errorf("%q never comes", line)
		}
	})
}

// BenchmarkWindow is what each decision pays for a schedule.
func BenchmarkWindow(b *testing.B) {
	cal, err := calendarOf(calendarKey{"0 9 * * 1-5", "0 21 * * 1-5", "America/New_York"})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			cal.Window(now)
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			cal.find(now)
		}
	})
}
