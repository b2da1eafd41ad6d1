package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

// httpKind holds the number and its time as JSON.
var httpKind = kind{
	open: byAsking(func(s site) v1alpha1.Load {
		return v1alpha1.Load{Name: "backend", HTTP: &v1alpha1.HTTPSource{
			URL: s.url + "/load", Value: "body.load", ObservedAt: "timestamp(body.at)", Connection: s.connection,
		}}
	}),
	says: func(number string, at time.Time) http.Handler {
		if number != "" {
			number = `"load": ` + number + `, `
		}
		return says(fmt.Sprintf(`{%s"at": %q}`, number, at.Format(time.RFC3339Nano)))
	},
}

// TestOpenAllRefuses what the API server would: files that cusme probe reads have not been there.
func TestOpenAllRefuses(t *testing.T) {
	one := v1alpha1.Load{Name: "one", HTTP: &v1alpha1.HTTPSource{URL: "http://backend.shop/load", Value: "body.load"}}
	two := one
	two.Name, two.Push, two.Expression = "two", &v1alpha1.PushSource{}, "one * 2.0"
	_, err := OpenAll("shop/webui", []v1alpha1.Load{one, one, two}, Options{})
	want := "loads[one]: expected a name of its own, got one that another load has\nloads[two]: expected exactly one source, got http, push, expression: leave all but one out"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	load := reflect.TypeFor[v1alpha1.Load]()
	for f := range load.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); strings.HasSuffix(f.Type.String(), "Source") && !slices.Contains(sourcesOf(everySource()), name) {
			t.Errorf("the source %s is not counted", name)
		}
	}
}

// everySource is a load with every source there is.
func everySource() (l v1alpha1.Load) {
	v := reflect.ValueOf(&l).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); strings.HasSuffix(f.Type().String(), "Source") {
			f.Set(reflect.New(f.Type().Elem()))
		}
	}
	return l
}

// TestOpenRefuses wants every field that cannot be understood named, with a
// sentence that says what to write instead.
func TestOpenRefuses(t *testing.T) {
	const good = "http://backend.shop/load"
	second := &metav1.Duration{Duration: time.Second}
	for name, c := range map[string]struct {
		http *v1alpha1.HTTPSource
		want []string
	}{
		"no source":        {nil, []string{"loads[backend]: expected exactly one source, got none"}},
		"another scheme":   {&v1alpha1.HTTPSource{URL: "ftp://h/", Value: "1"}, []string{`loads[backend].http.url: expected http:// or https://, got "ftp"`}},
		"no scheme":        {&v1alpha1.HTTPSource{URL: "backend/load", Value: "1"}, []string{`loads[backend].http.url: expected http`}},
		"no host":          {&v1alpha1.HTTPSource{URL: "http://:80/x?token=hush", Value: "1"}, []string{`expected a host, got "http://:80/x"`}},
		"not a URL":        {&v1alpha1.HTTPSource{URL: "http://u:hush/%zz", Value: "1"}, []string{"cannot be parsed"}},
		"a password":       {&v1alpha1.HTTPSource{URL: "http://u:hush@h/", Value: "1"}, []string{"expected no user or password"}},
		"zero timeout":     {&v1alpha1.HTTPSource{URL: good, Value: "1", Connection: v1alpha1.Connection{Timeout: &metav1.Duration{}}}, []string{"loads[backend].http.timeout: expected more than 0s, got 0s"}},
		"a syntax error":   {&v1alpha1.HTTPSource{URL: good, Value: "body.", Connection: v1alpha1.Connection{Timeout: second}}, []string{"loads[backend].http.value: ", "Syntax error"}},
		"no value":         {&v1alpha1.HTTPSource{URL: good}, []string{"loads[backend].http.value: "}},
		"unknown variable": {&v1alpha1.HTTPSource{URL: good, Value: "bdoy.load"}, []string{"loads[backend].http.value: ", "undeclared reference to 'bdoy'"}},
		"a bool":           {&v1alpha1.HTTPSource{URL: good, Value: "body.load > 1"}, []string{"loads[backend].http.value: expected an expression that yields a number, this one yields bool"}},
		"a string time":    {&v1alpha1.HTTPSource{URL: good, Value: "1", ObservedAt: "string(body.t)"}, []string{"loads[backend].http.observedAt: expected an expression that yields a timestamp, this one yields string"}},
		"an optional":      {&v1alpha1.HTTPSource{URL: good, Value: "body.?load"}, []string{"http.value: ", "yields optional_type(dyn)"}},
		"an endless text":  {&v1alpha1.HTTPSource{URL: good, Value: strings.Repeat("1+", textLimit) + "1"}, []string{"loads[backend].http.value: ", "size"}},
		"another method":   {&v1alpha1.HTTPSource{URL: good, Value: "1", Method: "PUT"}, []string{`loads[backend].http.method: expected GET or POST, got "PUT"`}},
		"a body of a GET":  {&v1alpha1.HTTPSource{URL: good, Value: "1", Body: "{}"}, []string{"loads[backend].http.body: a body is sent with POST only"}},
		"another format":   {&v1alpha1.HTTPSource{URL: good, Value: "1", Format: "TOML"}, []string{`loads[backend].http.format: expected JSON, XML, YAML, Prometheus or Text, got "TOML"`}},
		"two at once":      {&v1alpha1.HTTPSource{URL: "ftp://h/", Value: "body."}, []string{"http.url: ", "http.value: "}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openOne(v1alpha1.Load{Name: "backend", HTTP: c.http}, Options{})
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to contain %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("%q gives a secret away", err)
			}
		})
	}
}

