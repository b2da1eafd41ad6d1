package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// prometheusKind holds the number in a series whose sample has its own time.
var prometheusKind = kind{
	open: byAsking(func(s site) v1alpha1.Load {
		return v1alpha1.Load{Name: "backend", Prometheus: &v1alpha1.PrometheusSource{URL: s.url, Query: "load", Connection: s.connection}}
	}),
	says: func(number string, at time.Time) http.Handler {
		if number == "" {
			return &promServer{answers: map[string]string{"load": vectorOf(), "timestamp(load)": vectorOf()}}
		}
		return &promServer{answers: map[string]string{"load": vectorOf(number), "timestamp(load)": vectorOf(fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000))}}
	},
}

// A promServer answers instant queries in memory as it is told, by PromQL.
type promServer struct {
	url     string
	asked   []string          // method, path and query of each request
	answers map[string]string // data, or a whole answer that begins with {"status"
}

func newPromServer(t *testing.T, answers map[string]string) *promServer {
	p := &promServer{answers: answers}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *promServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := r.FormValue("query")
	p.asked = append(p.asked, r.Method+" "+r.URL.Path+" "+text)
	told, ok := p.answers[text]
	switch {
	case !ok:
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"status": "error", "errorType": "bad_data", "error": "invalid parameter \"query\": 1:5: parse error"}`)
	case strings.HasPrefix(told, `{"status"`):
		io.WriteString(w, told)
	default:
		io.WriteString(w, `{"status": "success", "data": `+told+`}`)
	}
}

// sampleNow is a sample of now, as JSON.
func sampleNow(value string) string {
	return fmt.Sprintf(`[%.3f, %q]`, float64(time.Now().UnixMilli())/1000, value)
}

func scalarOf(value string) string {
	return `{"resultType": "scalar", "result": ` + sampleNow(value) + `}`
}

// vectorOf is a vector of such values, each of a series of its own.
func vectorOf(values ...string) string {
	elements := make([]string, len(values))
	for i, v := range values {
		elements[i] = fmt.Sprintf(`{"metric": {"pod": "web-%d"}, "value": %s}`, i, sampleNow(v))
	}
	return `{"resultType": "vector", "result": [` + strings.Join(elements, ", ") + `]}`
}

func queryLoad(url, query, observedAt string) v1alpha1.Load {
	return v1alpha1.Load{Name: "queue", Prometheus: &v1alpha1.PrometheusSource{URL: url, Query: query, ObservedAt: observedAt}}
}

// TestQueryAnswers has every result a server can give become a number, or a
// sentence that says what to write instead.
func TestQueryAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		state  scaling.State // empty: a good reading
		value  float64
		says   string
	}{
		"a scalar":            {scalarOf("0.83"), "", 0.83, ""},
		"a vector of one":     {vectorOf("7"), "", 7, ""},
		"zero":                {vectorOf("0"), "", 0, ""},
		"an exponent":         {scalarOf("1e+06"), "", 1e6, ""},
		"nothing":             {vectorOf(), scaling.Invalid, 0, "prometheus.query found nothing; where nothing means 0, say so: sum(x) or vector(0)"},
		"several":             {vectorOf("1", "2", "3"), scaling.Invalid, 0, "prometheus.query gave 3 series, expected one: aggregate, e.g. sum(sum(x))"},
		"a matrix":            {`{"resultType": "matrix", "result": []}`, scaling.Invalid, 0, "yields a range of samples"},
		"a string":            {`{"resultType": "string", "result": [1, "5"]}`, scaling.Invalid, 0, "yields a string, expected one number"},
		"a histogram":         {`{"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {"count": "5", "sum": "1"}]}]}`, scaling.Invalid, 0, "yields a histogram"},
		"NaN":                 {scalarOf("NaN"), scaling.Invalid, 0, "prometheus.query yielded NaN"},
		"infinity":            {scalarOf("+Inf"), scaling.Invalid, 0, "without bounds"},
		"beyond a double":     {scalarOf("1e400"), scaling.Invalid, 0, "without bounds"},
		"negative":            {vectorOf("-1"), scaling.Invalid, 0, "yielded -1, expected 0 or more"},
		"no value":            {`{"resultType": "vector", "result": [{"metric": {}}]}`, scaling.Invalid, 0, "holds no sample"},
		"a null value":        {`{"resultType": "vector", "result": [{"metric": {}, "value": null}]}`, scaling.Invalid, 0, "holds no sample"},
		"half a sample":       {`{"resultType": "scalar", "result": [1772366390]}`, scaling.Invalid, 0, "holds no sample"},
		"three halves":        {`{"resultType": "scalar", "result": [1772366390, "1", "2"]}`, scaling.Invalid, 0, "holds no sample"},
		"a number unquoted":   {`{"resultType": "scalar", "result": [1772366390, 1]}`, scaling.Invalid, 0, "holds no sample"},
		"no number":           {scalarOf("much"), scaling.Invalid, 0, "holds no sample"},
		"an empty number":     {scalarOf(""), scaling.Invalid, 0, "holds no sample"},
		"no time":             {`{"resultType": "scalar", "result": [0, "1"]}`, scaling.Invalid, 0, "holds no sample"},
		"no result":           {`{"resultType": "vector"}`, scaling.Invalid, 0, "but not as Prometheus' HTTP API writes it"},
		"no type":             {`{}`, scaling.Invalid, 0, "but not as Prometheus' HTTP API writes it"},
		"a list":              {`[]`, scaling.Invalid, 0, "but not as Prometheus' HTTP API writes it"},
		"an error with a 200": {`{"status": "error", "errorType": "timeout", "error": "query timed out"}`, scaling.Failed, 0, "refused the query: timeout: query timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPromServer(t, map[string]string{"sum(x)": c.answer})
			got := read(t, queryLoad(p.url, "sum(x)", ""))
			if got.Problem != c.state || got.Value != c.value || !strings.Contains(got.Message, c.says) || (got.Message == "") != (c.state == "") {
				t.Errorf("got %+v, want %v, problem %q, %q", got, c.value, c.state, c.says)
			}
		})
	}
}

