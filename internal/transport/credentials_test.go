package transport

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

// pair is a client's certificate and key in PEM, signed by itself.
func pair(t *testing.T, serial int64) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// echo answers over TLS with all that it was sent to be let in.
func echo(t *testing.T) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serial := "none"
		if len(r.TLS.PeerCertificates) > 0 {
			serial = r.TLS.PeerCertificates[0].SerialNumber.String()
		}
		fmt.Fprintf(w, "authorization=%s key=%s query=%s tenant=%s certificate=%s agent=%s", r.Header.Get("Authorization"),
			r.Header.Get("X-API-Key"), r.URL.RawQuery, r.Header.Get("X-Scope-OrgID"), serial, r.UserAgent())
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// tokens gives the token "token-of-ID-SECRET", to whoever asks.
func tokens(t *testing.T, asked *atomic.Int32) *httptest.Server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		id, secret, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token": "token-of-%s-%s", "token_type": "bearer", "expires_in": 3600}`, id, secret)
	})
}

// TestCredentials sends all that may go together: each way to authorize, with and without keys and a client's certificate.
func TestCredentials(t *testing.T) {
	server, asked := echo(t), new(atomic.Int32)
	login := tokens(t, asked)
	certificate, key := pair(t, 7)
	k := keep("ca", certificateOf(server)+certificateOf(login), "token", " t0ken\n", "user", "ann", "password", "pass", "id", "me", "secret", "hush",
		"api", "k&y", "certificate", certificate, "key", key)
	authorizations := map[string]v1alpha1.Auth{
		"authorization= ":                        {},
		"authorization=Bearer t0ken ":            {Bearer: pointer("token")},
		"authorization=Basic YW5uOnBhc3M= ":      {Basic: &v1alpha1.BasicAuth{Username: from("user"), Password: from("password")}},
		"authorization=Bearer token-of-me-hush ": {OAuth2: &v1alpha1.OAuth2{TokenURL: login.URL, ClientID: from("id"), ClientSecret: from("secret"), Scopes: []string{"read"}}},
	}
	for want, auth := range authorizations {
		for _, keys := range []bool{false, true} {
			for _, mutual := range []bool{false, true} {
				auth, tlsSpec := auth, &v1alpha1.TLS{CA: pointer("ca")}
				wants := []string{want, "tenant=shop ", "agent=cusme/test", "certificate=none ", "key= ", "query=a=b "}
				if keys {
					auth.APIKeys = []v1alpha1.APIKey{{Header: "X-API-Key", SecretKeyRef: from("api").SecretKeyRef}, {Query: "api_key", SecretKeyRef: from("api").SecretKeyRef}}
					wants = append(wants[:4], "key=k&y ", "query=a=b&api_key=k%26y ")
				}
				if mutual {
					tlsSpec.Certificate, tlsSpec.Key = pointer("certificate"), pointer("key")
					wants[3] = "certificate=7 "
				}
				rt := tripper(t, open(k), v1alpha1.Connection{Auth: &auth, TLS: tlsSpec, Headers: []v1alpha1.Header{{Name: "X-Scope-OrgID", Value: "shop"}}})
				text := mustGet(t, rt, server.URL+"/?a=b")
				for _, w := range wants {
					if !strings.Contains(text, w) {
						t.Errorf("keys %t, certificate %t: expected %q in %q", keys, mutual, w, text)
					}
				}
				masked := Mask(rt).Replace(text)
				for _, secret := range []string{"t0ken", "YW5u", "token-of", "k&y", "k%26y"} {
					if strings.Contains(masked, secret) {
						t.Errorf("%q is not hidden in %q", secret, masked)
					}
				}
			}
		}
	}
}

