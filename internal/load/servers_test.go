package load

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

// start starts a server that speaks HTTP/1.1 and HTTP/2, and returns its URL.
func start(t *testing.T, h http.Handler, c *certified, secrets *vault) string {
	t.Helper()
	server := httptest.NewUnstartedServer(drained(h))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	if c != nil {
		ca, key := authority(t)
		secrets.put("tls/ca", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})))
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: c.newest, Certificates: []tls.Certificate{issue(t, c.template(), ca, key)}}
		server.EnableHTTP2 = true
		server.StartTLS()
		return server.URL
	}
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	return server.URL
}

// drained reads a request before it is answered: only then does a server notice
// that the client has gone.
func drained(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

// instead is a server that never comes to say its number.
func instead(serve http.HandlerFunc) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler { return serve }
}

func page(text string) func(http.Handler) http.Handler {
	return instead(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
}

func code(status int) func(http.Handler) http.Handler {
	return instead(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(status)
	})
}

// recorded is what a good server answers.
func recorded(good http.Handler, w http.ResponseWriter, r *http.Request) []byte {
	recorder := httptest.NewRecorder()
	good.ServeHTTP(recorder, r)
	maps.Copy(w.Header(), recorder.Header())
	w.Header().Del("Content-Length")
	return recorder.Body.Bytes()
}

func half(good http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := recorded(good, w, r)
		w.Write(body[:len(body)/2])
	})
}

func shortOf(good http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := recorded(good, w, r)
		w.Header().Set("Content-Length", "500000")
		w.Write(body)
	})
}

func mislabelled(good http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := recorded(good, w, r)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(body)
	})
}

// plenty is far more than anybody may read: 1 GiB.
const plenty = 1 << 30

func endless(status int, text string) func(http.Handler) http.Handler {
	return instead(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		block := []byte(strings.Repeat(text, 32<<10/len(text)))
		for sent := 0; sent < plenty; sent += len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
}

// packed is 1 GiB of spaces, in 1 MiB of gzip.
var packed = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	block := []byte(strings.Repeat(" ", 1<<20))
	for range plenty / len(block) {
		z.Write(block)
	}
	z.Close()
	return b.Bytes()
})

// bomb forces gzip on everybody.
func bomb(http.Handler) http.Handler {
	packed()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed())
	})
}

// gone closes the connection before a word.
func gone(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if h, ok := w.(http.Hijacker); ok {
			if conn, _, err := h.Hijack(); err == nil {
				conn.Close()
				return
			}
		}
		panic(http.ErrAbortHandler)
	})
}

func reset(http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

func hanging(http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

func headOnly(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
}

func dripping(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
}

// detour redirects once before it answers, with a status that keeps the method.
func detour(good http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("detour") == "" {
			to := *r.URL
			to.RawQuery = "detour=1&" + to.RawQuery
			http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
			return
		}
		good.ServeHTTP(w, r)
	})
}

func toward(to string) func(http.Handler) http.Handler {
	return instead(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
}

// guarded lets in only who brings the token that the vault holds now.
func guarded(good http.Handler, secrets *vault) http.Handler {
	secrets.put("access/token", "hush-1")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, err := secrets.Value(r.Context(), "shop", "access", "token")
		if err != nil || r.Header.Get("Authorization") != "Bearer "+want {
			http.Error(w, "not with "+r.Header.Get("Authorization"), http.StatusUnauthorized)
			return
		}
		good.ServeHTTP(w, r)
	})
}

// telltale refuses, and shows everybody the token that it refuses.
func telltale(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "not with "+r.Header.Get("Authorization"), http.StatusForbidden)
	})
}

// A certified server has a certificate for its address from an authority of its
// own, unless something is wrong with it.
type certified struct {
	known     bool // the load trusts the authority
	skip      bool // the load accepts any certificate
	expired   bool
	elsewhere bool   // it is another host's
	newest    uint16 // version of TLS that the server speaks; 0 is all
}

func (c certified) settings() *v1alpha1.TLS {
	s := &v1alpha1.TLS{InsecureSkipVerify: c.skip}
	if c.known {
		s.CA = secretOf("tls", "ca")
	}
	return s
}

func (c certified) template() x509.Certificate {
	now := time.Now()
	template := x509.Certificate{IPAddresses: []net.IP{{127, 0, 0, 1}}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	if c.expired {
		template.NotBefore, template.NotAfter = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	}
	if c.elsewhere {
		template.IPAddresses, template.DNSNames = nil, []string{"elsewhere.test"}
	}
	return template
}

func authority(t *testing.T) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return ca, key
}

func issue(t *testing.T, c x509.Certificate, ca *x509.Certificate, key *ecdsa.PrivateKey) tls.Certificate {
	t.Helper()
	c.SerialNumber = big.NewInt(2)
	der, err := x509.CreateCertificate(rand.Reader, &c, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A meter counts what a server could send, and what memory that took.
type meter struct {
	sent   atomic.Int64
	before runtime.MemStats
}

func (m *meter) over(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(metered{w, m}, r) })
}

// metered is a response writer that counts. It can do all that handlers ask of one.
type metered struct {
	http.ResponseWriter
	meter *meter
}

func (m metered) Write(b []byte) (int, error) {
	n, err := m.ResponseWriter.Write(b)
	m.meter.sent.Add(int64(n))
	return n, err
}

func (m metered) Flush() { m.ResponseWriter.(http.Flusher).Flush() }

func (m metered) Unwrap() http.ResponseWriter { return m.ResponseWriter }

func (m *meter) start() { runtime.ReadMemStats(&m.before) }

// check wants little allocated: the limit of an answer, which grows by copying
// and is parsed, and the server's own; and little taken: the limit, and what
// sockets buffer.
func (m *meter) check(t *testing.T) {
	t.Helper()
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if mib := (after.TotalAlloc - m.before.TotalAlloc) >> 20; mib > 12 {
		t.Errorf("allocated %d MiB", mib)
	}
	if mib := m.sent.Load() >> 20; mib > 32 {
		t.Errorf("took %d MiB from the server", mib)
	}
}
