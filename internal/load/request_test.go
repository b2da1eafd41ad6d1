package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// A script answers requests one after the other, and keeps what they were.
type script struct {
	t       *testing.T
	answers []http.HandlerFunc
	seen    []*http.Request
	bodies  []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.seen, s.bodies = append(s.seen, r), append(s.bodies, string(body))
	s.answers[min(len(s.seen), len(s.answers))-1](w, r)
}

// asking opens a load at a server that keeps to a script, and returns what asks it.
func asking(t *testing.T, spec v1alpha1.HTTPSource, answers ...http.HandlerFunc) (*script, func() scaling.Reading) {
	t.Helper()
	s := &script{t: t, answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	spec.URL = server.URL + "/load"
	open := byAsking(func(site) v1alpha1.Load { return v1alpha1.Load{Name: "backend", HTTP: &spec} })
	return s, open(t, site{options: Options{Version: "v9", Door: anyDoor}})
}

// TestPost wants the body sent as it is, as JSON unless the user says otherwise,
// and again where a redirect keeps the method.
func TestPost(t *testing.T) {
	for name, c := range map[string]struct {
		spec          v1alpha1.HTTPSource
		method, media string
	}{
		"a GET":                {v1alpha1.HTTPSource{Value: "body"}, "GET", ""},
		"a POST":               {v1alpha1.HTTPSource{Value: "body", Method: "POST", Body: `{"query": 1}`}, "POST", "application/json"},
		"a POST of nothing":    {v1alpha1.HTTPSource{Value: "body", Method: "POST"}, "POST", ""},
		"a POST of other kind": {v1alpha1.HTTPSource{Value: "body", Method: "POST", Body: "q=1", Connection: v1alpha1.Connection{Headers: []v1alpha1.Header{{Name: "content-type", Value: "application/x-www-form-urlencoded"}}}}, "POST", "application/x-www-form-urlencoded"},
	} {
		t.Run(name, func(t *testing.T) {
			again := func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/other", http.StatusPermanentRedirect)
			}
			s, ask := asking(t, c.spec, again, says("7"))
			if got := ask(); got.Value != 7 {
				t.Fatalf("got %+v", got)
			}
			for i, r := range s.seen {
				if r.Method != c.method || s.bodies[i] != c.spec.Body || r.Header.Get("Content-Type") != c.media || r.Header.Get("Accept") != "application/json" {
					t.Errorf("asked with %s %v %q", r.Method, r.Header, s.bodies[i])
				}
			}
		})
	}
}

// TestAccept wants each format asked for by its media type.
func TestAccept(t *testing.T) {
	for format, want := range map[v1alpha1.Format]string{
		"": "application/json", v1alpha1.XML: "application/xml", v1alpha1.YAML: "application/yaml",
		v1alpha1.Prometheus: "text/plain;version=0.0.4", v1alpha1.Text: "text/plain",
	} {
		s, ask := asking(t, v1alpha1.HTTPSource{Value: "1", Format: format}, says(""))
		ask()
		if got := s.seen[0].Header.Get("Accept"); !strings.HasPrefix(got, want) {
			t.Errorf("%q asks for %q, want %q", format, got, want)
		}
	}
}

// named answers with an ETag, and with 304 to who knows it; at has its Date.
func named(etag, body string, at time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
		w.Header().Set("ETag", etag)
		w.Header().Set("X-Seen", r.Header.Get("If-None-Match"))
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, body)
	}
}

// TestNotModified wants an answer that is still the same kept, and its age that
// of the endpoint's word for it.
func TestNotModified(t *testing.T) {
	now := time.Now()
	s, ask := asking(t, v1alpha1.HTTPSource{Value: `headers["x-seen"] == "" ? body : body + 0.5`},
		named(`"1"`, "1", now.Add(-time.Hour)),
		named(`"1"`, "never", now.Add(-time.Minute)),
		named(`W/"2"`, "2", now),
		status(500, ""),
		named(`W/"2"`, "never", now),
		says("3"),
		says("4"),
	)
	for i, want := range []struct {
		value float64
		age   time.Duration
		told  string // If-None-Match
	}{
		{1, time.Hour, ""},
		{1.5, time.Minute, `"1"`}, // with the headers of the 304
		{2.5, 0, `"1"`},
		{0, 0, `W/"2"`},
		{2.5, 0, `W/"2"`},
		{0, 0, `W/"2"`}, // no X-Seen: headers are not kept beyond their answer
		{0, 0, ""},
	} {
		got := ask()
		if got.Value != want.value || want.value != 0 && (time.Since(got.At)-want.age).Abs() > 30*time.Second {
			t.Errorf("%d: got %+v, want %v from %s ago", i, got, want.value, want.age)
		}
		if told := s.seen[i].Header.Get("If-None-Match"); told != want.told {
			t.Errorf("%d: If-None-Match %q, want %q", i, told, want.told)
		}
	}
}

