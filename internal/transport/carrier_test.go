package transport

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"cusme.dev/cusme/api/v1alpha1"
)

// kept are Secrets that a test holds, by namespace/name/key.
type kept struct {
	mu     sync.Mutex
	values map[string]string
}

func keep(pairs ...string) *kept {
	k := &kept{values: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		k.put(pairs[i], pairs[i+1])
	}
	return k
}

// put sets a key of the Secret shop/backend.
func (k *kept) put(key, value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.values["shop/backend/"+key] = value
}

func (k *kept) Value(_ context.Context, namespace, name, key string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	value, ok := k.values[namespace+"/"+name+"/"+key]
	if !ok {
		return "", fmt.Errorf("Secret %s/%s has no key %s", namespace, name, key)
	}
	return value, nil
}

func from(key string) v1alpha1.SecretValue {
	return v1alpha1.SecretValue{SecretKeyRef: v1alpha1.SecretKey{Name: "backend", Key: key}}
}

func pointer(key string) *v1alpha1.SecretValue {
	v := from(key)
	return &v
}

// open is a door of the operator's to the Secrets.
func open(k Secrets) *Door {
	return NewDoor(Options{Secrets: k, UserAgent: "cusme/test", Guard: Guard{Operator: true}})
}

// tripper is a RoundTripper that is closed with the test.
func tripper(t *testing.T, d *Door, c v1alpha1.Connection) RoundTripper {
	t.Helper()
	a, err := AccessOf("shop", c)
	if err != nil {
		t.Fatal(err)
	}
	rt, err := d.RoundTripper(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.CloseIdleConnections)
	return rt
}

// get asks once and returns the body, or the error.
func get(t *testing.T, rt http.RoundTripper, url string) (string, error) {
	t.Helper()
	client := http.Client{Transport: rt}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func mustGet(t *testing.T, rt http.RoundTripper, url string) string {
	t.Helper()
	text, err := get(t, rt, url)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// certificateOf is a server's certificate in PEM.
func certificateOf(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// serve starts a TLS server that ends with the test.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestValueIsTrimmedAndSaysWhatIsMissing(t *testing.T) {
	d := open(keep("token", " s3cret\n", "empty", " \n"))
	if v, err := d.Value(t.Context(), "shop", from("token")); v != "s3cret" || err != nil {
		t.Errorf("got %q, %v", v, err)
	}
	for key, want := range map[string]string{"empty": "the key empty of Secret shop/backend is empty", "none": "Secret shop/backend has no key none"} {
		if _, err := d.Value(t.Context(), "shop", from(key)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, got %v", key, want, err)
		}
	}
}

// TestHide: however an answer writes a secret, it is hidden.
func TestHide(t *testing.T) {
	secret := "p/w<&\"\\ +é\n."
	escaped, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	hide := Hide(slices.Values([]string{secret}))
	for _, written := range []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), string(escaped[1 : len(escaped)-1]),
		`p/w<&\"\\ +é\n.`, `p\/w<&\"\\ +é\n.`, `p\/w\u003c\u0026\"\\ +é\n.`,
	} {
		if got := hide.Replace("<" + written + ">"); got != "<***>" {
			t.Errorf("%q becomes %q", written, got)
		}
	}
}

func TestTLSConfig(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	d := open(keep("ca", certificateOf(server), "bad", "no PEM"))
	config, err := d.TLSConfig(t.Context(), "shop", &v1alpha1.TLS{CA: pointer("ca"), ServerName: "example.com"})
	if err != nil || config.RootCAs == nil || config.ServerName != "example.com" || config.MinVersion != tls.VersionTLS12 || config.InsecureSkipVerify {
		t.Errorf("got %+v, %v", config, err)
	}
	if config, err := d.TLSConfig(t.Context(), "shop", nil); err != nil || config.MinVersion != tls.VersionTLS12 {
		t.Errorf("of no settings: %v", err)
	}
	for want, spec := range map[string]*v1alpha1.TLS{
		"tls.ca: Secret shop/backend has no key none":                     {CA: pointer("none")},
		"tls.ca: expected certificates in PEM":                            {CA: pointer("bad")},
		"tls.certificate and tls.key: expected a certificate and its key": {Certificate: pointer("bad"), Key: pointer("bad")},
	} {
		if _, err := d.TLSConfig(t.Context(), "shop", spec); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("expected %q, got %v", want, err)
		}
	}
}
