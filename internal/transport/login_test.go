package transport

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

// TestTokensThatDoNotCome end with the request, and their errors tell no secret.
func TestTokensThatDoNotCome(t *testing.T) {
	for name, c := range map[string]struct {
		says http.HandlerFunc
		want string
	}{
		"hangs": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice who goes
			<-r.Context().Done()
		}, "gave no token: its answer did not come in time"},
		"refuses": {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no hush for me", http.StatusForbidden) }, "it answered 403 Forbidden"},
		"repeats": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			io.WriteString(w, `{"error": "hush"}`)
		}, "it answered 400 Bad Request (***)"},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusTemporaryRedirect)
		}, "it answered 307"},
		"nonsense": {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hush") }, "gave no token"},
	} {
		login := serve(t, c.says)
		k := keep("ca", certificateOf(login), "id", "me", "secret", "hush")
		rt := tripper(t, open(k), v1alpha1.Connection{
			Auth: &v1alpha1.Auth{OAuth2: &v1alpha1.OAuth2{TokenURL: login.URL, ClientID: from("id"), ClientSecret: from("secret")}},
			TLS:  &v1alpha1.TLS{CA: pointer("ca")},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://backend.invalid/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = rt.RoundTrip(request)
		cancel()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") || !strings.HasPrefix(err.Error(), "auth.oauth2: "+login.URL) {
			t.Errorf("%s: expected %q, got %v", name, c.want, err)
		}
	}
}

// withLogin is a round tripper that gets its tokens at a URL, from a server of a certificate.
func withLogin(t *testing.T, k *kept, tokenURL string) *carrier {
	return tripper(t, open(k), v1alpha1.Connection{
		Auth: &v1alpha1.Auth{OAuth2: &v1alpha1.OAuth2{TokenURL: tokenURL, ClientID: from("id"), ClientSecret: from("secret")}},
		TLS:  &v1alpha1.TLS{CA: pointer("ca")},
	}).(*carrier)
}

// later lets the time pass until a token may be asked for again.
func later(c *carrier) { c.login.asked = c.login.asked.Add(-loginPause) }

// TestARefusedTokenIsAskedForAgain by the next request, unless it has just come: an endpoint that takes none would have
// one fetched for every request. Only the token that was refused is given up.
func TestARefusedTokenIsAskedForAgain(t *testing.T) {
	asked := new(atomic.Int32)
	login := tokens(t, asked)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer server.Close()
	rt := withLogin(t, keep("ca", certificateOf(login), "id", "me", "secret", "hush"), login.URL)
	want := func(n int32) {
		t.Helper()
		if got := asked.Load(); got != n {
			t.Errorf("asked for %d tokens, want %d", got, n)
		}
	}
	mustGet(t, rt, server.URL)
	mustGet(t, rt, server.URL)
	want(1)
	later(rt)
	mustGet(t, rt, server.URL) // is refused what is old enough to be
	mustGet(t, rt, server.URL)
	want(2)
	later(rt)
	rt.login.forget("Bearer another")
	if rt.login.current == nil {
		t.Error("a token was given up for another")
	}
}

// TestAFailedLoginStands for a while, or until the Secret changes: the token URL is not asked for every pod.
func TestAFailedLoginStands(t *testing.T) {
	var asked atomic.Int32
	login := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusForbidden)
	})
	k := keep("ca", certificateOf(login), "id", "me", "secret", "hush")
	rt := withLogin(t, k, login.URL)
	fails := func(n int32) {
		t.Helper()
		if _, err := get(t, rt, "http://backend.invalid/"); err == nil || !strings.Contains(err.Error(), "it answered 403 Forbidden") || asked.Load() != n {
			t.Errorf("asked %d times, want %d: %v", asked.Load(), n, err)
		}
	}
	fails(2) // in both ways
	fails(2)
	later(rt)
	fails(3) // in one way at a time
	fails(3)
	later(rt)
	fails(4)
	k.put("secret", "other")
	fails(6)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rt.login.refusal = nil
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://backend.invalid/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rt.RoundTrip(request); err == nil || rt.login.refusal != nil {
		t.Errorf("who went away is remembered as refused: %v", err)
	}
}

// TestBothWaysToSendAnIdentity are found, also by a login that failed at first, and kept when the server is away later.
func TestBothWaysToSendAnIdentity(t *testing.T) {
	for _, wanted := range []string{"header", "body"} {
		var down atomic.Bool
		var last atomic.Value
		login := serve(t, func(w http.ResponseWriter, r *http.Request) {
			way := "body"
			if _, _, ok := r.BasicAuth(); ok {
				way = "header"
			}
			last.Store(way)
			if down.Load() || way != wanted {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"access_token": "token", "token_type": "bearer"}`)
		})
		rt := withLogin(t, keep("ca", certificateOf(login), "id", "me", "secret", "hush"), login.URL)
		token := func() error {
			m, err := rt.keys.material(t.Context(), rt.connection.TLS)
			if err != nil {
				t.Fatal(err)
			}
			_, err = rt.login.token(t.Context(), m)
			later(rt)
			return err
		}
		down.Store(true)
		for range 3 {
			if err := token(); err == nil {
				t.Error("a token of a server that is down")
			}
		}
		down.Store(false)
		if first, second := token(), token(); first != nil && second != nil {
			t.Errorf("%s: %v, then %v", wanted, first, second)
		}
		down.Store(true)
		rt.login.current = nil
		_ = token()
		down.Store(false)
		if err := token(); err != nil || last.Load() != wanted {
			t.Errorf("by the %s: %v", wanted, err)
		}
	}
}
