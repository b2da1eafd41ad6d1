package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/transport"
)

const (
	// defaultTimeout bounds one read of a source that says nothing else.
	defaultTimeout = 5 * time.Second
	// bodyLimit is the longest answer that is read, in bytes.
	bodyLimit = 1 << 20
	// headerLimit is the longest head of an answer, in bytes.
	headerLimit = 64 << 10
	// redirectLimit is how many redirects one read follows.
	redirectLimit = 5
	// errorPageLimit is how much of an error page is read, in bytes: enough
	// to empty most of them, so that the connection can be used again.
	errorPageLimit = 4 << 10
)

// accepts asks for a format, in an Accept header.
var accepts = map[v1alpha1.Format]string{
	"":                  "application/json",
	v1alpha1.JSON:       "application/json",
	v1alpha1.XML:        "application/xml, text/xml",
	v1alpha1.YAML:       "application/yaml",
	v1alpha1.Prometheus: textFormat,
	v1alpha1.Text:       "text/plain",
}

// openHTTP understands an HTTP source; field is its path in the spec.
func openHTTP(p place, field string, spec v1alpha1.HTTPSource) (Source, error) {
	access, accessErr := transport.AccessOf(p.namespace(), spec.Connection)
	a := httpAddress{url: spec.URL, method: cmp.Or(spec.Method, http.MethodGet), body: spec.Body, format: spec.Format, access: access}
	timeout, timeoutErr := timeoutOf(field, spec.Timeout)
	// All problems at once: nobody likes to fix one and meet the next.
	m, err := compileMeasure(field, spec.Value, spec.ObservedAt)
	if err := errors.Join(a.check(field), timeoutErr, accessErr, err); err != nil {
		return Source{}, err
	}
	return Source{from: a, timeout: timeout, measure: m}, nil
}

// timeoutOf resolves a source's timeout; 0 stands for the default.
func timeoutOf(field string, spec *metav1.Duration) (time.Duration, error) {
	if spec == nil {
		return 0, nil
	}
	if spec.Duration <= 0 {
		return 0, fmt.Errorf("%s.timeout: expected more than 0s, got %s", field, spec.Duration)
	}
	return spec.Duration, nil
}

// door leads to the endpoints.
func (o Options) door() *transport.Door {
	if o.Door == nil {
		return transport.NewDoor(transport.Options{})
	}
	return o.Door
}

func userAgent(o Options) string {
	if o.Version == "" {
		return "cusme/dev"
	}
	return "cusme/" + o.Version
}

// httpAddress is a URL and everything else that makes one request differ from another.
type httpAddress struct {
	url    string
	method string          // GET or POST; empty is GET
	body   string          // of a POST, JSON unless a header of access says otherwise
	format v1alpha1.Format // of the answer; empty is JSON
	access transport.Access
}

// check says what is wrong with the address. It repeats no part of a URL that
// cannot be parsed, because a password could be anywhere in it.
func (a httpAddress) check(field string) error {
	u, err := url.Parse(a.url)
	switch {
	case err != nil:
		return fmt.Errorf("%s.url: expected a URL such as http://backend.shop/load, got one that cannot be parsed", field)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%s.url: expected http:// or https://, got %q", field, u.Scheme)
	case u.User != nil:
		return fmt.Errorf("%s.url: expected no user or password, because everybody who may read the LoadScaler sees them", field)
	case u.Hostname() == "":
		return fmt.Errorf("%s.url: expected a host, got %q", field, bare(u))
	case a.method != "" && a.method != http.MethodGet && a.method != http.MethodPost:
		return fmt.Errorf("%s.method: expected GET or POST, got %q", field, a.method)
	case a.body != "" && a.method != http.MethodPost:
		return fmt.Errorf("%s.body: a body is sent with POST only: set method to POST, or leave the body out", field)
	case accepts[a.format] == "":
		return fmt.Errorf("%s.format: expected JSON, XML, YAML, Prometheus or Text, got %q", field, a.format)
	}
	return nil
}

// connect gives the endpoint a transport of its own, so that no endpoint waits
// for another's connections.
func (a httpAddress) connect(s surroundings) endpoint {
	t, err := s.door().RoundTripper(a.access)
	e := a.over(t, s.Options)
	e.broken = err
	return e
}

// over prepares to ask over a transport. Closing the endpoint closes all of the
// transport's connections, which others may share.
func (a httpAddress) over(t transport.RoundTripper, o Options) *httpEndpoint {
	u, err := url.Parse(a.url)
	if err != nil {
		u = &url.URL{} // check has refused it; asking fails with a sentence
	}
	a.method = cmp.Or(a.method, http.MethodGet)
	e := &httpEndpoint{httpAddress: a, userAgent: userAgent(o), shown: bare(u), secrets: secrets(u), transport: t}
	e.client = &http.Client{Transport: witnessed(e.transport, e.secrets), CheckRedirect: e.checkRedirect}
	return e
}