// TestRefusedQuery: what the server says against PromQL is told whole.
func TestRefusedQuery(t *testing.T) {
	p := newPromServer(t, nil)
	got := read(t, queryLoad(p.url, "sum(", ""))
	want := p.url + `/api/v1/query refused the query: bad_data: invalid parameter "query": 1:5: parse error`
	if got.Problem != scaling.Failed || got.Message != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

// TestWarnings: a server that may have left something out is not believed in a
// fall; a remark on the PromQL changes nothing.
func TestWarnings(t *testing.T) {
	for warning, partial := range map[string]string{
		"No StoreAPIs matched for this query":                         "the server warns: No StoreAPIs matched for this query",
		"PromQL info: metric might not be a counter, name: \\\"x\\\"": "",
	} {
		p := newPromServer(t, map[string]string{"sum(x)": `{"status": "success", "data": ` + scalarOf("1") + `, "warnings": ["` + warning + `"]}`})
		if got := read(t, queryLoad(p.url, "sum(x)", "")); got.Problem != "" || got.Value != 1 || got.Partial != partial {
			t.Errorf("got %+v, want 1, partial %q", got, partial)
		}
	}
}

// TestTimeOfQuery: by its own query, by the sample of a plain selector, or by the
// evaluation.
func TestTimeOfQuery(t *testing.T) {
	begun := time.Now().Add(-time.Millisecond) // a sample's time has whole milliseconds
	old := time.Now().Add(-10 * time.Minute).Truncate(time.Second)
	seconds := func(at time.Time) string { return vectorOf(fmt.Sprint(at.Unix())) }
	stored := fmt.Sprintf(`{"resultType": "scalar", "result": [%d, "5"]}`, old.Unix())
	for name, c := range map[string]struct {
		query, observedAt string
		answers           map[string]string
		at                time.Time // zero: now
		says              string
	}{
		"a plain selector":            {`x{a="b"}`, "", map[string]string{`timestamp(x{a="b"})`: seconds(old), `x{a="b"}`: vectorOf("5")}, old, ""},
		"observedAt":                  {"sum(x)", "max(timestamp(x))", map[string]string{"max(timestamp(x))": seconds(old), "sum(x)": vectorOf("5")}, old, ""},
		"observedAt of a selector":    {"x", "y", map[string]string{"y": seconds(old), "x": vectorOf("5")}, old, ""},
		"neither":                     {"sum(x)", "", map[string]string{"sum(x)": vectorOf("5")}, time.Time{}, ""},
		"out of a cache":              {"sum(x)", "", map[string]string{"sum(x)": stored}, old, ""},
		"a little ahead":              {"x", "y", map[string]string{"y": seconds(time.Now().Add(50 * time.Second)), "x": vectorOf("5")}, time.Time{}, ""},
		"far ahead":                   {"x", "y", map[string]string{"y": seconds(time.Now().Add(time.Hour)), "x": vectorOf("5")}, old, "the time by prometheus.observedAt is"},
		"in milliseconds":             {"x", "y", map[string]string{"y": scalarOf("1e13"), "x": vectorOf("5")}, old, "ahead of cusme's clock"},
		"without end":                 {"x", "y", map[string]string{"y": scalarOf("1e300"), "x": vectorOf("5")}, old, "ahead of cusme's clock"},
		"never set":                   {"x", "y", map[string]string{"y": scalarOf("0"), "x": vectorOf("5")}, old, "prometheus.observedAt yielded 0"},
		"no time":                     {"x", "y", map[string]string{"y": vectorOf(), "x": vectorOf("5")}, old, "prometheus.observedAt found nothing, so the age of the value is unknown"},
		"a selector of nothing":       {"x", "", map[string]string{"timestamp(x)": vectorOf(), "x": vectorOf()}, old, "prometheus.query found nothing; where nothing means 0, say so: x or vector(0)"},
		"a selector of several":       {"x", "", map[string]string{"timestamp(x)": vectorOf("1", "1")}, old, "prometheus.query gave 2 series, expected one: aggregate, e.g. sum(x)"},
		"a selector of many names":    {`{job="x"}`, "", map[string]string{`{job="x"}`: vectorOf("1", "1")}, old, "prometheus.query gave 2 series"},
		"a refused time is a failure": {"x", "(", map[string]string{"x": vectorOf("5")}, old, "refused the query"},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, queryLoad(newPromServer(t, c.answers).url, c.query, c.observedAt))
			switch {
			case c.says != "":
				if got.Problem == "" || !strings.Contains(got.Message, c.says) {
					t.Errorf("got %+v, want %q", got, c.says)
				}
			case got.Problem != "" || got.Value != 5:
				t.Errorf("got %+v", got)
			case c.at.IsZero() && (got.At.Before(begun) || got.At.After(time.Now())):
				t.Errorf("true at %s, want now", got.At)
			case !c.at.IsZero() && !got.At.Equal(c.at):
				t.Errorf("true at %s, want %s", got.At, c.at)
			}
		})
	}
}

