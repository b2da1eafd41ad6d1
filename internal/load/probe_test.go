package load

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// utilization is the metric of a pod's GPUs.
var utilization = &v1alpha1.BusyMetric{Name: "gpu_util", Above: resource.NewQuantity(5, resource.DecimalSI)}

// TestCheckBusyRefuses wants every field that cannot be understood named, with a
// sentence that says what to write instead.
func TestCheckBusyRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spec v1alpha1.Busy
		want string // empty: accepted
	}{
		"a bool":                {v1alpha1.Busy{Port: 1, Value: "body.active > 0"}, ""},
		"a number":              {v1alpha1.Busy{Port: 65535, Path: "/busy?deep=1", Value: "size(body.jobs)"}, ""},
		"known when it runs":    {v1alpha1.Busy{Port: 8080, Value: "body.busy"}, ""},
		"a metric":              {v1alpha1.Busy{Port: 8080, Metric: utilization}, ""},
		"no question":           {v1alpha1.Busy{Port: 8080}, "busy: expected exactly one of value and metric, got none"},
		"two questions":         {v1alpha1.Busy{Port: 8080, Value: "1", Metric: utilization}, "busy: expected exactly one of value and metric, got both"},
		"no port":               {v1alpha1.Busy{Value: "1"}, "busy.port: expected 1 to 65535, got 0"},
		"too high a port":       {v1alpha1.Busy{Port: 65536, Value: "1"}, "busy.port: expected 1 to 65535, got 65536"},
		"another host":          {v1alpha1.Busy{Port: 8080, Path: "@elsewhere.test/", Value: "1"}, "busy.path: expected a path that begins with /"},
		"half an escape":        {v1alpha1.Busy{Port: 8080, Path: "/%z", Value: "1"}, "busy.path: expected a path"},
		"a syntax error":        {v1alpha1.Busy{Port: 8080, Value: "body."}, "busy.value: ERROR: "},
		"an unknown variable":   {v1alpha1.Busy{Port: 8080, Value: "bdoy.active"}, "busy.value: ERROR: "},
		"a string":              {v1alpha1.Busy{Port: 8080, Value: "'yes'"}, "busy.value: expected an expression that yields a bool or a number, this one yields string"},
		"a metric with no name": {v1alpha1.Busy{Port: 8080, Metric: &v1alpha1.BusyMetric{}}, "busy: expected exactly one"},
	} {
		err := CheckBusy(c.spec)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestPodAnswers wants a pod idle only if it says so, whatever else it says.
func TestPodAnswers(t *testing.T) {
	byValue := func(text string) v1alpha1.Busy { return v1alpha1.Busy{Value: text} }
	byMetric := v1alpha1.Busy{Metric: utilization}
	huge := strings.Repeat("# x\n", bodyLimit/4) + "gpu_util 0\n"
	for name, c := range map[string]struct {
		spec    v1alpha1.Busy
		serve   http.HandlerFunc
		want    scaling.Busy
		silence string // part of it; empty: there is none
	}{
		"false":            {byValue("body.busy"), says(`{"busy": false}`), scaling.Idle, ""},
		"true":             {byValue("body.busy"), says(`{"busy": true}`), scaling.Working, ""},
		"zero":             {byValue("body.n"), says(`{"n": 0}`), scaling.Idle, ""},
		"a little":         {byValue("body.n"), says(`{"n": 0.1}`), scaling.Working, ""},
		"an empty list":    {byValue("size(body)"), says(`[]`), scaling.Idle, ""},
		"a list":           {byValue("size(body)"), says(`[1]`), scaling.Working, ""},
		"a header":         {byValue(`headers["content-length"] == "2"`), says(`{}`), scaling.Working, ""},
		"within its host":  {byValue("body.busy"), redirects(2, `{"busy": false}`), scaling.Idle, ""},
		"a negative":       {byValue("body.n"), says(`{"n": -1}`), scaling.Working, "busy.value yielded -1, expected 0 or more"},
		"a word":           {byValue("body.busy"), says(`{"busy": "no"}`), scaling.Working, "busy.value yielded a string"},
		"null":             {byValue("body.busy"), says(`{"busy": null}`), scaling.Working, "busy.value yielded null"},
		"no such field":    {byValue("body.busy"), says(`{}`), scaling.Working, "no such key: busy"},
		"garbage":          {byValue("body.busy"), says(`<html>`), scaling.Working, "an HTML page"},
		"nothing":          {byValue("body.busy"), says(``), scaling.Working, "empty"},
		"huge":             {byValue("body.busy"), says(`{"busy": false}` + strings.Repeat(" ", bodyLimit)), scaling.Working, "more than 1024 KiB"},
		"an error":         {byValue("body.busy"), status(500, `{"busy": false}`), scaling.Working, "answered 500"},
		"no content":       {byValue("false"), status(204, ""), scaling.Working, "answered 204"},
		"hanging":          {byValue("false"), hang, scaling.Working, "no whole answer within"},
		"dripping":         {byValue("false"), drip, scaling.Working, "no whole answer within"},
		"reset":            {byValue("false"), abort, scaling.Working, "gave no answer"},
		"off its host":     {byValue("false"), redirect("http://elsewhere.test/?token=hush"), scaling.Working, "redirects to http://elsewhere.test/, and"},
		"the limit itself": {byMetric, says("# TYPE gpu_util gauge\ngpu_util 5\n"), scaling.Idle, ""},
		"above it":         {byMetric, says("gpu_util 5.1\n"), scaling.Working, ""},
		"a counter":        {byMetric, says("# TYPE gpu_util counter\ngpu_util 6 1772366390000\n"), scaling.Working, ""},
		"a sum of idle":    {byMetric, says("gpu_util{gpu=\"0\"} 2\ngpu_util{gpu=\"1\"} 3\nother 9\n"), scaling.Idle, ""},
		"a sum of busy":    {byMetric, says("gpu_util{gpu=\"0\"} 3\nother 9\ngpu_util{gpu=\"1\"} 3\n"), scaling.Working, ""},
		"another metric":   {byMetric, says("gpu_utility 0\n"), scaling.Working, "no sample of gpu_util"},
		"no sample":        {byMetric, says("# TYPE gpu_util gauge\n"), scaling.Working, "no sample of gpu_util"},
		"no metric at all": {byMetric, says(""), scaling.Working, "no sample of gpu_util"},
		"a NaN":            {byMetric, says("gpu_util NaN\ngpu_util{gpu=\"1\"} 0\n"), scaling.Working, "add up to NaN"},
		"infinity":         {byMetric, says("gpu_util -Inf\n"), scaling.Working, "add up to -Inf"},
		"a histogram":      {byMetric, says("# TYPE gpu_util histogram\ngpu_util_count 0\n"), scaling.Working, "gpu_util is a HISTOGRAM, expected a gauge"},
		"half a line":      {byMetric, says("other 1\ngpu_util 0"), scaling.Working, "not Prometheus text: line 2"},
		"JSON":             {byMetric, says(`{"hush": 0}`), scaling.Working, "not Prometheus text: line 1"},
		"huge metrics":     {byMetric, says(huge), scaling.Working, "more than 1024 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.serve)
			defer server.Close()
			c.spec.Port = portOf(t, server.URL)
			got := asked(t, c.spec, "127.0.0.1")
			if got.busy != c.want || (got.silence == "") != (c.silence == "") || !strings.Contains(got.silence, c.silence) || strings.Contains(got.silence, "hush") {
				t.Errorf("got %+v, want %s, %q", got, c.want, c.silence)
			}
		})
	}
}

