package load

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/transport"
)

// openPrometheus understands a query; field is its path in the spec.
func openPrometheus(p place, field string, spec v1alpha1.PrometheusSource) (Source, error) {
	access, accessErr := transport.AccessOf(p.namespace(), spec.Connection)
	a := prometheusAddress{url: spec.URL, query: spec.Query, observedAt: spec.ObservedAt, access: access}
	timeout, timeoutErr := timeoutOf(field, spec.Timeout)
	if err := errors.Join(a.check(field), timeoutErr, accessErr); err != nil {
		return Source{}, err
	}
	return Source{from: a, timeout: timeout}, nil
}

// prometheusAddress is a question to a server that speaks Prometheus' HTTP API.
type prometheusAddress struct {
	url               string // up to but without /api/v1
	query, observedAt string // in PromQL; observedAt may be empty
	access            transport.Access
}

// check says what is wrong with the address. PromQL is the server's to understand.
func (a prometheusAddress) check(field string) error {
	if strings.TrimSpace(a.query) == "" {
		return fmt.Errorf("%s.query: expected PromQL that yields one number, such as sum(queue_length), got none", field)
	}
	return httpAddress{url: a.url}.check(field)
}

func (a prometheusAddress) connect(s surroundings) endpoint {
	e := &prometheusEndpoint{prometheusAddress: a, httpEndpoint: a.api().connect(s).(*httpEndpoint)}
	switch {
	case a.observedAt != "":
		e.timeQuery = query{field: "prometheus.observedAt", written: a.observedAt, text: a.observedAt}
	case isSelector(a.query):
		e.timeQuery = query{field: "prometheus.query", written: a.query, text: "timestamp(" + a.query + ")"}
	}
	return e
}

// api is where the server takes instant queries.
func (a prometheusAddress) api() httpAddress {
	u, err := url.Parse(a.url)
	if err != nil {
		u = &url.URL{} // check has refused it; asking fails with a sentence
	}
	return httpAddress{url: u.JoinPath("api/v1/query").String(), access: a.access}
}

// prometheusEndpoint asks by instant queries.
type prometheusEndpoint struct {
	prometheusAddress
	*httpEndpoint
	timeQuery query // yields when the value was true, in seconds since 1970; the zero query is none
	get       bool  // the server takes no POST
}

// A query is PromQL for one number.
type query struct {
	field, written string // where it comes from in the spec, and what stands there
	text           string
}

// ask asks for the time first. A sample that arrives between the two questions
// then makes the value newer than its time, never older. The time to evaluate at
// is left to the server: its clock and cusme's may differ.
func (e *prometheusEndpoint) ask(ctx context.Context, within time.Duration) (answer, error) {
	at, timeErr := e.observed(ctx, within)
	var refused refusalError
	if timeErr != nil && !errors.As(timeErr, &refused) {
		return answer{}, timeErr
	}
	got, err := e.evaluate(ctx, within, query{field: "prometheus.query", written: e.query, text: e.query})
	// The query's own fault says more than what it does to timestamp(…).
	if err := cmp.Or(err, timeErr); err != nil {
		return answer{}, err
	}
	if at.IsZero() {
		at = got.at
	}
	return answer{number: &got.value, partial: got.partial, received: got.received, at: at}, nil
}

// observed returns when the value is true; the zero time where only the server's
// evaluation tells.
func (e *prometheusEndpoint) observed(ctx context.Context, within time.Duration) (time.Time, error) {
	if e.timeQuery.text == "" {
		return time.Time{}, nil
	}
	told, err := e.evaluate(ctx, within, e.timeQuery)
	if err != nil {
		return time.Time{}, err
	}
	return told.moment(e.timeQuery)
}

// evaluate has the server evaluate a query to one number.
func (e *prometheusEndpoint) evaluate(ctx context.Context, within time.Duration, q query) (evaluation, error) {
	if e.broken != nil {
		return evaluation{}, failed("%s cannot be asked: %w", e.shown, e.hushed(e.broken))
	}
	asked := time.Now()
	response, err := e.send(ctx, within, q.text)
	if err != nil {
		return evaluation{}, err
	}
	defer response.Body.Close()
	body, err := e.readQuery(response, within)
	if err != nil {
		return evaluation{}, err
	}
	received := time.Now()
	found, err := e.understand(body, q)
	if err != nil {
		return evaluation{}, err
	}
	found.received, found.at = received, earlier(found.at, answeredAt(response.Header, asked, received))
	return found, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// send posts a query, because a long one makes too long a URL. A server or a
// proxy that takes no POST is asked by GET from then on.
func (e *prometheusEndpoint) send(ctx context.Context, within time.Duration, text string) (*http.Response, error) {
	request, err := e.request(ctx, url.Values{"query": {text}})
	if err != nil {
		return nil, failed("%s cannot be asked: %w", e.shown, e.hushed(err))
	}
	response, err := e.client.Do(request)
	if err != nil {
		return nil, e.noAnswer(err, within)
	}
	if !e.get && (response.StatusCode == http.StatusMethodNotAllowed || response.StatusCode == http.StatusNotImplemented) {
		response.Body.Close()
		e.get = true
		return e.send(ctx, within, text)
	}
	return response, nil
}

func (e *prometheusEndpoint) request(ctx context.Context, form url.Values) (*http.Request, error) {
	method, body := http.MethodPost, io.Reader(strings.NewReader(form.Encode()))
	if e.get {
		method, body = http.MethodGet, nil
	}
	request, err := http.NewRequestWithContext(ctx, method, e.httpEndpoint.url, body)
	if err != nil {
		return nil, err
	}
	if e.get {
		fixed := request.URL.RawQuery // such as partial_response=false in the server's URL
		request.URL.RawQuery = strings.TrimSuffix(form.Encode()+"&"+fixed, "&")
	} else {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request.Header.Set("User-Agent", e.userAgent)
	request.Header.Set("Accept", accepts[v1alpha1.JSON])
	return request, nil
}

// readQuery returns the body of a 200. What the server says against a query is
// told whole, as far as a message goes: it names the place in the PromQL.
func (e *prometheusEndpoint) readQuery(r *http.Response, within time.Duration) ([]byte, error) {
	if r.StatusCode != http.StatusBadRequest && r.StatusCode != http.StatusUnprocessableEntity {
		return e.read(r, within)
	}
	page, _ := io.ReadAll(io.LimitReader(r.Body, errorPageLimit)) // the status says enough if this breaks off
	var refused queryAnswer
	if decodeJSON(page, &refused) == nil && refused.Error != "" {
		return nil, e.refusal(refused)
	}
	r.Body = io.NopCloser(bytes.NewReader(page))
	return e.read(r, within)
}

// A refusalError is what the server says against a query.
type refusalError string

func (r refusalError) Error() string { return string(r) }

func (e *prometheusEndpoint) refusal(a queryAnswer) error {
	said := refusalError(printable(e.muted(a.ErrorType+": "+a.Error), sentenceLimit))
	return failed("%s refused the query: %w", e.shown, said)
}

// understand makes one number of an answer.
func (e *prometheusEndpoint) understand(body []byte, q query) (evaluation, error) {
	var a queryAnswer
	err := decodeJSON(body, &a)
	if other := (*json.UnmarshalTypeError)(nil); errors.As(err, &other) {
		return evaluation{}, errNoQueryAnswer
	}
	if err != nil {
		return evaluation{}, err
	}
	if a.Error != "" {
		return evaluation{}, e.refusal(a)
	}
	found, err := a.evaluation(q)
	found.partial = e.muted(a.doubt())
	return found, err
}
