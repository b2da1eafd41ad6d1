package load

import (
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// document of an answer that came at noon, and was 3 s old.
func documentOf(t *testing.T, body string) document {
	t.Helper()
	return understand(answer{body: []byte(body), received: noon, at: noon.Add(-3 * time.Second)}, nil)
}

// TestValue wants what an expression yields to be a number a load can be, or a
// sentence that names the way out.
func TestValue(t *testing.T) {
	for _, c := range []struct {
		value, body string
		want        float64
		says        string // empty: a good value
	}{
		{value: `body.a + body.b`, body: `{"a": 1, "b": 0.5}`, want: 1.5},
		{value: `body.a / body.b`, body: `{"a": 3, "b": 4}`, want: 0.75},
		{value: `int(body.a)`, body: `{"a": 7.9}`, want: 7},
		{value: `uint(body.a)`, body: `{"a": 7}`, want: 7},
		{value: `double(body.a)`, body: `{"a": "0.95"}`, want: 0.95},
		{value: `double(body.a.replace("%", "")) / 100.0`, body: `{"a": "95%"}`, want: 0.95},
		{value: `size(body.queue)`, body: `{"queue": [1, 2, 3]}`, want: 3},
		{value: `math.greatest(body.a, body.b)`, body: `{"a": 1, "b": 2}`, want: 2},
		{value: `body.busy > 1 ? 2.0 : 1.0`, body: `{"busy": 3}`, want: 2},
		{value: `body.list[0].load`, body: `{"list": [{"load": 4}]}`, want: 4},
		{value: `body.?a.orValue(1.5)`, body: `{}`, want: 1.5},
		{value: `body.ok`, body: `{"ok": 1, "unused": 1e400}`, want: 1},
		{value: `body`, body: `5`, want: 5},

		{value: `double("NaN")`, body: `{}`, says: "NaN"},
		{value: `double("Infinity")`, body: `{}`, says: "without bounds"},
		{value: `body.a / 0.0`, body: `{"a": 1}`, says: "without bounds"},
		{value: `0.0 / body.a`, body: `{"a": 0}`, says: "NaN"},
		{value: `int(body.a)`, body: `{"a": -1}`, says: "0 or more"},
		{value: `int(body.a)`, body: `{"a": 1e300}`, says: "integer overflow"},
		{value: `body.a / 100`, body: `{"a": 1}`, says: "write 100.0, not 100"},
		{value: `dyn(body.?a)`, body: `{"a": 1}`, says: "optional"},
		{value: `body.list[3]`, body: `{"list": []}`, says: "index out of bounds"},
		{value: `body.secret`, body: `{"secret": "hush"}`, says: "yielded a string, expected a number: wrap it, double(body.secret)"},
		{value: `body.l.map(a, body.l.map(b, body.l.map(c, c))).size()`, body: `{"l": [` + strings.Repeat("1,", 999) + `1]}`, says: "cost limit exceeded"},
	} {
		t.Run(c.value, func(t *testing.T) {
			e, err := compile("loads[backend].", "http.value", c.value, aNumber)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.number(documentOf(t, c.body))
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			checkFault(t, err, c.says)
		})
	}
}

// checkFault wants no error when says is empty, and an Invalid one that contains it otherwise.
func checkFault(t *testing.T, err error, says string) {
	t.Helper()
	if says == "" {
		if err != nil {
			t.Errorf("got %v", err)
		}
		return
	}
	f, ok := err.(fault)
	if !ok || f.state != scaling.Invalid || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want an Invalid that contains %q", err, says)
	}
	if ok && strings.Contains(err.Error(), "hush") {
		t.Errorf("%q repeats the answer", err)
	}
}

// TestObservedAt wants a reading's own time believed when it is a time, and not
// ahead of what two clocks may differ by.
func TestObservedAt(t *testing.T) {
	for _, c := range []struct {
		name, observedAt, body string
		want                   time.Time
		says                   string
	}{
		{name: "absent, the transport says", want: noon.Add(-3 * time.Second)},
		{name: "fresh", observedAt: `timestamp(body.t)`, body: `"2026-03-01T11:59:58Z"`, want: noon.Add(-2 * time.Second)},
		{name: "another zone", observedAt: `timestamp(body.t)`, body: `"2026-03-01T19:59:58+08:00"`, want: noon.Add(-2 * time.Second)},
		{name: "old", observedAt: `timestamp(body.t)`, body: `"2026-02-01T12:00:00Z"`, want: noon.AddDate(0, 0, -28)},
		{name: "seconds since 1970", observedAt: `timestamp(int(body.t))`, body: `1772366390`, want: noon.Add(-10 * time.Second)},
		{name: "a little ahead is now", observedAt: `timestamp(body.t)`, body: `"2026-03-01T12:01:00Z"`, want: noon},
		{name: "too far ahead", observedAt: `timestamp(body.t)`, body: `"2026-03-01T12:01:01Z"`, says: "http.observedAt is 1m1s ahead of cusme's clock, so the age of the reading is unknown: check the clocks of both"},
		{name: "never set", observedAt: `timestamp(body.t)`, body: `"0001-01-01T00:00:00Z"`, says: "never set"},
		{name: "a string", observedAt: `body.t`, body: `"2026-03-01T11:59:58Z"`, says: "yielded a string, expected a timestamp: wrap it, timestamp(body.t)"},
		{name: "a number", observedAt: `body.t`, body: `1772366390`, says: "yielded a number, expected a timestamp: wrap it, timestamp(int(body.t))"},
		{name: "null", observedAt: `body.t`, body: `null`, says: "yielded null"},
		{name: "missing", observedAt: `timestamp(body.u)`, body: `1`, says: "no such key: u"},
		{name: "no time at all", observedAt: `timestamp(body.t)`, body: `"yesterday"`, says: "http.observedAt: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.body == "" {
				c.body = "null"
			}
			m, err := compileMeasure("loads[backend].http", "body.load", c.observedAt)
			if err != nil {
				t.Fatal(err)
			}
			value, at, err := m.judge(documentOf(t, `{"load": 2, "t": `+c.body+`}`))
			checkFault(t, err, c.says)
			if err == nil && (value != 2 || !at.Equal(c.want)) {
				t.Errorf("got %v at %s, want 2 at %s", value, at, c.want)
			}
		})
	}
}
