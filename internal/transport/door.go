// Package transport is the door through which cusme reaches what the users of
// LoadScalers name: every endpoint of a load, every token URL, every pod.
//
// Whoever may write a LoadScaler chooses what cusme, which stands inside the
// cluster, connects to. The door therefore looks at every address after its name
// was resolved and before it is dialled, and lets nobody through to where no load
// can be: the node itself, the cloud's metadata, the API server. It also brings
// the credentials, fresh from their Secrets for every request.
package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Options of a Door. The zero value has the strictest guard, and no credentials.
type Options struct {
	// UserAgent is told to every endpoint.
	UserAgent string
	// Guard says who may be reached.
	Guard Guard
	// Proxy is where all requests but those to pods go through; nil dials directly. The
	// environment's proxies are not asked: they are for the way out of a
	// cluster, and most loads are read inside.
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

// A Door leads out. All methods may be called at any time from anywhere.
type Door struct {
	Options
	dialer net.Dialer
}

// NewDoor returns a door.
func NewDoor(o Options) *Door { return &Door{Options: o} }

// RoundTripper returns what sends requests with an access's credentials. It
// keeps connections for the next request until CloseIdleConnections.
func (d *Door) RoundTripper(a Access) (RoundTripper, error) {
	return &http.Transport{
		DialContext:            d.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: a.connection().TLS != nil && a.connection().TLS.InsecureSkipVerify},
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        5 * time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}, nil
}

// RoundTripper is an http.RoundTripper that keeps connections.
type RoundTripper interface {
	http.RoundTripper
	CloseIdleConnections()
}

// DialContext connects to an address, unless the guard refuses it.
func (d *Door) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d.dialer.DialContext(ctx, network, address)
}