// TestPodThatRefuses: nobody listens.
func TestPodThatRefuses(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	got := asked(t, v1alpha1.Busy{Port: portOf(t, server.URL), Value: "false"}, "127.0.0.1")
	if got.busy != scaling.Working || !strings.Contains(got.silence, "refused") {
		t.Errorf("got %+v", got)
	}
}

func TestPodAddresses(t *testing.T) {
	q := question{port: 8080, path: "/busy?x=1"}
	for pod, want := range map[string]string{
		"10.0.0.1":  "http://10.0.0.1:8080/busy?x=1",
		"fd00::1:2": "http://[fd00::1:2]:8080/busy?x=1",
	} {
		if got, err := q.at(pod); err != nil || got.url != want {
			t.Errorf("pod %s is asked at %q (%v), want %q", pod, got.url, err, want)
		}
	}
	for _, pod := range []string{"", "web-0", "10.0.0.1:80", "10.0.0.1/x@elsewhere.test", "[fd00::1]"} {
		if got, err := q.at(pod); err == nil {
			t.Errorf("pod %q is asked at %s", pod, got.url)
		}
	}
}

// TestPodOverIPv6 wants the URL of an IPv6 pod to be one that works.
func TestPodOverIPv6(t *testing.T) {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	server := httptest.NewUnstartedServer(says(`{"busy": false}`))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	defer server.Close()
	if got := asked(t, v1alpha1.Busy{Port: portOf(t, server.URL), Value: "body.busy"}, "::1"); got.busy != scaling.Idle {
		t.Errorf("got %+v", got)
	}
}

