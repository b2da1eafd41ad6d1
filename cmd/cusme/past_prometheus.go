package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/simulate"
	"cusme.dev/cusme/internal/transport"
)

const (
	// stepsAtOnce is how many points are asked for at a time; Prometheus gives no more than 11,000.
	stepsAtOnce = 10_000
	// rangeLimit is the longest answer that is read, in bytes: so many points are half of that.
	rangeLimit = 1 << 20
	// rangeTimeout bounds a question: a week of a heavy query takes a while.
	rangeTimeout = time.Minute
	// defaultPast is how far back a Prometheus is asked, unless told: it keeps 15 days unless told.
	defaultPast = 7 * 24 * time.Hour
)

// queried asks a Prometheus for the points of a load. Where either number is missing there is none.
func (p *past) queried(ctx context.Context, s subject, within span, around surroundings) ([]simulate.Point, error) {
	a, err := p.archive(s, around)
	if err != nil {
		return nil, err
	}
	defer a.transport.CloseIdleConnections()
	if within.from.IsZero() {
		within.from = within.to.Add(-defaultPast)
	}
	step := max(cmp.Or(p.step, s.interval()), time.Second)
	within.from = aligned(within.from, step)
	loads, err := a.series(ctx, "--query", p.loadQuery(s), within, step)
	if err != nil {
		return nil, err
	}
	ready, err := a.series(ctx, "--ready-query", p.podsQuery(s), within, step)
	if err != nil {
		return nil, err
	}
	var points []simulate.Point
	for at := within.from; !at.After(within.to); at = at.Add(step) {
		load, isLoad := loads[at.UnixMilli()]
		pods, isPods := ready[at.UnixMilli()]
		if isLoad && isPods && pods <= math.MaxInt32 {
			points = append(points, simulate.Point{At: at.UTC(), Load: load, Ready: int32(pods)})
		}
	}
	return points, nil
}

// aligned is the last multiple of a step since 1970 up to a time: some servers
// align what they are asked for, and no answer depends on the moment of asking.
func aligned(t time.Time, step time.Duration) time.Time {
	return time.UnixMilli(t.UnixMilli() / step.Milliseconds() * step.Milliseconds())
}

// own is the load's source, where that is a Prometheus and no other is asked.
func (p *past) own(s subject) *v1alpha1.PrometheusSource {
	source := s.load.Prometheus
	if source == nil || p.prometheus != "" && strings.TrimRight(p.prometheus, "/") != strings.TrimRight(source.URL, "/") {
		return nil
	}
	return source
}

// loadQuery is the load's own query, else cusme's metric of its fresh values.
func (p *past) loadQuery(s subject) string {
	if p.query != "" {
		return p.query
	}
	if s.load.Prometheus != nil {
		return s.load.Prometheus.Query
	}
	labels := fmt.Sprintf("{namespace=%q,scaler=%q,load=%q}", s.namespace, s.name, s.load.Name)
	return "max(cusme_load" + labels + " and cusme_load_fresh" + labels + " == 1)"
}

// podsQuery is cusme's metric of the ready pods, else that of kube-state-metrics.
func (p *past) podsQuery(s subject) string {
	if p.readyQuery != "" {
		return p.readyQuery
	}
	query := fmt.Sprintf("max(cusme_replicas{namespace=%q,scaler=%q,count=\"ready\"})", s.namespace, s.name)
	ref := s.spec.ScaleTargetRef
	metric := map[string]string{
		"Deployment":  "kube_deployment_status_replicas_ready",
		"StatefulSet": "kube_statefulset_status_replicas_ready",
		"ReplicaSet":  "kube_replicaset_status_ready_replicas",
	}[ref.Kind]
	if metric != "" {
		query += fmt.Sprintf(" or max(%s{namespace=%q,%s=%q})", metric, s.namespace, strings.ToLower(ref.Kind), ref.Name)
	}
	return query
}

// An archive is a server that speaks Prometheus' HTTP API.
type archive struct {
	url       *url.URL // without query or credentials
	transport transport.RoundTripper
}

// archive opens the server. The load's credentials are for the load's own server only.
func (p *past) archive(s subject, around surroundings) (archive, error) {
	var connection v1alpha1.Connection
	address := p.prometheus
	if source := p.own(s); source != nil {
		address, connection = source.URL, source.Connection
	}
	u, err := serverAt(address)
	if err != nil {
		return archive{}, misuseError{fmt.Errorf("--prometheus: %w", err), howToGetAHistory}
	}
	access, err := transport.AccessOf(s.namespace, connection)
	if err != nil {
		return archive{}, err
	}
	secrets, err := newProbedCluster(p.kubeconfig, around.getenv)
	if err != nil {
		return archive{}, err
	}
	door := transport.NewDoor(transport.Options{UserAgent: "cusme/" + version, Guard: transport.Guard{Operator: true}, Secrets: secrets})
	carrier, err := door.RoundTripper(access)
	return archive{u.JoinPath("api/v1/query_range"), carrier}, err
}

