package load

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

// TestPodsOverTLS: a pod is dialled by its IP and certified by a name, and all
// that the connection says is sent to it.
func TestPodsOverTLS(t *testing.T) {
	ca, key := authority(t)
	secrets := &vault{values: map[string]string{"tls/ca": pemOf(ca)}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.URL.String() != "/stats?deep=1" || r.UserAgent() != "cusme/v9" || r.Header.Get("X-Team") != "paint" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("asked with %s %s %v", r.Method, r.URL, r.Header)
		}
		says(`{"running": 4}`)(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{issue(t, x509.Certificate{DNSNames: []string{"webui.shop.svc"}, NotAfter: time.Now().Add(time.Hour)}, ca, key)}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	spec := v1alpha1.PodsSource{Port: portOf(t, server.URL), Path: "/stats?deep=1", Scheme: "HTTPS", Value: "body.running", Connection: v1alpha1.Connection{
		Headers: []v1alpha1.Header{{Name: "X-Team", Value: "paint"}}, TLS: &v1alpha1.TLS{CA: secretOf("tls", "ca")},
	}}
	options := Options{Version: "v9", Door: transport.NewDoor(transport.Options{
		Guard: transport.Guard{Operator: true}, Secrets: secrets, Proxy: &url.URL{Scheme: "http", Host: "proxy.test"}, // which no pod is asked through
	})}
	for name, want := range map[string]scaling.State{"": scaling.Failed, "webui.shop.svc": ""} {
		spec.TLS.ServerName = name
		pods := func(string) ([]Pod, bool) { return []Pod{{Name: "web-1", Address: "127.0.0.1", Ready: true}}, true }
		ask := byAsking(func(s site) v1alpha1.Load { return v1alpha1.Load{Name: "gpus", Pods: &spec} })(t, site{options: options, pods: pods})
		if got := ask(); got.Problem != want {
			t.Errorf("with server name %q: got %+v, want problem %q", name, got, want)
		}
	}
}

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// TestPodsAreGuarded: a pod's address is looked at like any other before it is dialled.
func TestPodsAreGuarded(t *testing.T) {
	server := httptest.NewServer(says(`{"running": 4}`))
	defer server.Close()
	spec := running
	spec.Port = portOf(t, server.URL)
	pods := func(string) ([]Pod, bool) { return []Pod{{Name: "web-1", Address: "127.0.0.1", Ready: true}}, true }
	ask := byAsking(func(s site) v1alpha1.Load { return v1alpha1.Load{Name: "gpus", Pods: &spec} })(t, site{pods: pods})
	if got := ask(); got.Problem != scaling.Failed || !strings.Contains(got.Message, "127.0.0.1 is a loopback address") {
		t.Errorf("got %+v, want it refused", got)
	}
}

// TestPodsNeedNoLoadHosts: their addresses are the API server's word, and in no list of hosts that users may write. What
// is refused to all is refused of them too.
func TestPodsNeedNoLoadHosts(t *testing.T) {
	server := httptest.NewServer(says(`{"running": 4}`))
	defer server.Close()
	spec := running
	spec.Port = portOf(t, server.URL)
	pods := func(string) ([]Pod, bool) { return []Pod{{Name: "web-1", Address: "127.0.0.1", Ready: true}}, true }
	guard := transport.Guard{Hosts: []string{"*.shop.svc"}, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	options := Options{Door: transport.NewDoor(transport.Options{Guard: guard})}
	ask := byAsking(func(s site) v1alpha1.Load { return v1alpha1.Load{Name: "gpus", Pods: &spec} })(t, site{options: options, pods: pods})
	if got := ask(); got.Problem != "" {
		t.Errorf("got %+v, want the pods' number", got)
	}
	r := NewReadings(options)
	defer r.Close()
	woken := make(chan bool)
	if err := r.Ask("scaler", v1alpha1.Busy{Port: spec.Port, Value: "body.running"}, []Candidate{{UID: "a", Address: "127.0.0.1"}}, func() { woken <- true }); err != nil {
		t.Fatal(err)
	}
	within(t, woken, "nobody was woken")
	if silences := r.Silences("scaler"); len(silences) > 0 {
		t.Errorf("busy: %v", silences)
	}
}
