package load

import (
	"net/http"
	"testing"
	"time"
)

// TestAnsweredAt walks RFC 9111 section 4.2.3 on an answer received at noon,
// asked for 200 ms before.
func TestAnsweredAt(t *testing.T) {
	const delay = 200 * time.Millisecond
	date := func(ago time.Duration) string { return noon.Add(-ago).Format(http.TimeFormat) }
	for name, c := range map[string]struct {
		date, age string
		want      time.Duration // age
	}{
		"no headers: the delay":                    {want: delay},
		"a Date of this second":                    {date: date(0), want: delay},
		"a Date cut off a second ago":              {date: date(time.Second), want: delay},
		"an old Date, its second taken to the end": {date: date(30 * time.Second), want: 29 * time.Second},
		"a Date ahead counts as now":               {date: date(-time.Hour), want: delay},
		"an unreadable Date":                       {date: "yesterday", want: delay},
		"an Age adds to the delay":                 {age: "20", want: 20*time.Second + delay},
		"the greater of both, Age":                 {date: date(10 * time.Second), age: "20", want: 20*time.Second + delay},
		"the greater of both, Date":                {date: date(60 * time.Second), age: "20", want: 59 * time.Second},
		"of several Ages the first":                {age: "7, 9", want: 7*time.Second + delay},
		"a negative Age is none":                   {age: "-5", want: delay},
		"an unreadable Age is none":                {age: "1.5", want: delay},
		"an Age beyond 2³¹ is 2³¹":                 {age: "4294967296", want: oldestAge + delay},
		"an Age beyond any integer is 2³¹":         {age: "99999999999999999999999", want: oldestAge + delay},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if c.date != "" {
				h.Set("Date", c.date)
			}
			if c.age != "" {
				h.Set("Age", c.age)
			}
			if got := noon.Sub(answeredAt(h, noon.Add(-delay), noon)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestClockSteppedBack: an answer is never from the future, whatever happens to
// the wall clock during a read.
func TestClockSteppedBack(t *testing.T) {
	if at := answeredAt(http.Header{}, noon.Add(time.Minute), noon); at.After(noon) {
		t.Errorf("answered at %s, after it was received", at)
	}
}
