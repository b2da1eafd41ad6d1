package load

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// FuzzHTTPAnswer gives an endpoint every answer there can be, twice, so that the
// second may be compared with the first, and then has it understood. Whatever
// comes, a reading is a number from 0 up with a time that was, or a problem with
// a short sentence that gives no secret away.
func FuzzHTTPAnswer(f *testing.F) {
	const date = "Date: Sun, 01 Mar 2026 11:59:50 GMT\n"
	for _, seed := range []struct {
		status  int
		headers string
		body    string
		format  byte
	}{
		{200, date + "Age: 12", `{"load": 1, "t": 1772366390}`, 0},
		{200, "ETag: \"1\"", `{"load": 1e400}`, 0},
		{304, "ETag: \"1\"\nLast-Modified: hush", "", 0},
		{200, "Content-Type: text/html", "<!doctype html>", 0},
		{200, "", "<r><load a='1'>0.<!-- -->5</load><load/></r>", 1},
		{200, "", "load: &a 1\nt: *a", 2},
		{200, "", "# TYPE load gauge\nload{a=\"b\"} NaN 1\n", 3},
		{200, "", " 0.83\n", 4},
		{429, "Retry-After: 120", "slow down", 0},
		{503, "Retry-After: Sun, 01 Mar 2026 11:59:50 GMT", "\x00\xff token=hush", 0},
		{302, "Location: http://elsewhere.test/?token=hush", "", 0},
		{301, "Location: /again?token=hush", "", 0},
		{204, "Age: 99999999999999999999", "", 0},
	} {
		f.Add(seed.status, seed.headers, []byte(seed.body), seed.format)
	}
	f.Fuzz(func(t *testing.T, status int, headers string, body []byte, format byte) {
		if status < 100 || status > 999 {
			t.Skip("Go's client lets no such status through")
		}
		formats := []v1alpha1.Format{v1alpha1.JSON, v1alpha1.XML, v1alpha1.YAML, v1alpha1.Prometheus, v1alpha1.Text}
		value := []string{"body.load", "body.r.load", "body.load", "body.load[0].value", "double(body)"}
		i := int(format) % len(formats)
		loads := []v1alpha1.Load{
			{Name: "plain", HTTP: &v1alpha1.HTTPSource{URL: "http://backend.test/?token=hush", Format: formats[i], Value: value[i]}},
			{Name: "timed", HTTP: &v1alpha1.HTTPSource{URL: "http://backend.test/?token=hush", Format: formats[i], Value: value[i], ObservedAt: "timestamp(int(body.t))"}},
		}
		sources, err := OpenAll("shop/webui", loads, Options{})
		if err != nil {
			t.Fatal(err)
		}
		e := sources[0].from.(httpAddress).over(parrot{status, headers, body}, Options{})
		defer watch(t)()
		for range 2 {
			a, err := e.ask(context.Background(), time.Second)
			checkPlea(t, err)
			for _, s := range sources {
				checkReading(t, s.reading(understand(a, err)))
			}
		}
	})
}

// A parrot is a transport that always answers the same.
type parrot struct {
	status  int
	headers string // in lines
	body    []byte
}

func (p parrot) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{}
	for line := range strings.Lines(p.headers) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return &http.Response{
		Status: http.StatusText(p.status), StatusCode: p.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(p.body)), ContentLength: -1, Request: r,
	}, nil
}

func (parrot) CloseIdleConnections() {}

// checkPlea wants a wait that is one, of a failure.
func checkPlea(t *testing.T, err error) {
	t.Helper()
	var plea deferral
	if errors.As(err, &plea) && (plea.wait <= 0 || problem("", err).Problem != scaling.Failed) {
		t.Errorf("%v asks to wait %s", err, plea.wait)
	}
}

func checkReading(t *testing.T, r scaling.Reading) {
	t.Helper()
	good := r.Problem == "" && r.Value >= 0 && !math.IsInf(r.Value, 1) && !r.At.IsZero() && !r.At.After(time.Now()) && r.Message == ""
	bad := (r.Problem == scaling.Invalid || r.Problem == scaling.Failed) && r.Value == 0 && r.At.IsZero() && r.Message != "" && len(r.Message) < 4*sentenceLimit+200
	if !good && !bad {
		t.Errorf("got %+v", r)
	}
	if strings.Contains(r.Message, "token=hush") {
		t.Errorf("message %q gives a secret away", r.Message)
	}
}