// TestRequest wants the GET that the documentation promises, on one connection.
func TestRequest(t *testing.T) {
	var connections atomic.Int32
	seen := make(chan *http.Request, 3)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		if r.URL.Query().Get("n") == "" {
			t.Errorf("query is lost: %s", r.URL)
		}
		w.Header().Set("X-Load", "7")
		io.WriteString(w, `{}`)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	l := httpLoad(server.URL+"/load?n=1", 10*time.Second)
	l.HTTP.Value = `double(headers["x-load"])`
	s, err := openOne(l, Options{Version: "v1.2.3", Door: anyDoor})
	if err != nil {
		t.Fatal(err)
	}
	e := s.from.connect(surroundings{Options: Options{Version: "v1.2.3", Door: anyDoor}})
	defer e.close()
	for range 3 {
		a, err := e.ask(context.Background(), 5*time.Second)
		if got := s.reading(understand(a, err)); got.Value != 7 {
			t.Fatalf("got %+v", got)
		}
		r := <-seen
		if r.Method != "GET" || r.UserAgent() != "cusme/v1.2.3" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("asked with %s %v", r.Method, r.Header)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("three requests took %d connections, want 1", n)
	}
	if got := userAgent(Options{}); got != "cusme/dev" {
		t.Errorf("user agent %q without a version", got)
	}
}

// TestSecretsStayOut wants a token in the query out of every message, even when
// the endpoint itself repeats it.
func TestSecretsStayOut(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			http.Error(w, "no such thing: "+r.URL.String(), http.StatusForbidden)
		case "/location":
			w.Header().Set("Location", "http://[::1?"+r.URL.RawQuery)
			w.WriteHeader(http.StatusFound)
		}
	}))
	defer server.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, address := range map[string]string{
		"an error page":      server.URL + "/echo?token=hush",
		"a broken redirect":  server.URL + "/location?token=hush",
		"refused connection": closed.URL + "/load?token=hush",
		"a hidden host":      "http://nowhere.invalid/load?token=hush",
	} {
		got := read(t, httpLoad(address, 5*time.Second))
		if got.Problem != scaling.Failed || strings.Contains(got.Message, "hush") || !strings.HasPrefix(got.Message, "http://") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestFailureKeepsItsCause lets callers ask what went wrong, under the sentence.
func TestFailureKeepsItsCause(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	e := httpAddress{url: closed.URL}.connect(surroundings{Options: Options{Door: anyDoor}})
	defer e.close()
	_, err := e.ask(context.Background(), 5*time.Second)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want it to wrap ECONNREFUSED", err)
	}
}

// TestMessagesStandStill wants the same failure said in the same words each
// time: Go's own carry the local port, and a status would change at every poll.
func TestMessagesStandStill(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.(*net.TCPConn).SetLinger(0) // close with a reset
		conn.Close()
	}))
	defer server.Close()
	first, second := read(t, httpLoad(server.URL, 5*time.Second)), read(t, httpLoad(server.URL, 5*time.Second))
	if first.Message != second.Message || !strings.Contains(first.Message, "reset") {
		t.Errorf("got %q, then %q", first.Message, second.Message)
	}
}

