package transport

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"cusme.dev/cusme/api/v1alpha1"
)

const (
	// loginTimeout bounds one request for a token, where the context allows longer.
	loginTimeout = 30 * time.Second
	// loginPause is the least time between two requests for a token: one that
	// failed, or whose token the endpoint did not take, is no reason to ask again
	// for every pod.
	loginPause = 10 * time.Second
)

// A login gets tokens with client credentials, one for all requests until it expires.
type login struct {
	door *Door
	keys *keyring
	spec v1alpha1.OAuth2

	turn    chan struct{} // holds one element while somebody uses the fields below
	made    identity      // what config was made for
	config  *clientcredentials.Config
	current *oauth2.Token
	asked   time.Time // when a token was asked for last, by this identity
	trusted string    // the authority that had to sign the answer then, in PEM
	refusal error     // what came of that, if no token did
	proven  bool      // a token came, so that config's style is the server's
}

// An identity is what a token is given to.
type identity struct{ id, secret string }

func newLogin(d *Door, k *keyring, spec v1alpha1.OAuth2) *login {
	return &login{door: d, keys: k, spec: spec, turn: make(chan struct{}, 1)}
}

// token returns a token that is valid for the client's identity of now. Only
// one request for a token is under way at a time; who waits for it waits no
// longer than ctx. A refusal stands for loginPause, or until a
// Secret changes.
func (l *login) token(ctx context.Context, m material) (*oauth2.Token, error) {
	id, idErr := l.keys.value(ctx, l.spec.ClientID.SecretKeyRef)
	secret, secretErr := l.keys.value(ctx, l.spec.ClientSecret.SecretKeyRef)
	if err := errors.Join(idErr, secretErr); err != nil {
		return nil, err
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, errors.New("another request waits for a token, which did not come in time")
	}
	if !strings.HasPrefix(l.spec.TokenURL, "https://") {
		return nil, TokenError{l.shown(), errors.New("expected an https:// address, as the client's secret is sent there")}
	}
	if now := (identity{id, secret}); l.config == nil || l.made != now {
		l.made, l.config, l.current = now, l.configFor(now), nil
		l.refusal, l.proven = nil, false
	}
	if l.current.Valid() {
		return l.current, nil
	}
	if l.refusal != nil && l.trusted == m.ca && time.Since(l.asked) < loginPause {
		return nil, l.refusal
	}
	l.asked, l.trusted = time.Now(), m.ca
	token, err := l.fetch(ctx, m)
	l.current, l.refusal = token, err
	if errors.Is(ctx.Err(), context.Canceled) {
		l.refusal = nil // nobody refused: who asked has gone
	}
	return token, err
}

// configFor is kept as long as the identity, because it learns how the server
// wants the two to be sent.
func (l *login) configFor(i identity) *clientcredentials.Config {
	parameters := url.Values{}
	for name, value := range l.spec.Parameters {
		parameters.Set(name, value)
	}
	return &clientcredentials.Config{
		ClientID: i.id, ClientSecret: i.secret,
		TokenURL: l.spec.TokenURL, Scopes: l.spec.Scopes, EndpointParams: parameters,
	}
}

// fetch asks for a token, on a connection of its own: the next is wanted in
// minutes or hours. The library reads no more than 1 MiB of the answer.
func (l *login) fetch(ctx context.Context, m material) (*oauth2.Token, error) {
	config, err := m.loginConfig()
	if err != nil {
		return nil, err
	}
	transport := l.door.transport(config)
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	token, err := l.config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	if err != nil {
		if !l.proven {
			l.config.AuthStyle = otherStyle[l.config.AuthStyle]
		}
		return nil, TokenError{l.shown(), l.reason(err)}
	}
	l.proven = true
	l.keys.remember("token", token.AccessToken)
	return token, nil
}

// otherStyle is how to send the identity next where no token came. The first
// time the library tries both ways, in the header and in the body; after that
// one at a time, so that not every request is two.
var otherStyle = map[oauth2.AuthStyle]oauth2.AuthStyle{
	oauth2.AuthStyleAutoDetect: oauth2.AuthStyleInHeader,
	oauth2.AuthStyleInHeader:   oauth2.AuthStyleInParams,
	oauth2.AuthStyleInParams:   oauth2.AuthStyleInHeader,
}

// A TokenError says that there is no token. It does not pass on what it was:
// that would be taken for the endpoint's.
type TokenError struct {
	// URL that was asked, without its query.
	URL string
	// Err is why, and may be a network's error.
	Err error
}

func (e TokenError) Error() string { return e.URL + " gave no token: " + e.Err.Error() }

// shown is the token URL as messages may show it.
func (l *login) shown() string {
	u, err := url.Parse(l.spec.TokenURL)
	if err != nil {
		return "the token URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// reason says why there is no token. What the server answered is left out but
// for its code: it may repeat what it was sent.
func (l *login) reason(err error) error {
	var answer *oauth2.RetrieveError
	var asked *url.Error
	switch {
	case errors.As(err, &answer) && answer.Response != nil:
		said := answer.Response.Status
		if answer.ErrorCode != "" {
			said += " (" + answer.ErrorCode + ")"
		}
		return errors.New("it answered " + l.keys.mask().Replace(said))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errors.New("its answer did not come in time")
	case errors.As(err, &asked):
		return asked.Err
	}
	return errors.New(l.keys.mask().Replace(err.Error()))
}

// forget drops a token that the endpoint did not take, so that the next request
// asks for another; the header is what it was sent in. One that has just come
// stays: another would fare no better. While one is being fetched there is
// nothing to drop.
func (l *login) forget(header string) {
	select {
	case l.turn <- struct{}{}:
		if l.current != nil && header == l.current.Type()+" "+l.current.AccessToken && time.Since(l.asked) >= loginPause {
			l.current = nil
		}
		<-l.turn
	default:
	}
}