// TestTimeIsAskedFirst: a sample that comes between the two must not make an old
// value look fresh.
func TestTimeIsAskedFirst(t *testing.T) {
	p := newPromServer(t, map[string]string{"timestamp(x)": scalarOf("1772366390"), "x": scalarOf("1")})
	read(t, queryLoad(p.url+"/prefix/", "x", ""))
	if want := "[POST /prefix/api/v1/query timestamp(x) POST /prefix/api/v1/query x]"; fmt.Sprint(p.asked) != want {
		t.Errorf("asked %s, want %s", p.asked, want)
	}
}

// TestIsSelector: what is not surely a plain selector is none.
func TestIsSelector(t *testing.T) {
	for _, query := range []string{
		"x", " up\n", "job:x:sum", "sum", `x{}`, `x {a="b"}`, `{__name__="x"}`, `{__name__=~"a|b", c!=""}`, `x{a="}"}`, `x{a='{"'}`, "x{a=`\\`}", `x{a="\"}"}`, `{"a.b"}`, "x{\n  a=\"b\",\n}", `x{a="#"}`,
	} {
		if !isSelector(query) {
			t.Errorf("%s is not taken for a selector", query)
		}
	}
	for _, query := range []string{
		"", "{", "}", "5", "0x", "inf", "NaN", "Inf ", "-x", "(x)", "sum(x)", "x + y", "x[5m]", "x offset 5m", "x @ 5", `x{a="b"}[5m]`, `x{a="b"} offset 5m`, `x{a="b"} or vector(0)`, `x{a="b"} + x{c="d"}`,
		`x{a="b"`, `x{a="b}`, `x{a="b\"}`, "x # y", "x{a=\"b\" # }\n}", `x{}{}`, `x{{}}`, `"x"`, "vector(1)", "x y", "1x{}",
	} {
		if isSelector(query) {
			t.Errorf("%s is taken for a selector", query)
		}
	}
}

