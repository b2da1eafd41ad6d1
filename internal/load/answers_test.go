package load

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

func httpLoad(url string, timeout time.Duration) v1alpha1.Load {
	return v1alpha1.Load{Name: "backend", HTTP: &v1alpha1.HTTPSource{
		URL: url, Value: "body.load", Connection: v1alpha1.Connection{Timeout: &metav1.Duration{Duration: timeout}},
	}}
}

// A behaviour is one way a server can behave over HTTP, and what must come of it.
type behaviour struct {
	name    string
	serve   http.HandlerFunc
	timeout time.Duration // for those that would never end; default 10s
	state   scaling.State // empty: a good reading
	value   float64
	says    string // part of the message
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

var behaviours = []behaviour{
	{name: "a double", serve: says(`{"load": 0.83}`), value: 0.83},
	{name: "a whole number", serve: says(`{"load": 1}`), value: 1},
	{name: "zero is a value", serve: says(`{"load": 0}`), value: 0},
	{name: "a large whole number", serve: says(`{"load": 123456789012345678901234567890}`), value: 1.2345678901234568e29},
	{name: "too small for a double is zero", serve: says(`{"load": 1e-400}`), value: 0},
	{name: "space around", serve: says("\n {\"load\": 2}\n\n"), value: 2},

	{name: "beyond a double", serve: says(`{"load": 1e400}`), state: scaling.Invalid, says: "without bounds"},
	{name: "negative", serve: says(`{"load": -0.1}`), state: scaling.Invalid, says: "0 or more"},
	{name: "negative beyond a double", serve: says(`{"load": -1e400}`), state: scaling.Invalid, says: "without bounds"},
	{name: "a bare NaN", serve: says(`{"load": NaN}`), state: scaling.Invalid, says: "not JSON: invalid character 'N'"},
	{name: "missing field", serve: says(`{"lead": 1}`), state: scaling.Invalid, says: "no such key: load"},
	{name: "empty object", serve: says(`{}`), state: scaling.Invalid, says: "no such key: load"},
	{name: "null field", serve: says(`{"load": null}`), state: scaling.Invalid, says: "yielded null"},
	{name: "null", serve: says(`null`), state: scaling.Invalid, says: "no such"},
	{name: "a number in a string", serve: says(`{"load": "0.95"}`), state: scaling.Invalid, says: "double(body.load)"},
	{name: "a bool", serve: says(`{"load": true}`), state: scaling.Invalid, says: "yielded a bool"},
	{name: "a list", serve: says(`{"load": [1]}`), state: scaling.Invalid, says: "yielded a list"},
	{name: "an object", serve: says(`{"load": {"v": 1}}`), state: scaling.Invalid, says: "yielded a map"},
	{name: "garbage", serve: says("<html>It works!</html>"), state: scaling.Invalid, says: "the answer is an HTML page"},
	{name: "empty", serve: says(""), state: scaling.Invalid, says: "empty"},
	{name: "half a document", serve: says(`{"load": 0.`), state: scaling.Invalid, says: "breaks off after 11 bytes"},
	{name: "two documents", serve: says(`{"load": 1}{"load": 2}`), state: scaling.Invalid, says: "goes on"},
	{name: "nested beyond reason", serve: says(strings.Repeat("[", 1<<19)), state: scaling.Invalid, says: "not JSON"},
	{name: "huge", serve: says(`{"load": 1, "pad": "` + strings.Repeat("x", bodyLimit) + `"}`), state: scaling.Invalid, says: "more than 1024 KiB"},
	{name: "the longest answer allowed", serve: says(`{"load": 1}` + strings.Repeat(" ", bodyLimit-len(`{"load": 1}`))), value: 1},

	{name: "internal error", serve: status(500, "oops\x00\r\n  happened"), state: scaling.Failed, says: "answered 500 Internal Server Error, expected 200: oops happened"},
	{name: "no content", serve: status(204, ""), state: scaling.Failed, says: "answered 204 No Content, expected 200"},
	{name: "not found", serve: status(404, strings.Repeat("é", 500)), state: scaling.Failed, says: strings.Repeat("é", excerptLimit) + "…"},
	{name: "fewer bytes than promised", serve: truncated, state: scaling.Failed, says: "broke its answer off after 11 bytes"},
	{name: "a reset connection", serve: abort, state: scaling.Failed, says: "gave no answer"},
	{name: "hanging", serve: hang, timeout: 100 * time.Millisecond, state: scaling.Failed, says: "no whole answer within 100ms"},
	{name: "dripping", serve: drip, timeout: 100 * time.Millisecond, state: scaling.Failed, says: "no whole answer within 100ms"},
	{name: "a redirect loop", serve: redirect("/again"), state: scaling.Failed, says: "redirects more than 5 times"},
	{name: "a redirect to another host", serve: redirect("http://user:pass@elsewhere.test/load?token=hush"), state: scaling.Failed, says: "redirects to http://elsewhere.test/load, and"},
	{name: "a redirect to another scheme", serve: redirectToScheme, state: scaling.Failed, says: "one scheme, host and port only"},
	{name: "a redirect within the host", serve: redirects(5, `{"load": 0.5}`), value: 0.5},
	{name: "one redirect too many", serve: redirects(6, `{"load": 0.5}`), state: scaling.Failed, says: "redirects more than 5 times"},
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

func truncated(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "500")
	io.WriteString(w, `{"load": 1}`)
}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		io.WriteString(w, " ")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func redirectToScheme(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "https://"+r.Host+"/", http.StatusFound)
}

func redirects(n int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if steps := strings.Count(r.URL.Path, "on"); steps < n {
			http.Redirect(w, r, "/"+strings.Repeat("on", steps+1), http.StatusTemporaryRedirect)
			return
		}
		io.WriteString(w, body)
	}
}

// TestHTTPAnswers wants the sentence for everything a server can do to a JSON
// answer. What every kind of source has in common is in the conformance suite.
func TestHTTPAnswers(t *testing.T) {
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(b.serve)
			defer server.Close()
			if b.timeout == 0 {
				b.timeout = 10 * time.Second
			}
			begun := time.Now()
			b.check(t, read(t, httpLoad(server.URL, b.timeout)), begun)
		})
	}
}

func read(t *testing.T, l v1alpha1.Load) scaling.Reading {
	t.Helper()
	o := Options{Version: "v9", Door: anyDoor}
	s, err := openOne(l, o)
	if err != nil {
		t.Fatal(err)
	}
	return s.Read(context.Background(), o)
}

func (b behaviour) check(t *testing.T, got scaling.Reading, begun time.Time) {
	t.Helper()
	if got.Load != "backend" || got.Problem != b.state || got.Value != b.value {
		t.Errorf("got %+v, want value %v, problem %q", got, b.value, b.state)
	}
	if !strings.Contains(got.Message, b.says) || (got.Message == "") != (b.state == "") {
		t.Errorf("message %q, want it to contain %q", got.Message, b.says)
	}
	for _, hush := range []string{"hush", "pass"} {
		if strings.Contains(got.Message, hush) {
			t.Errorf("message %q gives a secret away", got.Message)
		}
	}
	if b.state != "" && !got.At.IsZero() {
		t.Errorf("a first reading with a problem has time %s", got.At)
	}
	if b.state == "" && (got.At.Before(begun) || got.At.After(time.Now())) {
		t.Errorf("read at %s, which is not between %s and now", got.At, begun)
	}
}
