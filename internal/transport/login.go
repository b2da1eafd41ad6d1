package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"cusme.dev/cusme/api/v1alpha1"
)

// loginTimeout bounds one request for a token, where the context allows longer.
const loginTimeout = 30 * time.Second

// A login gets tokens with client credentials, one for all requests until it expires.
type login struct {
	door *Door
	keys *keyring
	spec v1alpha1.OAuth2

	turn    chan struct{} // holds one element while somebody uses the fields below
	made    identity      // what config was made for
	config  *clientcredentials.Config
	current *oauth2.Token
}

// An identity is what a token is given to.
type identity struct{ id, secret string }

func newLogin(d *Door, k *keyring, spec v1alpha1.OAuth2) *login {
	return &login{door: d, keys: k, spec: spec, turn: make(chan struct{}, 1)}
}

// token returns a token that is valid for the client's identity of now. Only
// one request for a token is under way at a time; who waits for it waits no
// longer than ctx.
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
	if now := (identity{id, secret}); l.config == nil || l.made != now {
		l.made, l.config, l.current = now, l.configFor(now), nil
	}
	if l.current.Valid() {
		return l.current, nil
	}
	token, err := l.fetch(ctx, m)
	if err != nil {
		return nil, err
	}
	l.keys.remember("token", token.AccessToken)
	l.current = token
	return token, nil
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
		return nil, l.refused(err)
	}
	return token, nil
}

// refused says why there is no token. What the server answered is left out but
// for its code: it may repeat what it was sent. A deadline is not passed on, as
// it would be taken for the endpoint's.
func (l *login) refused(err error) error {
	var answer *oauth2.RetrieveError
	var asked *url.Error
	switch {
	case errors.As(err, &answer) && answer.Response != nil:
		said := answer.Response.Status
		if answer.ErrorCode != "" {
			said += " (" + answer.ErrorCode + ")"
		}
		return fmt.Errorf("%s gave no token: it answered %s", l.spec.TokenURL, l.keys.mask().Replace(said))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%s gave no token in time", l.spec.TokenURL)
	case errors.As(err, &asked):
		return fmt.Errorf("%s gave no token: %w", l.spec.TokenURL, asked.Err)
	}
	return fmt.Errorf("%s gave no token: %s", l.spec.TokenURL, l.keys.mask().Replace(err.Error()))
}

// forget drops a token that the endpoint did not take, so that the next request
// asks for another. While one is being fetched there is nothing to drop.
func (l *login) forget() {
	select {
	case l.turn <- struct{}{}:
		l.current = nil
		<-l.turn
	default:
	}
}