// FuzzValue evaluates every expression there can be over every answer: a number
// from 0 up, or a short sentence, soon.
func FuzzValue(f *testing.F) {
	for _, seed := range [][2]string{
		{`body.load`, `{"load": 0.83}`},
		{`double(body.a.replace("%", "")) / 100.0`, `{"a": "95%"}`},
		{`body.l.filter(q, q.ready).map(q, q.n).sum()`, `{"l": [{"ready": true, "n": 4}]}`},
		{`body.l.map(a, body.l.map(b, body.l.map(c, c))).size()`, `{"l": [1,2,3,4,5,6,7,8,9]}`},
		{`math.greatest([body.a, 1.0, 2u, 3])`, `{"a": 1e400}`},
		{`body.?a.orValue(1.5)`, `{}`},
		{`body.a / 0.0 - body.a`, `{"a": -1}`},
		{`int(body.a) % 0`, `{"a": 9007199254740993}`},
		{`body.s.split("").avg()`, `{"s": "123"}`},
		{`body.s.matches("(a+)+$") ? 1 : 0`, `{"s": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}`},
		{`double(body.s.replace("", body.s, 3).substring(1))`, `{"s": "11"}`},
		{`duration(body.d).getSeconds()`, `{"d": "1h"}`},
		{`timestamp(body.d) - timestamp(0) > duration("1s") ? 1 : 2`, `{"d": "2026-03-01T12:00:00Z"}`},
		{`[[1.0]].map(x, [x, x]).map(x, [x, x]).map(x, [x, x]).map(A, A == A ? 1 : 2)[0]`, `{}`},
		{`[[1.0]].map(x, [x, x]).map(x, [x, x]).map(A, A in [A] || {"a": A} != {"a": A} ? 1 : 2)[0]`, `{}`},
		{`[body.l].map(x, x + x).map(x, x + x).map(x, x.sum())[0]`, `{"l": [1, 2]}`},
		{`[body.s].map(x, x + x).map(x, x + x).map(x, x.size())[0]`, `{"s": "ab"}`},
		{`body.l.map(x, {"a": 1}[body.s]).size()`, `{"l": [1, 2], "s": "b"}`},
		{`body.s.indexOf(body.t) + body.s.lastIndexOf("b", 1)`, `{"s": "aab", "t": "ab"}`},
		{`has(body.a) && body.a.exists(x, x > 1) ? body.a[0] : -0.0`, `{"a": [1, 2]}`},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, value string, body []byte) {
		defer watch(t)()
		for _, want := range []yield{aNumber, aVerdict} {
			e, err := compile("loads[backend].", "http.value", value, want)
			if err != nil {
				continue
			}
			d := understand(answer{body: body, received: noon, at: noon}, nil)
			if d.err != nil {
				return
			}
			f, err := e.number(d)
			if err == nil && !(f >= 0 && !math.IsInf(f, 1)) || err != nil && (f != 0 || err.Error() == "" || len(err.Error()) > 4*sentenceLimit+200) {
				t.Errorf("%s of %s is %v, %v", value, body, f, err)
			}
			e.verdict(d)
		}
		if e, err := compile("loads[backend].", "http.observedAt", value, aTimestamp); err == nil {
			d := understand(answer{body: body, received: noon, at: noon}, nil)
			if d.err != nil {
				return
			}
			if at, err := e.moment(d); err == nil && (at.After(noon) || at.IsZero()) {
				t.Errorf("%s of %s is %s, and it came at %s", value, body, at, noon)
			}
		}
	})
}

// hung is far beyond what the slowest machine takes for an answer: a second or so.
const hung = time.Minute

// watch ends the program, which the fuzzer reports with its input, when what it
// watches does not end.
func watch(t *testing.T) (done func()) {
	timer := time.AfterFunc(hung, func() { panic(t.Name() + " has not ended within " + hung.String()) })
	return func() { timer.Stop() }
}
