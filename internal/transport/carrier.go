package transport

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"cusme.dev/cusme/api/v1alpha1"
)

// A carrier sends requests of one access.
type carrier struct {
	door       *Door
	connection v1alpha1.Connection
	keys       *keyring
	login      *login // nil without OAuth2

	mu        sync.Mutex
	material  material // that transport was made with
	transport *http.Transport
}

func newCarrier(d *Door, a Access) *carrier {
	c := &carrier{door: d, connection: a.connection(), keys: d.keyring(a.namespace)}
	if auth := c.connection.Auth; auth != nil && auth.OAuth2 != nil {
		c.login = newLogin(d, c.keys, *auth.OAuth2)
	}
	return c
}

// RoundTrip sends a request with the credentials of now.
func (c *carrier) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.send(request)
	if err != nil && request.Body != nil {
		_ = request.Body.Close() // what was sent is the error's business
	}
	return response, err
}

func (c *carrier) send(request *http.Request) (*http.Response, error) {
	if to := astray(request); to != nil {
		return nil, fmt.Errorf("redirects lead to %s://%s, and credentials stay within one scheme, host and port: write the address that answers", to.Scheme, to.Host)
	}
	ctx := request.Context()
	material, err := c.keys.material(ctx, c.connection.TLS)
	if err != nil {
		return nil, err
	}
	signed, err := c.sign(request, material)
	if err != nil {
		return nil, err
	}
	transport, err := c.over(material)
	if err != nil {
		return nil, err
	}
	leave, err := c.door.hosts.enter(ctx, place(request.URL))
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(signed)
	if err != nil {
		leave()
		return nil, err
	}
	if c.login != nil && response.StatusCode == http.StatusUnauthorized {
		c.login.forget(signed.Header.Get("Authorization"))
	}
	response.Request = request // the signed one is nobody else's business
	response.Body = body{response.Body, leave}
	return response, nil
}

// sign returns the request with the headers and the credentials of the access.
func (c *carrier) sign(request *http.Request, m material) (*http.Request, error) {
	signed := request.Clone(request.Context())
	if signed.Header.Get("User-Agent") == "" && c.door.UserAgent != "" {
		signed.Header.Set("User-Agent", c.door.UserAgent)
	}
	for _, h := range c.connection.Headers {
		signed.Header.Set(h.Name, h.Value)
	}
	signed.Header.Del("Accept-Encoding") // the transport asks for what it can decompress
	if c.connection.Auth == nil {
		return signed, nil
	}
	return signed, errors.Join(c.authorize(signed, m), c.addKeys(signed))
}

// authorize sets the Authorization header.
func (c *carrier) authorize(request *http.Request, m material) error {
	ctx, auth := request.Context(), c.connection.Auth
	switch {
	case auth.Bearer != nil:
		token, err := c.keys.value(ctx, auth.Bearer.SecretKeyRef)
		if err != nil {
			return fmt.Errorf("auth.bearer: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
	case auth.Basic != nil:
		user, userErr := c.keys.value(ctx, auth.Basic.Username.SecretKeyRef)
		password, passwordErr := c.keys.value(ctx, auth.Basic.Password.SecretKeyRef)
		if err := errors.Join(userErr, passwordErr); err != nil {
			return fmt.Errorf("auth.basic: %w", err)
		}
		c.keys.remember("basic", base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
		request.SetBasicAuth(user, password)
	case c.login != nil:
		token, err := c.login.token(ctx, m)
		if err != nil {
			return fmt.Errorf("auth.oauth2: %w", err)
		}
		token.SetAuthHeader(request)
	}
	return nil
}

// addKeys adds the API keys. The query is added to and not parsed: what is
// strange in it is between the user and the endpoint.
func (c *carrier) addKeys(request *http.Request) error {
	for i, k := range c.connection.Auth.APIKeys {
		value, err := c.keys.value(request.Context(), k.SecretKeyRef)
		if err != nil {
			return fmt.Errorf("auth.apiKeys[%d]: %w", i, err)
		}
		if k.Header != "" {
			request.Header.Set(k.Header, value)
			continue
		}
		if request.URL.RawQuery != "" {
			request.URL.RawQuery += "&"
		}
		request.URL.RawQuery += url.QueryEscape(k.Query) + "=" + url.QueryEscape(value)
	}
	return nil
}

// over returns the transport for TLS material; another one than the last when that has changed.
func (c *carrier) over(m material) (*http.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transport != nil && c.material == m {
		return c.transport, nil
	}
	config, err := m.config(c.connection.TLS)
	if err != nil {
		return nil, err
	}
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
	c.material, c.transport = m, c.door.transport(config)
	return c.transport, nil
}

// CloseIdleConnections closes what is kept for the next request. A token's connection is never kept.
func (c *carrier) CloseIdleConnections() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}

// astray returns where redirects have led a request, if that is anywhere else
// than where it was sent first.
func astray(request *http.Request) *url.URL {
	for r := request; r.Response != nil && r.Response.Request != nil; r = r.Response.Request {
		if !SameOrigin(r.URL, r.Response.Request.URL) {
			return r.URL
		}
	}
	return nil
}

// SameOrigin reports whether two URLs have the same scheme, host and port: redirects are followed no further.
func SameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && place(a) == place(b) }

// place is a URL's host and port, with the scheme's port where none is written.
func place(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
