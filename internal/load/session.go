package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	grpcstatus "google.golang.org/grpc/status"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load/externalscaler"
	"cusme.dev/cusme/internal/transport"
)

// pings find out that a stream leads nowhere any more. Servers of gRPC end
// connections that ping more often than every five minutes.
var pings = keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}

// Pauses before a stream that ended is opened again: the first, and the longest
// that doubling it leads to.
const (
	firstStreamPause   = time.Second
	longestStreamPause = 2 * time.Minute
)

// messagePause follows each message of a stream, so that no scaler keeps cusme
// busy. One that says more is heard later, and polled in any case.
const messagePause = time.Second

// A session is a connection to an external scaler, and what it is told there. It
// ends when a Secret behind it changes, or when the connection is in doubt.
type session struct {
	address string
	secrets map[string]string // by what they are for, as they were when the session began
	hush    *strings.Replacer
	ref     *externalscaler.ScaledObjectRef
	conn    *grpc.ClientConn
	client  externalscaler.ExternalScalerClient
	metric  string
	learned time.Time // when the scaler offered metric; zero is never

	stop      context.CancelFunc
	listening sync.WaitGroup

	mu      sync.Mutex
	dialled error // what came of the last attempt to connect
}

// open has the endpoint's session ready, with credentials as they are now. A
// session with older ones ends.
func (e *externalEndpoint) open(ctx context.Context) error {
	secrets, err := e.secrets(ctx)
	if err != nil {
		e.close() // its stream must not go on with credentials that were taken back
		return err
	}
	if e.session != nil && maps.Equal(e.session.secrets, secrets) {
		return nil
	}
	e.close()
	settings, err := e.tls(ctx)
	if err != nil {
		return err
	}
	s := &session{address: e.spec.Address, secrets: secrets, hush: transport.Hide(maps.Values(secrets)), ref: e.ref(secrets)}
	if err := s.connect(e.Options, settings); err != nil {
		return err
	}
	var listening context.Context
	listening, s.stop = context.WithCancel(context.Background())
	if e.spec.Stream && e.nudge != nil {
		s.listening.Go(func() { e.listen(listening, s) })
	}
	e.session = s
	return nil
}

// ref says for whom the scaler is asked.
func (e *externalEndpoint) ref(secrets map[string]string) *externalscaler.ScaledObjectRef {
	metadata := maps.Clone(e.spec.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	for key := range e.spec.MetadataFrom {
		metadata[key] = secrets[metadataField(key)]
	}
	return &externalscaler.ScaledObjectRef{Name: e.name, Namespace: e.namespace, ScalerMetadata: metadata}
}

// connect prepares a connection that is dialled by the first call. Nothing but
// the next poll tries again, and nothing that the scaler, a name service or the
// environment says changes how calls are made.
func (s *session) connect(o Options, settings *tls.Config) (err error) {
	security := insecure.NewCredentials()
	if settings != nil {
		security = handshake{credentials.NewTLS(settings), s}
	}
	s.conn, err = grpc.NewClient("passthrough:///"+s.address,
		grpc.WithContextDialer(s.dialer(o.door())),
		grpc.WithTransportCredentials(security),
		grpc.WithUserAgent(userAgent(o)),
		grpc.WithUnaryInterceptor(witnessedCalls(s.address, s.hush)),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithIdleTimeout(0),
		grpc.WithKeepaliveParams(pings),
		grpc.WithMaxHeaderListSize(headerLimit),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(bodyLimit)),
	)
	if err == nil {
		s.client = externalscaler.NewExternalScalerClient(s.conn)
	}
	return err
}

func (s *session) close() {
	s.stop()
	s.conn.Close()
	s.listening.Wait()
}

// dialer leads through the door, and remembers why it did not.
func (s *session) dialer(door *transport.Door) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := door.DialContext(ctx, "tcp", address)
		s.remember(err)
		return conn, err
	}
}

// A handshake is TLS that remembers what went wrong: of the reason, gRPC passes
// on no more than a text.
type handshake struct {
	credentials.TransportCredentials
	session *session
}

func (h handshake) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, conn)
	h.session.remember(err)
	return secured, info, err
}

func (h handshake) Clone() credentials.TransportCredentials {
	return handshake{h.TransportCredentials.Clone(), h.session}
}

func (s *session) remember(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialled = err
}

// choice returns the metric to ask for. It is looked up when that is not known,
// and now and then again.
func (s *session) choice(ctx context.Context, wanted string) (string, error) {
	if !s.learned.IsZero() && time.Since(s.learned) < relearnAfter {
		return s.metric, nil
	}
	offer, err := s.client.GetMetricSpec(ctx, s.ref)
	if err != nil {
		return "", callError{"GetMetricSpec", err}
	}
	if s.metric, err = choose(offer.GetMetricSpecs(), wanted); err == nil {
		s.learned = time.Now()
	}
	return s.metric, err
}