// TestNotModifiedUnasked: nobody may say so who was not asked.
func TestNotModifiedUnasked(t *testing.T) {
	for name, spec := range map[string]v1alpha1.HTTPSource{
		"at first":  {Value: "body"},
		"of a POST": {Value: "body", Method: "POST"},
	} {
		s, ask := asking(t, spec, status(304, ""), named(`"1"`, "1", time.Now()), status(304, ""))
		first, _ := ask(), ask()
		if first.Problem != scaling.Failed || !strings.Contains(first.Message, "answered 304 Not Modified, expected 200") {
			t.Errorf("%s: got %+v", name, first)
		}
		if ask(); spec.Method == "POST" && s.seen[2].Header.Get("If-None-Match") != "" {
			t.Errorf("%s: a POST was asked for another edition", name)
		}
	}
}

// TestRetryAfter wants the wait that an answer asks for, where one may ask for it.
func TestRetryAfter(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		text   string
		want   time.Duration
	}{
		"seconds":              {429, "120", 2 * time.Minute},
		"seconds with 503":     {503, " 7 ", 7 * time.Second},
		"a date":               {503, "Sun, 01 Mar 2026 12:05:00 GMT", 5 * time.Minute},
		"a date gone by":       {503, "Sun, 01 Mar 2026 11:59:00 GMT", 0},
		"no wait":              {503, "0", 0},
		"nothing":              {429, "", 0},
		"a word":               {429, "soon", 0},
		"less than nothing":    {429, "-5", 0},
		"more than time holds": {429, "99999999999999999999", 0},
		"with another status":  {500, "120", 0},
	} {
		r := &http.Response{StatusCode: c.status, Header: http.Header{"Retry-After": {c.text}}}
		err := deferred(failed("the refusal"), r, noon)
		var d deferral
		if errors.As(err, &d); d.wait != c.want || !errors.As(err, &fault{}) || err.Error() != "the refusal" {
			t.Errorf("%s: got %#v, want to wait %s", name, err, c.want)
		}
	}
}

// TestOneRequestForSeveralValues wants loads that find different numbers in one
// answer, of one scaler or of several, to share the request; and equal POSTs
// too, but not different ones.
func TestOneRequestForSeveralValues(t *testing.T) {
	r := NewReadings(Options{Door: anyDoor})
	defer r.Close()
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- r.Method + string(body)
		io.WriteString(w, `{"running": 3, "waiting": 4}`)
	}))
	defer server.Close()
	load := func(name, value, body string) v1alpha1.Load {
		h := v1alpha1.HTTPSource{URL: server.URL, Value: value}
		if body != "" {
			h.Method, h.Body = "POST", body
		}
		return v1alpha1.Load{Name: name, HTTP: &h}
	}
	woken := make(chan bool, 100)
	for i := range 2 {
		loads := []v1alpha1.Load{
			load("a", "body.running", ""), load("b", "body.waiting", ""), load("c", "body.running + body.waiting", ""),
			load("d", "body.running", "{}"), load("e", "body.waiting", "{}"), load("f", "body.waiting", "[]"),
		}
		if err := r.Follow(fmt.Sprint("shop/", i), loads, time.Hour, func() { woken <- true }); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for i := range 2 {
		for j, want := range []float64{3, 4, 7, 3, 4, 4} {
			for r.Latest(fmt.Sprint("shop/", i))[j].Value != want {
				select {
				case <-woken:
				case <-ctx.Done():
					t.Fatalf("reads %+v", r.Latest(fmt.Sprint("shop/", i)))
				}
			}
		}
	}
	close(asked)
	requests := map[string]int{}
	for a := range asked {
		requests[a]++
	}
	if len(requests) != 3 || requests["GET"] != 1 || requests["POST{}"] != 1 || requests["POST[]"] != 1 {
		t.Errorf("asked %v, want one GET and one of each POST", requests)
	}
}