// TestInquiryOverHTTP runs the whole way, over real connections, and leaves no
// goroutine behind (TestMain looks). A pod that is asked again is asked over the
// same connection, until Close, with nothing on it that tells a pod a secret.
func TestInquiryOverHTTP(t *testing.T) {
	var connections, asked atomic.Int32
	closed := make(chan bool, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != "GET" || r.URL.String() != "/metrics?gpu=1" || r.UserAgent() != "cusme/v9" || r.Header.Get("Accept") != textFormat || len(r.Header) != 2 {
			t.Errorf("asked with %s %s %v", r.Method, r.URL, r.Header)
		}
		io.WriteString(w, "gpu_util 0\n")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			connections.Add(1)
		case http.StateClosed:
			closed <- true
		}
	}
	server.Start()
	defer server.Close()
	r := NewReadings(Options{Door: anyDoor, Version: "v9"})
	defer r.Close()
	if r.toPods.Proxy != nil {
		t.Error("a proxy may be asked")
	}
	spec := v1alpha1.Busy{Port: portOf(t, server.URL), Path: "/metrics?gpu=1", Metric: utilization}
	woken := make(chan bool)
	for range 3 {
		if err := r.Ask("scaler", spec, []Candidate{{UID: "a", Address: "127.0.0.1"}}, func() { woken <- true }); err != nil {
			t.Fatal(err)
		}
		within(t, woken, "nobody was woken")
		if got := r.Answers("scaler")["a"]; got != scaling.Idle {
			t.Errorf("got %q, silences %v", got, r.Silences("scaler"))
		}
	}
	if asked.Load() != 3 || connections.Load() != 1 {
		t.Errorf("asked %d times over %d connections, want 3 and 1", asked.Load(), connections.Load())
	}
	r.Close()
	within(t, closed, "the connection stays open after Close")
}

func within(t *testing.T, happens chan bool, otherwise string) {
	t.Helper()
	select {
	case <-happens:
	case <-time.After(10 * time.Second):
		t.Fatal(otherwise)
	}
}

// asked asks one pod, by itself. A pod that hangs is given up sooner than by an inquiry.
func asked(t *testing.T, spec v1alpha1.Busy, pod string) heard {
	t.Helper()
	p, err := openProbe(spec)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReadings(Options{Door: anyDoor})
	defer r.Close()
	in := &inquirer{probe: p}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	a, err := r.ask(ctx, in.question, pod)
	return in.judge(context.Background(), echo{answer: a, err: err})
}

func portOf(t *testing.T, address string) int32 {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return int32(port)
}

// FuzzMetrics feeds whatever a pod could say to the metric's reader. Whatever
// comes, it is a finite number, or a short sentence.
func FuzzMetrics(f *testing.F) {
	for _, text := range []string{
		"gpu_util 1\n", "gpu_util{gpu=\"0\"} 1 1772366390000\ngpu_util NaN\n", "# TYPE gpu_util summary\ngpu_util{quantile=\"0.5\"} 1\n",
		"# TYPE gpu_util histogram\ngpu_util_bucket{le=\"1\"} 1\n", "{\"gpu_util\", a=\"b\"} 1e308\n{\"gpu_util\"} 1e308\n", "# HELP", "gpu_util 1", "\xff 1\n", "# EOF\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		values, err := samples(text, selector{metric: "gpu_util"})
		sum := math.NaN()
		if len(values) > 0 {
			sum = combine("sum", values)
		}
		good := err == nil && !math.IsNaN(sum) && !math.IsInf(sum, 0)
		bad := err != nil && values == nil && len(err.Error()) < 4*sentenceLimit+200
		if !good && !bad {
			t.Errorf("%q became %v, %v", text, values, err)
		}
	})
}