// TestExplain wants the words of network errors free of what changes each time.
func TestExplain(t *testing.T) {
	from, to := &net.TCPAddr{IP: net.IP{10, 0, 0, 1}, Port: 41234}, &net.TCPAddr{IP: net.IP{10, 0, 0, 2}, Port: 80}
	for want, err := range map[string]error{
		"read 10.0.0.2:80: connection reset by peer":    &net.OpError{Op: "read", Net: "tcp", Source: from, Addr: to, Err: syscall.ECONNRESET},
		"the name backend does not resolve":             &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "backend", Server: "10.0.0.9:53", IsNotFound: true}},
		"the name backend cannot be looked up just now": &net.DNSError{Name: "backend", Err: "read udp 10.0.0.1:41234->10.0.0.9:53: i/o timeout", IsTimeout: true},
		"unexpected EOF": &url.Error{Op: "Get", URL: "http://backend/?token=hush", Err: io.ErrUnexpectedEOF},
		"something else": errors.New("something else"),
	} {
		if got := explain(fmt.Errorf("around: %w", err)); got != want && got != "around: "+want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestUnaskableEndpoint: an address that check would have refused fails with a
// sentence, and no panic, should it ever be asked.
func TestUnaskableEndpoint(t *testing.T) {
	e := httpAddress{url: "http://%zz"}.connect(surroundings{})
	defer e.close()
	if _, err := e.ask(context.Background(), 5*time.Second); err == nil || !strings.Contains(err.Error(), "cannot be asked") {
		t.Errorf("got %v", err)
	}
}

// oneSecret is the value of every key of every Secret.
type oneSecret string

func (s oneSecret) Value(context.Context, string, string, string) (string, error) {
	return string(s), nil
}

// TestTLS wants a certificate believed only for its own host, in its own time
// and from an authority that is known, unless the user gave that up.
func TestTLS(t *testing.T) {
	ca, key := authority(t)
	door := transport.NewDoor(transport.Options{
		Guard:   transport.Guard{Operator: true},
		Secrets: oneSecret(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})),
	})
	now := time.Now()
	valid := x509.Certificate{IPAddresses: []net.IP{{127, 0, 0, 1}}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	expired, elsewhere := valid, valid
	expired.NotBefore, expired.NotAfter = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	elsewhere.IPAddresses, elsewhere.DNSNames = nil, []string{"elsewhere.test"}
	for name, c := range map[string]struct {
		certificate x509.Certificate
		known       bool // the authority, to cusme
		insecure    bool
		version     uint16 // the newest the server speaks
		says        string // empty: accepted
	}{
		"known":                   {certificate: valid, known: true},
		"unknown authority":       {certificate: valid, says: "certificate signed by unknown authority"},
		"unknown, skipped":        {certificate: valid, insecure: true},
		"expired":                 {certificate: expired, known: true, says: "its certificate is valid from "},
		"expired, skipped":        {certificate: expired, insecure: true},
		"another host":            {certificate: elsewhere, known: true, says: "doesn't contain any IP SANs"},
		"another host, skipped":   {certificate: elsewhere, insecure: true},
		"TLS 1.1":                 {certificate: valid, known: true, version: tls.VersionTLS11, says: "protocol version"},
		"TLS 1.1, though skipped": {certificate: valid, insecure: true, version: tls.VersionTLS11, says: "protocol version"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(says(`{"load": 1}`))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: c.version, Certificates: []tls.Certificate{issue(t, c.certificate, ca, key)}}
			server.StartTLS()
			defer server.Close()
			l := httpLoad(server.URL, 10*time.Second)
			l.HTTP.TLS = &v1alpha1.TLS{InsecureSkipVerify: c.insecure}
			if c.known {
				l.HTTP.TLS.CA = &v1alpha1.SecretValue{SecretKeyRef: v1alpha1.SecretKey{Name: "backend", Key: "ca.crt"}}
			}
			s, err := openOne(l, Options{Door: door})
			if err != nil {
				t.Fatal(err)
			}
			e := s.from.connect(surroundings{Options: Options{Door: door}})
			defer e.close()
			got := s.reading(understand(e.ask(context.Background(), 5*time.Second)))
			if (got.Problem == "") != (c.says == "") || !strings.Contains(got.Message, c.says) {
				t.Errorf("got %+v, want %q", got, c.says)
			}
		})
	}
}

// TestHTTPSRedirectsNotToHTTP: what was asked over TLS is not read without it.
func TestHTTPSRedirectsNotToHTTP(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
	}))
	defer server.Close()
	l := httpLoad(server.URL, 10*time.Second)
	l.HTTP.TLS = &v1alpha1.TLS{InsecureSkipVerify: true}
	if got := read(t, l); got.Problem != scaling.Failed || !strings.Contains(got.Message, "one scheme, host and port only") {
		t.Errorf("got %+v", got)
	}
}