// TestServerWithoutPost is asked by GET from then on, with what its URL says besides.
func TestServerWithoutPost(t *testing.T) {
	for _, code := range []int{http.StatusMethodNotAllowed, http.StatusNotImplemented} {
		var posts, gets atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				posts.Add(1)
				w.WriteHeader(code)
				return
			}
			gets.Add(1)
			if r.URL.Path != "/api/v1/query" || r.URL.Query().Get("query") != "sum(x) + 1" || r.URL.Query().Get("dedup") != "false" {
				t.Errorf("asked for %s", r.URL)
			}
			io.WriteString(w, `{"status": "success", "data": `+scalarOf("1")+`}`)
		}))
		s, err := openOne(queryLoad(server.URL+"?dedup=false", "sum(x) + 1", ""), Options{})
		if err != nil {
			t.Fatal(err)
		}
		e := s.from.connect(surroundings{Options: Options{Door: anyDoor}})
		for range 2 {
			if a, err := e.ask(context.Background(), time.Minute); err != nil || *a.number != 1 {
				t.Errorf("got %+v, %v", a, err)
			}
		}
		if posts.Load() != 1 || gets.Load() != 2 {
			t.Errorf("asked %d times by POST and %d by GET, want 1 and 2", posts.Load(), gets.Load())
		}
		e.close()
		server.Close()
	}
}

// TestQueryRequest: what is sent, and that nothing secret of the URL is told.
func TestQueryRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "query=sum%28x%29" || r.URL.String() != "/api/v1/query?token=hush" || r.UserAgent() != "cusme/v9" ||
			r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("asked with %s %s %v %s", r.Method, r.URL, r.Header, body)
		}
		w.WriteHeader(http.StatusUnprocessableEntity)
		message, _ := json.Marshal("no such tenant: token=hush")
		fmt.Fprintf(w, `{"status": "error", "errorType": "execution", "error": %s}`, message)
	}))
	defer server.Close()
	got := read(t, queryLoad(server.URL+"?token=hush", "sum(x)", ""))
	if got.Problem != scaling.Failed || strings.Contains(got.Message, "hush") || !strings.Contains(got.Message, "execution: no such tenant: ") {
		t.Errorf("got %+v", got)
	}
}

// TestQueryRefused wants every field that cannot be understood named.
func TestQueryRefused(t *testing.T) {
	for want, spec := range map[string]v1alpha1.PrometheusSource{
		"loads[queue].prometheus.query: expected PromQL":            {URL: "http://prometheus", Query: " "},
		"loads[queue].prometheus.url: expected http:// or https://": {URL: "file:///x", Query: "x"},
		"loads[queue].prometheus.url: expected no user or password": {URL: "http://a:b@x", Query: "x"},
	} {
		_, err := openOne(v1alpha1.Load{Name: "queue", Prometheus: &spec}, Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestQueriesShareAPoll: the same question to the same server, and no other.
func TestQueriesShareAPoll(t *testing.T) {
	from := func(l v1alpha1.Load) address {
		s, err := openOne(l, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s.from
	}
	same := from(queryLoad("http://p", "x", ""))
	if from(queryLoad("http://p", "x", "")) != same {
		t.Error("equal queries do not share a poll")
	}
	for _, other := range []v1alpha1.Load{queryLoad("http://q", "x", ""), queryLoad("http://p", "y", ""), queryLoad("http://p", "x", "y")} {
		if from(other) == same {
			t.Errorf("%+v shares a poll with another question", other.Prometheus)
		}
	}
}