// TestRotation: the next request has what the Secrets hold now.
func TestRotation(t *testing.T) {
	server, other, asked := echo(t), echo(t), new(atomic.Int32)
	login := tokens(t, asked)
	one, oneKey := pair(t, 1)
	two, twoKey := pair(t, 2)
	k := keep("ca", certificateOf(server)+certificateOf(login), "id", "me", "secret", "hush", "certificate", one, "key", oneKey)
	rt := tripper(t, open(k), v1alpha1.Connection{
		Auth: &v1alpha1.Auth{OAuth2: &v1alpha1.OAuth2{TokenURL: login.URL, ClientID: from("id"), ClientSecret: from("secret")}},
		TLS:  &v1alpha1.TLS{CA: pointer("ca"), Certificate: pointer("certificate"), Key: pointer("key")},
	})
	for range 3 {
		if text := mustGet(t, rt, server.URL); !strings.Contains(text, "certificate=1 ") || !strings.Contains(text, "token-of-me-hush") {
			t.Errorf("got %q", text)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked for %d tokens, want 1", n)
	}
	k.put("certificate", two)
	k.put("key", twoKey)
	k.put("secret", "other")
	if text := mustGet(t, rt, server.URL); !strings.Contains(text, "certificate=2 ") || !strings.Contains(text, "token-of-me-other") {
		t.Errorf("after the rotation: %q", text)
	}
	k.put("ca", one) // signed nothing
	if _, err := get(t, rt, other.URL); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("by another authority: %v", err)
	}
	k.put("ca", "no PEM")
	if _, err := get(t, rt, server.URL); err == nil || !strings.Contains(err.Error(), "tls.ca: expected certificates in PEM") {
		t.Errorf("by none: %v", err)
	}
	k.put("ca", certificateOf(server))
	mustGet(t, rt, server.URL)
}

// TestRedirectsElsewhere carry nothing: they are not followed.
func TestRedirectsElsewhere(t *testing.T) {
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/here" {
			fmt.Fprint(w, r.Header.Get("Authorization"))
			return
		}
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	}))
	defer server.Close()
	rt := tripper(t, open(keep("token", "t0ken")), v1alpha1.Connection{Auth: &v1alpha1.Auth{Bearer: pointer("token")}})
	if text := mustGet(t, rt, server.URL+"/?to=/here"); text != "Bearer t0ken" {
		t.Errorf("within: %q", text)
	}
	for _, to := range []string{elsewhere.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/here", "https" + strings.TrimPrefix(server.URL, "http")} {
		if _, err := get(t, rt, server.URL+"/?to="+to); err == nil || !strings.Contains(err.Error(), "credentials stay within one scheme, host and port") {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if asked.Load() != 0 {
		t.Error("the other host was asked")
	}
}

// TestNoSecretWithoutTLS: a token URL is not asked in the clear.
func TestNoSecretWithoutTLS(t *testing.T) {
	var asked atomic.Int32
	login := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer login.Close()
	rt := withLogin(t, keep("ca", "none", "id", "me", "secret", "hush"), login.URL)
	if _, err := get(t, rt, "http://backend.invalid/"); err == nil || !strings.Contains(err.Error(), "expected an https:// address") || asked.Load() != 0 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}

func TestCompressedAnswersAreRead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("asked for %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		io.WriteString(z, "plain")
	}))
	defer server.Close()
	if text := mustGet(t, tripper(t, open(nil), v1alpha1.Connection{}), server.URL); text != "plain" {
		t.Errorf("got %q", text)
	}
}

// TestNothingIsAskedToBuild: Secrets may not be readable yet.
func TestNothingIsAskedToBuild(t *testing.T) {
	rt := tripper(t, NewDoor(Options{}), v1alpha1.Connection{Auth: &v1alpha1.Auth{Bearer: pointer("token")}, TLS: &v1alpha1.TLS{CA: pointer("ca")}})
	if _, err := get(t, rt, "http://backend.invalid"); err == nil || !strings.Contains(err.Error(), "tls.ca: no Secrets can be read here") {
		t.Errorf("got %v", err)
	}
}

// TestNoFileIsReachable from a LoadScaler: no field of it names one, and no address is one.
func TestNoFileIsReachable(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(of.Elem())
		case reflect.Struct:
			if seen[of] {
				return
			}
			seen[of] = true
			for f := range of.Fields() {
				if strings.Contains(strings.ToLower(f.Name), "file") {
					t.Errorf("%s has a field %s", of, f.Name)
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[v1alpha1.LoadScalerSpec]())
	if !seen[reflect.TypeFor[v1alpha1.TLS]()] {
		t.Error("the walk found no TLS settings")
	}
	if _, err := get(t, tripper(t, open(nil), v1alpha1.Connection{}), "file:///etc/passwd"); err == nil {
		t.Error("a file was read")
	}
}