// A callError is what a call of the protocol came to.
type callError struct {
	call string
	error
}

func (c callError) Unwrap() error { return c.error }

// lost reports whether the connection is in doubt: the next attempt dials anew,
// rather than wait until this one is known to be dead.
func lost(err error) bool {
	code := grpcstatus.Code(err)
	return code == codes.Unavailable || errors.Is(err, context.DeadlineExceeded)
}

// sentence says in words that stand still why there is no number.
func (s *session) sentence(err error, within time.Duration) error {
	var c callError
	if !errors.As(err, &c) {
		return invalid("%s %w", s.address, err)
	}
	said := grpcstatus.Convert(c.error).Message()
	switch code := grpcstatus.Code(c.error); {
	case code == codes.DeadlineExceeded:
		return failed("%s gave no whole answer to %s within %s: %w", s.address, c.call, within, context.DeadlineExceeded)
	case code == codes.Unavailable:
		return failed("%s gave no answer to %s: %w", s.address, c.call, spoken{c.error, s.trouble(said)})
	case code == codes.Unimplemented:
		return failed("%s has no %s, so that it is no external scaler of KEDA's protocol: check address", s.address, c.call)
	case code == codes.ResourceExhausted && strings.Contains(said, "larger than max"):
		return invalid("%s answered %s with more than %d KiB, expected a short message", s.address, c.call, bodyLimit>>10)
	case code == codes.Internal && strings.Contains(said, "failed to unmarshal"):
		return invalid("%s answered %s with something that is no message of KEDA's external scaler protocol", s.address, c.call)
	default:
		return failed("%s answered %s with %s: %w", s.address, c.call, code, spoken{c.error, s.hushed(said)})
	}
}

// trouble says why there is no connection, as far as that is known.
func (s *session) trouble(said string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dialled != nil {
		return s.hushed(explain(s.dialled))
	}
	return s.hushed(said)
}

// ends are both ends of a connection, of which the near one changes each time.
var ends = regexp.MustCompile(` \S+->\S+:`)

// hushed is foreign text without the session's secrets.
func (s *session) hushed(text string) string {
	return printable(s.hush.Replace(ends.ReplaceAllString(text, ":")), sentenceLimit)
}

// listen keeps StreamIsActive open, for a scaler that becomes active between two
// polls. A scaler without it is polled only, and asked again now and then.
func (e *externalEndpoint) listen(ctx context.Context, s *session) {
	pause := firstStreamPause
	for ctx.Err() == nil {
		if e.hear(ctx, s) {
			pause = firstStreamPause
		}
		await(ctx, pause)
		pause = min(2*pause, longestStreamPause)
	}
}

// hear opens the stream, and has the endpoint asked for what it says until it
// ends. It reports whether anything was said.
func (e *externalEndpoint) hear(ctx context.Context, s *session) (said bool) {
	stream, err := s.client.StreamIsActive(ctx, s.ref)
	for err == nil {
		var now *externalscaler.IsActiveResponse
		if now, err = stream.Recv(); err != nil {
			break
		}
		// The first message says what is: after a stream that broke, it is often known.
		if news := e.active.know(now.GetResult()); news || said && now.GetResult() {
			e.nudge()
		}
		said = true
		await(ctx, messagePause)
	}
	return said
}

// await waits, unless ctx ends.
func await(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// activity is whether a scaler is active, as far as is known.
type activity struct{ last atomic.Pointer[bool] }

// know takes down whether it is now, and reports whether that is news.
func (a *activity) know(active bool) (news bool) {
	last := a.last.Swap(&active)
	return last == nil || *last != active
}

// secrets are the values behind the spec as they are now, by their fields.
func (e *externalEndpoint) secrets(ctx context.Context) (map[string]string, error) {
	named := map[string]*v1alpha1.SecretValue{}
	for key, value := range e.spec.MetadataFrom {
		named[metadataField(key)] = &value
	}
	if t := e.spec.TLS; t != nil {
		named["tls.ca"], named["tls.certificate"], named["tls.key"] = t.CA, t.Certificate, t.Key
	}
	values := map[string]string{}
	for _, field := range slices.Sorted(maps.Keys(named)) {
		if named[field] == nil {
			continue
		}
		value, err := e.door().Value(ctx, e.namespace, *named[field])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		values[field] = value
	}
	return values, nil
}

func metadataField(key string) string { return "metadataFrom[" + key + "]" }

// tls are the settings of an encrypted connection; nil for one that is not.
func (e *externalEndpoint) tls(ctx context.Context) (*tls.Config, error) {
	if e.spec.TLS == nil {
		return nil, nil
	}
	return e.door().TLSConfig(ctx, e.namespace, e.spec.TLS)
}
