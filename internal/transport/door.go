// Package transport is the door through which cusme reaches what the users of
// LoadScalers name: every endpoint of a load, every token URL, every pod.
//
// Whoever may write a LoadScaler chooses what cusme, which stands inside the
// cluster, connects to. The door therefore looks at every address after its name
// was resolved and before it is dialled, and lets nobody through to where no load
// can be: loopback, the cloud's metadata, the API server. It also brings
// the credentials, fresh from their Secrets for every request.
package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

// Options of a Door. The zero value has the strictest guard, and no credentials.
type Options struct {
	// UserAgent is told to every endpoint by requests that do not name one.
	UserAgent string
	// Guard says who may be reached.
	Guard Guard
	// Proxy is where requests over HTTP go through, those to pods apart; nil dials
	// directly, as DialContext always does. The environment's proxies are not
	// asked: they are for the way out of a cluster, and most loads are read inside.
	Proxy *url.URL
	// Secrets holds the credentials; nil has none.
	Secrets Secrets
}

// Secrets is where credentials come from.
type Secrets interface {
	// Value returns the value of a key of a Secret as it is now. It waits, no
	// longer than ctx, when the Secret has not been seen yet. The error says
	// what is missing: the right to read the Secret, the Secret, or its key.
	Value(ctx context.Context, namespace, name, key string) (string, error)
}

const (
	// dialTimeout bounds a dial that goes on for a request which has given up.
	dialTimeout = 30 * time.Second
	// handshakeTimeout bounds a TLS handshake in the same way.
	handshakeTimeout = 10 * time.Second
	// idleTimeout is how long a connection waits for the next request.
	idleTimeout = 5 * time.Minute
	// idlePerHost is how many do. A poller needs one, beside one that its predecessor may leave.
	idlePerHost = 2
	// headerLimit is the longest head of an answer, in bytes.
	headerLimit = 64 << 10
	// pingAfter is the silence after which an HTTP/2 connection is asked whether
	// it still stands; else all requests would wait for one that is dead.
	pingAfter = 15 * time.Second
)

// A Door leads out. All methods may be called at any time from anywhere.
type Door struct {
	Options
	hosts *hosts
}

// NewDoor returns a door.
func NewDoor(o Options) *Door { return &Door{Options: o, hosts: &hosts{}} }

// ToPods returns the same door for addresses that are a target's own pods', as
// the API server tells them. They are of the cluster's own network, so that no
// proxy is asked; and nobody wrote them into a LoadScaler, so that they need not
// be among the guard's hosts. What the guard refuses it refuses here as well.
func (d *Door) ToPods() *Door {
	direct := *d
	direct.Proxy, direct.Guard.Hosts = nil, nil
	return &direct
}

// RoundTripper is an http.RoundTripper that keeps connections.
type RoundTripper interface {
	http.RoundTripper
	CloseIdleConnections()
}

// RoundTripper returns what sends requests with an access's credentials, each
// with the Secrets as they are when it is sent. It keeps connections for the
// next request until CloseIdleConnections; a certificate that changed in its
// Secret ends them. To one host and port 16 requests of the whole door go at a
// time, until their bodies are closed; others wait, and go as well after a second
// or half of the time that their context leaves. So endpoints that hang delay
// others behind the same host and port by no more than that.
//
// Nothing is read or dialled before the first request, whose error says what is
// missing and names its field, such as auth.bearer. Redirects are refused that
// lead to another scheme, host or port. Compressed answers are decompressed
// while they are read. Secrets stand in no error; what an endpoint answers may
// repeat them, and Mask hides that.
func (d *Door) RoundTripper(a Access) (RoundTripper, error) {
	return newCarrier(d, a), nil
}

// Mask hides, in a text, every secret that a RoundTripper of a Door has sent,
// in the forms in which it was sent: for messages that repeat an answer. Of
// another RoundTripper it hides nothing.
func Mask(t http.RoundTripper) *strings.Replacer {
	if c, ok := t.(*carrier); ok {
		return c.keys.mask()
	}
	return strings.NewReplacer()
}

// Value returns a value out of a Secret of a namespace as it is now, without
// white space around it. It waits no longer than ctx. The error says what is
// missing: the right to read the Secret, the Secret, its key, or a value.
func (d *Door) Value(ctx context.Context, namespace string, v v1alpha1.SecretValue) (string, error) {
	return d.keyring(namespace).value(ctx, v.SecretKeyRef)
}

// TLSConfig returns TLS settings with what their Secrets hold now. It waits no
// longer than ctx. TLS 1.2 is the least. The error names the field, such as tls.ca.
func (d *Door) TLSConfig(ctx context.Context, namespace string, spec *v1alpha1.TLS) (*tls.Config, error) {
	m, err := d.keyring(namespace).material(ctx, spec)
	if err != nil {
		return nil, err
	}
	return m.config(spec)
}

// DialContext connects to an address, unless the guard refuses it. No proxy is
// asked. Networks other than TCP lead to no load and are refused.
func (d *Door) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil, errors.New("expected a network of TCP, got " + network)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout, Control: d.Guard.control(host)}
	return dialer.DialContext(ctx, network, address)
}

// transport keeps connections that were made with the same TLS settings.
func (d *Door) transport(config *tls.Config) *http.Transport {
	t := &http.Transport{
		DialContext:            d.DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    handshakeTimeout,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: headerLimit,
		Protocols:              &http.Protocols{},
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter},
	}
	t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(true)
	if d.Proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return d.Proxy, d.Guard.checkUnseen(r.URL.Hostname()) }
		t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext // to the proxy, which the operator named
	}
	return t
}
