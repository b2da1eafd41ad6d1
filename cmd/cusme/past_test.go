package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
	"cusme.dev/cusme/internal/ticklog"
)

// pastOf is shop/webui with a load, whose past these tests look at.
func pastOf(load v1alpha1.Load) subject {
	load.Name = "backend"
	s := subject{namespace: "shop", name: "webui", load: load}
	s.spec.ScaleTargetRef = v1alpha1.TargetRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "painter"}
	return s
}

func nobody() surroundings {
	return surroundings{getenv: func(string) string { return "" }, stdin: strings.NewReader("")}
}

func count(t *testing.T, trace simulate.Trace) (n int) {
	t.Helper()
	for _, err := range trace.Requests(1) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// anHour writes the ticks of two LoadScalers, at each of which 2 of 4 pods work; one reading failed, and is no 0.
func anHour(t *testing.T, path string) {
	t.Helper()
	log, err := ticklog.Open(ticklog.Options{Path: path, MaxBytes: 1 << 20, Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for minute := range 61 {
		for _, scaler := range []string{"shop/webui", "shop/other"} {
			tick := scaling.Tick{Scaler: scaler}
			tick.Observation.Now = time.Date(2026, time.November, 23, 12, minute, 0, 0, time.UTC)
			tick.Decision.Pods.Ready = 4
			tick.Decision.Loads = []scaling.Verdict{
				{Reading: scaling.Reading{Load: "backend", Value: 0.5}, State: scaling.Fresh},
				{Reading: scaling.Reading{Load: "other", Value: 9}, State: scaling.Fresh},
			}
			if minute == 30 {
				tick.Decision.Loads[0].State = scaling.Failed
			}
			log.Write(tick)
		}
	}
}

// TestTicksAreADemand replays what a controller wrote down.
func TestTicksAreADemand(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ticks")
	anHour(t, path)
	p := past{ticks: path, service: 20 * time.Second}
	trace, notes, err := p.demand(t.Context(), pastOf(v1alpha1.Load{}), nobody())
	if err != nil {
		t.Fatal(err)
	}
	if n, want := count(t, trace), 2*3600/20; n != want || trace.Span != time.Hour || trace.Name != "webui" || len(notes) == 0 || !strings.Contains(notes[0], "every request takes 20s") {
		t.Errorf("got %d requests in %s of %s, %q; want %d in an hour", n, trace.Span, trace.Name, notes, want)
	}

	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	around := nobody()
	around.stdin = strings.NewReader("time=now level=INFO\n" + string(whole))
	p = past{ticks: "-", service: time.Second, scaler: "shop/other", from: "2026-11-23T12:30:00Z", to: "2026-11-23T12:40:00Z"}
	trace, notes, err = p.demand(t.Context(), pastOf(v1alpha1.Load{}), around)
	if err != nil || trace.Span != 9*time.Minute || notes[0] != "Lines of - that are no ticks were left out: 1." {
		t.Errorf("of the other, from the standard input, 10 minutes of which the first has no value: got %s, %q, %v", trace.Span, notes, err)
	}
}

func TestPastsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ticks")
	anHour(t, path)
	for want, p := range map[string]past{
		"--ticks: expected ticks of shop/gone, found shop/other, shop/webui: --scaler says of which":                               {scaler: "shop/gone"},
		"--ticks: expected values of the load backend of shop/webui, found none from 2026-11-24T00:00:00Z to 2026-11-25T00:00:00Z": {from: "2026-11-24T00:00:00Z", to: "2026-11-25T00:00:00Z"},
		"--ticks: tick log: open nowhere: no such file or directory":                                                               {ticks: "nowhere"},
		"load history webui: expected two points or more, got 1; docs/traces.md says how to get a history":                         {from: "2026-11-23T12:59:30Z", to: "2026-11-24T00:00:00Z"},
		"--ticks and --prometheus are two histories: give one of them":                                                             {query: "up"},
		"--service-time: expected more than 0s, got -1s":                                                                           {service: -time.Second},
		"--scaler: expected namespace/name, got \"webui\"":                                                                         {scaler: "webui"},
		"--step: expected 1s or more, got 1ms":                                                                                     {step: time.Millisecond},
		"--from: expected a time such as 2026-11-16T00:00:00Z, or how long ago, such as 7d or 12h, got \"monday\"":                 {from: "monday"},
		"--to: expected a time such as":                                                                                            {to: "soon"},
		"--from: expected a time before --to (2026-11-01T00:00:00Z), got 2026-11-02T00:00:00Z":                                     {from: "2026-11-02T00:00:00Z", to: "2026-11-01T00:00:00Z"},
	} {
		if p.service == 0 {
			p.service = time.Second
		}
		if p.ticks == "" {
			p.ticks = path
		}
		if _, _, err := p.demand(t.Context(), pastOf(v1alpha1.Load{}), nobody()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// An archivist answers range queries as Prometheus does: from a function of time, for at most 11,000 points.
type archivist struct {
	*httptest.Server
	asked  []*http.Request
	answer func(query string, at int64) string // a sample's value; empty for none
}

func newArchivist(t *testing.T, answer func(query string, at int64) string) *archivist {
	a := &archivist{answer: answer}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *archivist) serve(w http.ResponseWriter, r *http.Request) {
	a.asked = append(a.asked, r)
	var start, end, step float64
	q := r.URL.Query()
	fmt.Sscan(q.Get("start"), &start)
	fmt.Sscan(q.Get("end"), &end)
	fmt.Sscan(q.Get("step"), &step)
	if r.URL.Path != "/api/v1/query_range" || (end-start)/step >= 11_000 {
		http.Error(w, `{"error":"exceeded maximum resolution of 11,000 points per timeseries"}`, http.StatusBadRequest)
		return
	}
	var values []string
	for at := start; at <= end; at += step {
		if v := a.answer(q.Get("query"), int64(at)); v != "" {
			values = append(values, fmt.Sprintf("[%.0f,%q]", at, v))
		}
	}
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]},"warnings":["PromQL info: hm"]}`, strings.Join(values, ","))
}

// TestPrometheusIsADemand asks in parts, for cusme's own metrics unless told, and takes no point that lacks a number.
func TestPrometheusIsADemand(t *testing.T) {
	t.Parallel()
	to := time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	gap := to.Add(-6 * time.Hour).Unix()
	a := newArchivist(t, func(query string, at int64) string {
		switch {
		case strings.Contains(query, "cusme_replicas"):
			return "4"
		case at == gap:
			return "NaN"
		case at > gap && at < gap+600:
			return ""
		}
		return "0.5"
	})
	p := past{prometheus: a.URL + "/", from: "2026-11-16T12:00:07Z", to: to.Format(time.RFC3339), service: 20 * time.Second}
	trace, notes, err := p.demand(t.Context(), pastOf(v1alpha1.Load{}), nobody())
	if err != nil {
		t.Fatal(err)
	}
	if n, want := count(t, trace), 7*24*3600*2/20; n < want-1 || n > want+1 {
		t.Errorf("got %d requests, want %d", n, want)
	}
	if got := strings.Join(notes, "; "); !strings.Contains(got, "For 10m15s of 168h0m0s there is no reading") {
		t.Errorf("noted: %s", got)
	}
	if parts := (7*24*3600/15)/stepsAtOnce + 1; len(a.asked) != 2*parts {
		t.Errorf("asked %d times, want twice %d", len(a.asked), parts)
	}
	for i, want := range map[int]string{
		0:                `max(cusme_load{namespace="shop",scaler="webui",load="backend"} and cusme_load_fresh{namespace="shop",scaler="webui",load="backend"} == 1)`,
		len(a.asked) - 1: `max(cusme_replicas{namespace="shop",scaler="webui",count="ready"}) or max(kube_deployment_status_replicas_ready{namespace="shop",deployment="painter"})`,
	} {
		if got := a.asked[i].URL.Query().Get("query"); got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
	}
}

// TestWhoseCredentials sends what the load's source holds to its own server only.
func TestWhoseCredentials(t *testing.T) {
	t.Parallel()
	one := func(string, int64) string { return "1" }
	own, other := newArchivist(t, one), newArchivist(t, one)
	load := v1alpha1.Load{Prometheus: &v1alpha1.PrometheusSource{URL: own.URL, Query: "sum(mine)"}}
	load.Prometheus.Headers = []v1alpha1.Header{{Name: "X-Scope-OrgID", Value: "shop"}}
	for _, c := range []struct {
		p     past
		a     *archivist
		scope string
	}{
		{past{from: "1h"}, own, "shop"},
		{past{prometheus: own.URL + "/"}, own, "shop"},
		{past{prometheus: other.URL}, other, ""},
	} {
		c.a.asked, c.p.service = nil, time.Second
		if _, _, err := c.p.demand(t.Context(), pastOf(load), nobody()); err != nil {
			t.Fatal(err)
		}
		for _, r := range c.a.asked {
			if got := r.Header.Get("X-Scope-OrgID"); got != c.scope {
				t.Errorf("%+v: sent the header %q, want %q", c.p, got, c.scope)
			}
		}
		if query := c.a.asked[0].URL.Query().Get("query"); query != "sum(mine)" {
			t.Errorf("%+v: asked %s, want the load's own query", c.p, query)
		}
	}
	load.Prometheus.Auth = &v1alpha1.Auth{Bearer: &v1alpha1.SecretValue{SecretKeyRef: v1alpha1.SecretKey{Name: "prometheus", Key: "token"}}}
	p := past{from: "1h", service: time.Second}
	if _, _, err := p.demand(t.Context(), pastOf(load), nobody()); err == nil || !strings.Contains(err.Error(), "auth.bearer: there is no cluster to read Secret shop/prometheus from: pass --kubeconfig, or set KUBECONFIG") {
		t.Errorf("without a cluster to read the Secret from: %v", err)
	}
}

// TestPrometheusThatCannotBeMeant says what is wrong, and repeats no password.
func TestPrometheusThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	body, status := "", http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		url, body string
		status    int
		want      string
	}{
		{"http://me:hush@host", "", 200, "--prometheus: expected no user or password in the URL"},
		{"http://me:hush@ho st", "", 200, "--prometheus: expected a URL such as http://prometheus.monitoring:9090, got one that cannot be parsed"},
		{"prometheus:9090", "", 200, "--prometheus: expected a URL such as http://prometheus.monitoring:9090, got"},
		{"http://127.0.0.1:1", "", 200, "--query q: http://127.0.0.1:1/api/v1/query_range cannot be asked: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"", `{"data":{"resultType":"matrix","result":[]}}`, 200, "found nothing from 20"},
		{"", `{"data":{"resultType":"matrix","result":[{"values":[[1,"1"]]},{"values":[[1,"1"]]}]}}`, 200, "gave 2 series, expected one: aggregate"},
		{"", `{"data":{"resultType":"matrix","result":[{"values":[[1,1]]}]}}`, 200, `expected samples such as [1772366390.5, "0.83"]`},
		{"", `{"data":{"resultType":"matrix","result":[{"values":[[1]]}]}}`, 200, `expected samples such as`},
		{"", `{"data":{"resultType":"vector"}}`, 200, "gave another answer than Prometheus' HTTP API to a range query"},
		{"", `<html>`, 200, "gave another answer than Prometheus' HTTP API to a range query"},
		{"", `{"data":{"resultType":"matrix"},"warnings":["store 2 is\n away"]}`, 200, "warns, so that a part may be missing: store 2 is away"},
		{"", `{"status":"error","error":"parse error: unclosed"}`, 400, "refused the query: parse error: unclosed"},
		{"", "no\x1b[31m such\npage", 404, "answered 404 Not Found, expected 200: no [31m such page"},
		{"", strings.Repeat("x", rangeLimit+1), 200, "answered more than 1 MiB, expected one series"},
	} {
		p := past{prometheus: c.url, query: "q", service: time.Second}
		if body, status = c.body, c.status; c.url == "" {
			p.prometheus = server.URL
		}
		_, _, err := p.demand(t.Context(), pastOf(v1alpha1.Load{}), nobody())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s %.60s: got %v, want %s", c.url, c.body, err, c.want)
		}
	}
	p := past{from: "1h", service: time.Second}
	_, _, err := p.demand(t.Context(), pastOf(v1alpha1.Load{}), nobody())
	var misuse misuseError
	if !errors.As(err, &misuse) || !strings.HasSuffix(err.Error(), "as the load's own source is no Prometheus") || misuse.hint != howToGetAHistory {
		t.Errorf("without a server: %v", err)
	}
}
