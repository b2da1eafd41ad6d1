package load

import (
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"

	"cusme.dev/cusme/internal/transport"
)

const (
	// excerptLimit is how many characters of a foreign page a message may carry.
	excerptLimit = 100
	// sentenceLimit is how long what a library says may be, in characters.
	sentenceLimit = 300
)

// spoken is an error that says something else than its text.
type spoken struct {
	error
	text string
}

func (s spoken) Error() string { return s.text }
func (s spoken) Unwrap() error { return s.error }

// explain says a network error in words that stay the same from one attempt to
// the next. Go's own carry the local port and the time of day, and a status
// that shows them would be rewritten at every poll.
func explain(err error) string {
	var login transport.TokenError
	var dns *net.DNSError
	var certificate x509.CertificateInvalidError
	var op *net.OpError
	var wrapped *url.Error
	switch {
	case errors.As(err, &login):
		return "auth.oauth2: " + login.URL + " gave no token: " + explain(login.Err)
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the name " + dns.Name + " does not resolve"
	case errors.As(err, &dns):
		return "the name " + dns.Name + " cannot be looked up just now"
	case errors.As(err, &certificate) && certificate.Reason == x509.Expired:
		c := certificate.Cert
		return "its certificate is valid from " + c.NotBefore.UTC().Format(time.DateTime) + " to " + c.NotAfter.UTC().Format(time.DateTime) + " UTC, and not now"
	case errors.As(err, &op) && op.Addr != nil && op.Err != nil:
		return op.Op + " " + op.Addr.String() + ": " + op.Err.Error()
	case errors.As(err, &wrapped):
		return wrapped.Err.Error() // without the URL, which may hold a token
	}
	return err.Error()
}

// bare is the URL as messages may show it: user, password, query and fragment
// are left out.
func bare(u *url.URL) string {
	b := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return b.String()
}

// secrets hides the query, which may hold a token, wherever an endpoint or a
// library repeats it.
func secrets(u *url.URL) *strings.Replacer {
	if u.RawQuery == "" {
		return strings.NewReplacer()
	}
	return strings.NewReplacer(u.RawQuery, "…")
}

// printable makes foreign text fit for one line of a status: control characters
// become spaces, and what is longer than limit characters is cut.
func printable(s string, limit int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar {
			space = n > 0
			continue
		}
		if n >= limit {
			return b.String() + "…"
		}
		if space {
			b.WriteByte(' ')
			n++
		}
		b.WriteRune(r)
		n, space = n+1, false
	}
	return b.String()
}
