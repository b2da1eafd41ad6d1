package load

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

// shownLimit is how much of an answer an Exchange shows, in characters.
const shownLimit = 300

// An Exchange is one request or call and what came back, as people may see it: secrets
// are hidden, and nothing in it controls a terminal.
type Exchange struct {
	Method string
	// URL without user, query and fragment.
	URL string
	// Header as it was sent, by name. Credentials are hidden.
	Header map[string]string
	// Status such as "200 OK"; empty when no answer came.
	Status string
	// ContentType as the answer names it.
	ContentType string
	// Size is how much of the answer was read, in bytes after decompression; over gRPC of the answer as JSON.
	Size int
	// Excerpt is how the answer begins.
	Excerpt string
}

// A Trace is a load that was read once: what came of it, and how.
type Trace struct {
	Reading scaling.Reading
	// Exchanges in their order; none where nothing is asked.
	Exchanges []Exchange
	// Awaited loads, or a term of theirs, are pushed: nobody can ask for them.
	Awaited bool
}

// Probe reads each of a scaler's sources once, all at the same time and each
// within its own timeout, and works formulas out of what came. Pods are those of
// the target; nil when they are not known.
func Probe(ctx context.Context, sources []Source, pods []Pod, o Options) []Trace {
	around := surroundings{
		Options: o,
		pods:    func(string) ([]Pod, bool) { return pods, pods != nil },
		letter:  func(pushAddress) (letter, bool) { return letter{}, false },
	}
	traces := make([]Trace, len(sources))
	var running sync.WaitGroup
	for i, s := range sources {
		if s.from == nil {
			continue
		}
		running.Go(func() {
			r := &recorder{}
			newest := s.read(context.WithValue(ctx, recorderKey{}, r), around)
			_, newest = doubts{}.after(s.trust, newest, newest.At)
			traces[i] = Trace{Reading: newest, Exchanges: r.all()}
		})
	}
	running.Wait()
	workOut(sources, traces)
	for i, s := range sources {
		traces[i].Awaited = s.awaited(sources)
	}
	return traces
}

// awaited reports whether the source, or a term of it among the others, is pushed.
func (s Source) awaited(beside []Source) bool {
	if _, pushed := s.from.(pushAddress); pushed {
		return true
	}
	return slices.ContainsFunc(beside, func(o Source) bool {
		return o.from != nil && s.formula.uses(o.load) && o.awaited(nil)
	})
}

// workOut fills in the traces of formulas.
func workOut(sources []Source, traces []Trace) {
	var read []scaling.Reading
	for _, t := range traces {
		read = append(read, t.Reading)
	}
	for i, s := range sources {
		if s.from == nil {
			newest, through := s.formula.reading(s.load, read, time.Now())
			_, traces[i].Reading = doubts{}.after(s.trust, newest, through)
		}
	}
}

// recorderKey is a context's key for the *recorder of a Probe.
type recorderKey struct{}

// A recorder notes exchanges.
type recorder struct {
	mu    sync.Mutex
	taken []*recording
}

// A recording is one exchange under way.
type recording struct {
	mu     sync.Mutex
	shown  Exchange
	body   bytes.Buffer // what was read of the answer: an endpoint bounds that
	hidden func(string) string
}

func (r *recorder) all() (out []Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.taken {
		out = append(out, t.exchange())
	}
	return out
}

func (r *recorder) begin(request *http.Request, hidden func(string) string) *recording {
	t := &recording{hidden: hidden, shown: Exchange{Method: request.Method, URL: bare(request.URL), Header: map[string]string{}}}
	r.note(t)
	return t
}

func (r *recorder) note(t *recording) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = append(r.taken, t)
}

// exchange is what people may see of it.
func (t *recording) exchange() Exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.shown
	e.URL = t.hidden(e.URL)
	e.Size = t.body.Len()
	e.Excerpt = printable(t.hidden(t.body.String()), shownLimit)
	e.Status = printable(t.hidden(e.Status), excerptLimit)
	e.ContentType = printable(t.hidden(e.ContentType), excerptLimit)
	e.Header = map[string]string{}
	for name, value := range t.shown.Header {
		e.Header[name] = printable(t.hidden(value), excerptLimit)
	}
	return e
}

// asks begins the head of a request. A token that had to be fetched first went
// with a head of its own, which is none of this request's.
func (t *recording) asks(string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shown.Header = map[string]string{}
}

// wrote notes a header that was sent, credentials apart.
func (t *recording) wrote(name string, values []string) {
	if strings.HasPrefix(name, ":") { // HTTP/2 writes method and path as headers
		return
	}
	name, value := http.CanonicalHeaderKey(name), strings.Join(values, ", ")
	if slices.Contains([]string{"Authorization", "Proxy-Authorization", "Cookie"}, name) {
		scheme, _, more := strings.Cut(value, " ")
		value = "***"
		if more && name != "Cookie" {
			value = scheme + " ***"
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shown.Header[name] = value
}

func (t *recording) answered(r *http.Response) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shown.Status, t.shown.ContentType = r.Status, r.Header.Get("Content-Type")
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, t), r.Body}
}

// Write notes what is read of the answer.
func (t *recording) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.body.Write(p)
}

// A witness notes the exchanges of a Probe, and does nothing but send otherwise.
type witness struct {
	http.RoundTripper
	hidden func(string) string
}

// witnessed sends over t. The secrets that t has sent are hidden, and those of the URL.
func witnessed(t http.RoundTripper, secrets *strings.Replacer) witness {
	return witness{t, func(text string) string { return transport.Mask(t).Replace(secrets.Replace(text)) }}
}

// RoundTrip sends a request.
func (w witness) RoundTrip(request *http.Request) (*http.Response, error) {
	r, probed := request.Context().Value(recorderKey{}).(*recorder)
	if !probed {
		return w.RoundTripper.RoundTrip(request)
	}
	t := r.begin(request, w.hidden)
	trace := &httptrace.ClientTrace{GetConn: t.asks, WroteHeaderField: t.wrote}
	response, err := w.RoundTripper.RoundTrip(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err == nil {
		t.answered(response)
	}
	return response, err
}

// witnessedCalls notes the calls of a Probe over gRPC. What they send is not
// shown: a scaler's metadata may hold credentials.
func witnessedCalls(address string, secrets *strings.Replacer) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
		err := call(ctx, method, request, reply, conn, options...)
		if r, probed := ctx.Value(recorderKey{}).(*recorder); probed {
			t := &recording{hidden: secrets.Replace, shown: Exchange{Method: "gRPC", URL: address + method, Status: grpcstatus.Code(err).String()}}
			if message, ok := reply.(proto.Message); ok && err == nil {
				text, _ := protojson.Marshal(message) // a message that has no JSON shows nothing
				_, _ = t.Write(text)
			}
			r.note(t)
		}
		return err
	}
}