// httpEndpoint asks with one request, and keeps its connection for the next.
type httpEndpoint struct {
	httpAddress
	userAgent string
	shown     string // the URL as messages may show it
	secrets   *strings.Replacer
	transport transport.RoundTripper
	client    *http.Client
	broken    error   // why it cannot be asked at all
	last      edition // that has a name, to ask whether it is still the answer
}

func (e *httpEndpoint) close() {
	if e.broken == nil {
		e.transport.CloseIdleConnections()
	}
}

func (e *httpEndpoint) ask(ctx context.Context, within time.Duration) (answer, error) {
	if e.broken != nil {
		return answer{}, failed("%s cannot be asked: %w", e.shown, e.hushed(e.broken))
	}
	request, err := e.request(ctx)
	if err != nil {
		return answer{}, failed("%s cannot be asked: %w", e.shown, e.hushed(err))
	}
	asked := time.Now()
	response, err := e.client.Do(request)
	if err != nil {
		return answer{}, e.noAnswer(err, within)
	}
	defer response.Body.Close()
	got, err := e.whole(response, within)
	if err != nil {
		return answer{}, err
	}
	received := time.Now()
	return answer{body: got.body, format: e.format, header: got.header, muted: e.muted, received: received, at: answeredAt(response.Header, asked, received)}, nil
}

// request is what to ask. Headers and credentials are the transport's to add.
func (e *httpEndpoint) request(ctx context.Context) (*http.Request, error) {
	var body io.Reader // nil is no body at all, and not an empty one
	if e.body != "" {
		body = strings.NewReader(e.body)
	}
	request, err := http.NewRequestWithContext(ctx, e.method, e.url, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", e.userAgent)
	request.Header.Set("Accept", accepts[e.format])
	if e.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if e.last.etag != "" {
		request.Header.Set("If-None-Match", e.last.etag)
	}
	return request, nil
}

// read returns the whole body of a 200, and never holds more than the limit.
func (e *httpEndpoint) read(r *http.Response, within time.Duration) ([]byte, error) {
	if r.StatusCode != http.StatusOK {
		page, _ := io.ReadAll(io.LimitReader(r.Body, errorPageLimit)) // the status says enough if this breaks off
		said := printable(e.muted(string(page)), excerptLimit)
		if said != "" {
			said = ": " + said
		}
		refusal := failed("%s answered %s, expected 200%s", e.shown, printable(e.muted(r.Status), excerptLimit), said)
		return nil, deferred(refusal, r, time.Now())
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit+1))
	switch {
	case len(body) > bodyLimit:
		return nil, invalid("%s answered more than %d KiB, expected a short document", e.shown, bodyLimit>>10)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, failed("%s broke its answer off after %d bytes", e.shown, len(body))
	case err != nil:
		return nil, e.noAnswer(err, within)
	}
	return body, nil
}

// noAnswer says why no whole answer came.
func (e *httpEndpoint) noAnswer(err error, within time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return failed("%s gave no whole answer within %s: %w", e.shown, within, context.DeadlineExceeded)
	}
	var refused redirectError
	if errors.As(err, &refused) {
		return failed("%s %w", e.shown, refused)
	}
	return failed("%s gave no answer: %w", e.shown, e.hushed(err))
}

// hushed keeps err for errors.Is and says it without the URL's secrets.
func (e *httpEndpoint) hushed(err error) error {
	return spoken{err, printable(e.muted(explain(err)), sentenceLimit)}
}

// muted is foreign text without the URL's secrets and those that were sent.
func (e *httpEndpoint) muted(text string) string {
	return transport.Mask(e.transport).Replace(e.secrets.Replace(text))
}

// A redirectError is a redirect that is not followed.
type redirectError string

func (r redirectError) Error() string { return string(r) }

// checkRedirect stays within scheme, host and port: anything else would let
// an application send cusme, which stands inside the cluster, anywhere.
func (e *httpEndpoint) checkRedirect(next *http.Request, via []*http.Request) error {
	if !transport.SameOrigin(next.URL, via[0].URL) {
		return redirectError(fmt.Sprintf("redirects to %s, and redirects are followed within one scheme, host and port only: write the address that answers", printable(e.muted(bare(next.URL)), sentenceLimit)))
	}
	if len(via) > redirectLimit {
		return redirectError(fmt.Sprintf("redirects more than %d times: write the address that answers", redirectLimit))
	}
	return nil
}