// serverAt reads the address of a Prometheus.
func serverAt(address string) (*url.URL, error) {
	const such = "expected a URL such as http://prometheus.monitoring:9090"
	u, err := url.Parse(address)
	switch {
	case address == "":
		return nil, errors.New(such + ", as the load's own source is no Prometheus")
	case err != nil:
		return nil, errors.New(such + ", got one that cannot be parsed")
	case u.User != nil:
		return nil, errors.New("expected no user or password in the URL: give them as auth of the load's prometheus source, out of a Secret")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%s, got %q", such, address)
	}
	return u, nil
}

// series are the values of a query by their times in milliseconds, numbers from
// 0 on; what is none is missing.
func (a archive) series(ctx context.Context, flag, query string, within span, step time.Duration) (map[int64]float64, error) {
	all := map[int64]float64{}
	for from := within.from; !from.After(within.to); from = from.Add(stepsAtOnce * step) {
		to := from.Add((stepsAtOnce - 1) * step)
		if to.After(within.to) {
			to = within.to
		}
		if err := a.part(ctx, query, span{from, to}, step, all); err != nil {
			return nil, fmt.Errorf("%s %s: %w", flag, query, err)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s %s: found nothing %s; %s", flag, query, within, howToGetAHistory)
	}
	return all, nil
}

// part asks for one part of a series.
func (a archive) part(ctx context.Context, query string, within span, step time.Duration, into map[int64]float64) error {
	ctx, cancel := context.WithTimeout(ctx, rangeTimeout)
	defer cancel()
	seconds := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64) }
	address := *a.url
	address.RawQuery = url.Values{
		"query": {query}, "start": {seconds(within.from)}, "end": {seconds(within.to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: a.transport}).Do(request)
	var unreached *url.Error
	if errors.As(err, &unreached) {
		err = unreached.Err // its address is the query once more
	}
	if err != nil {
		return fmt.Errorf("%s cannot be asked: %w", a.url, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, rangeLimit+1))
	if err != nil {
		return fmt.Errorf("%s broke off: %w", a.url, err)
	}
	if len(body) > rangeLimit {
		return fmt.Errorf("%s answered more than %d MiB, expected one series: aggregate, e.g. sum(…)", a.url, rangeLimit>>20)
	}
	return a.understand(response.Status, body, into)
}

// A rangeAnswer is an answer of Prometheus' HTTP API to a range query.
type rangeAnswer struct {
	Data struct {
		ResultType string `json:"resultType"`
		Result     []struct {
			Values [][]json.RawMessage `json:"values"`
		} `json:"result"`
	} `json:"data"`
	Error    string   `json:"error"`
	Warnings []string `json:"warnings"`
}

// doubt is a warning of a server with several stores. Remarks on the PromQL itself change no number.
func (a rangeAnswer) doubt() string {
	for _, w := range a.Warnings {
		if !strings.HasPrefix(w, "PromQL ") {
			return w
		}
	}
	return ""
}

// understand takes the values of the one series of an answer.
func (a archive) understand(status string, body []byte, into map[int64]float64) error {
	var answer rangeAnswer
	err := json.Unmarshal(body, &answer)
	told := transport.Mask(a.transport)
	switch {
	case err == nil && answer.Error != "":
		return fmt.Errorf("%s refused the query: %s", a.url, plain(told.Replace(answer.Error)))
	case !strings.HasPrefix(status, "200"):
		return fmt.Errorf("%s answered %s, expected 200: %s", a.url, status, plain(told.Replace(string(body))))
	case err != nil || answer.Data.ResultType != "matrix":
		return fmt.Errorf("%s gave another answer than Prometheus' HTTP API to a range query: check that the URL is its server's, up to but without /api/v1", a.url)
	case answer.doubt() != "":
		return fmt.Errorf("%s warns, so that a part may be missing: %s", a.url, plain(told.Replace(answer.doubt())))
	case len(answer.Data.Result) > 1:
		return fmt.Errorf("%s gave %d series, expected one: aggregate, e.g. sum(…) or max(…)", a.url, len(answer.Data.Result))
	}
	for _, series := range answer.Data.Result {
		for _, pair := range series.Values {
			at, value, err := sample(pair)
			if err != nil {
				return fmt.Errorf("%s: %w", a.url, err)
			}
			if value >= 0 && !math.IsInf(value, 1) {
				into[at] = value
			}
		}
	}
	return nil
}

// sample reads a pair of a time in seconds and a number in a string.
func sample(pair []json.RawMessage) (at int64, value float64, err error) {
	var seconds float64
	var text string
	if len(pair) == 2 && json.Unmarshal(pair[0], &seconds) == nil && json.Unmarshal(pair[1], &text) == nil {
		if value, err = strconv.ParseFloat(text, 64); err == nil || errors.Is(err, strconv.ErrRange) {
			return int64(math.Round(seconds * 1000)), value, nil
		}
	}
	return 0, 0, fmt.Errorf("expected samples such as [1772366390.5, \"0.83\"], got %.60q", pair)
}

// plain is the beginning of a foreign text, on one line and without what a terminal would obey.
func plain(text string) string {
	words := slices.Collect(strings.FieldsFuncSeq(text, func(r rune) bool { return !strconv.IsPrint(r) || r == ' ' }))
	return fmt.Sprintf("%.200s", strings.Join(words, " "))
}
