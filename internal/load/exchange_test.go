package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load/externalscaler"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

// TestProbeHidesSecrets: an endpoint that repeats all that it was sent gives
// nothing away, in no part of an exchange.
func TestProbeHidesSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; token="+r.Header.Get("X-API-Key"))
		fmt.Fprintf(w, "{\"load\": 0.5, \"echo\": [%q, %q, %q, %q]}\x1b[31m", r.Header.Get("Authorization"), r.Header.Get("X-API-Key"), r.URL, r.Header.Get("X-Tenant"))
	}))
	defer server.Close()
	secrets := &vault{values: map[string]string{"a/token": "hush-token", "a/user": "hush-user", "a/key": "hush key&more"}}
	o := Options{Door: transport.NewDoor(transport.Options{Guard: transport.Guard{Operator: true}, Secrets: secrets})}
	keys := []v1alpha1.APIKey{
		{Header: "X-API-Key", SecretKeyRef: v1alpha1.SecretKey{Name: "a", Key: "key"}},
		{Query: "api_key", SecretKeyRef: v1alpha1.SecretKey{Name: "a", Key: "key"}},
	}
	for name, c := range map[string]struct {
		auth v1alpha1.Auth
		want string
	}{
		"bearer": {v1alpha1.Auth{Bearer: secretOf("a", "token"), APIKeys: keys}, "Bearer ***"},
		"basic":  {v1alpha1.Auth{Basic: &v1alpha1.BasicAuth{Username: *secretOf("a", "user"), Password: *secretOf("a", "token")}, APIKeys: keys}, "Basic ***"},
	} {
		t.Run(name, func(t *testing.T) {
			sources, err := OpenAll("shop/webui", []v1alpha1.Load{{Name: "backend", HTTP: &v1alpha1.HTTPSource{
				URL: server.URL + "/load?hush=hush", Value: "1.0", Format: v1alpha1.Text,
				Connection: v1alpha1.Connection{Auth: &c.auth, Headers: []v1alpha1.Header{{Name: "X-Tenant", Value: "shop"}}},
			}}}, o)
			if err != nil {
				t.Fatal(err)
			}
			traces := Probe(t.Context(), sources, nil, o)
			if len(traces[0].Exchanges) != 1 {
				t.Fatalf("got %+v, want one exchange", traces[0])
			}
			e := traces[0].Exchanges[0]
			if shown := fmt.Sprintf("%+v", traces); strings.Contains(shown, "hush") || strings.Contains(shown, "aHVzaC") || strings.ContainsRune(shown, '\x1b') {
				t.Errorf("a secret, or what controls a terminal, is shown: %s", shown)
			}
			if e.Header["Authorization"] != c.want || e.Header["X-Api-Key"] != "***" || e.Header["X-Tenant"] != "shop" {
				t.Errorf("headers %v", e.Header)
			}
			if e.URL != server.URL+"/load" || e.Status != "200 OK" || !strings.Contains(e.Excerpt, `"load": 0.5`) || e.Size < 50 {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// TestProbeReadsAll: each load is read once, formulas are worked out, and what
// is outside of its range is invalid.
func TestProbeReadsAll(t *testing.T) {
	server := httptest.NewServer(says(`{"load": 0.5}`))
	defer server.Close()
	http := func(name string) v1alpha1.Load {
		return v1alpha1.Load{Name: name, HTTP: &v1alpha1.HTTPSource{URL: server.URL, Value: "body.load"}}
	}
	loads := []v1alpha1.Load{formulaOf("score", "backend * 4.0"), http("backend"), bounded, {Name: "sent", Push: &v1alpha1.PushSource{}}, formulaOf("lost", "sent + backend")}
	loads[2].Name, loads[2].HTTP = "bounded", http("").HTTP
	sources, err := OpenAll("shop/webui", loads, Options{Door: anyDoor})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, trace := range Probe(t.Context(), sources, nil, Options{Door: anyDoor}) {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %v %s", trace.Reading.Load, trace.Reading.Value, trace.Reading.Problem)))
	}
	if got, want := strings.Join(got, ", "), "score 2, backend 0.5, bounded 0 Invalid, sent 0 Pending, lost 0 Pending"; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
}

// TestProbeShowsEveryRequest: a redirect is an exchange of its own, and one that
// brought no answer too.
func TestProbeShowsEveryRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		io.WriteString(w, `{"load": 0.5}`)
	}))
	gone := httptest.NewServer(nil)
	gone.Close()
	defer server.Close()
	sources, err := OpenAll("shop/webui", []v1alpha1.Load{
		{Name: "a", HTTP: &v1alpha1.HTTPSource{URL: server.URL, Value: "body.load"}},
		{Name: "b", HTTP: &v1alpha1.HTTPSource{URL: gone.URL, Value: "body.load"}},
	}, Options{Door: anyDoor})
	if err != nil {
		t.Fatal(err)
	}
	traces := Probe(t.Context(), sources, nil, Options{Door: anyDoor})
	if e := traces[0].Exchanges; len(e) != 2 || e[0].Status != "302 Found" || e[1].URL != server.URL+"/there" {
		t.Errorf("got %+v", e)
	}
	if e := traces[1].Exchanges; len(e) != 1 || e[0].Status != "" || traces[1].Reading.Problem != scaling.Failed {
		t.Errorf("got %+v", traces[1])
	}
}

// TestRedirectsTellNoSecret: where they lead may repeat what was sent, in the URL of an exchange and in a sentence.
func TestRedirectsTellNoSecret(t *testing.T) {
	for name, to := range map[string]string{"followed": "", "refused": "http://elsewhere.test"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, to+"/"+url.PathEscape(r.Header.Get("X-API-Key")), http.StatusFound)
				return
			}
			io.WriteString(w, `{"load": 0.5}`)
		}))
		defer server.Close()
		secrets := &vault{values: map[string]string{"a/key": "hush key+more"}}
		o := Options{Door: transport.NewDoor(transport.Options{Guard: transport.Guard{Operator: true}, Secrets: secrets})}
		auth := v1alpha1.Auth{APIKeys: []v1alpha1.APIKey{{Header: "X-API-Key", SecretKeyRef: v1alpha1.SecretKey{Name: "a", Key: "key"}}}}
		sources, err := OpenAll("shop/webui", []v1alpha1.Load{{Name: "a", HTTP: &v1alpha1.HTTPSource{URL: server.URL, Value: "body.load", Connection: v1alpha1.Connection{Auth: &auth}}}}, o)
		if err != nil {
			t.Fatal(err)
		}
		traces := Probe(t.Context(), sources, nil, o)
		if shown := fmt.Sprintf("%+v", traces); strings.Contains(shown, "hush") || !strings.Contains(shown, "/***") {
			t.Errorf("%s: shows %s", name, shown)
		}
	}
}

// TestProbeEndsWithItsContext: somebody who gives up waits for no timeout.
func TestProbeEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer server.Close()
	l := httpLoad(server.URL, time.Hour)
	source, err := openOne(l, Options{Door: anyDoor})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if traces := Probe(ctx, []Source{source}, nil, Options{Door: anyDoor}); traces[0].Reading.Problem != scaling.Failed {
		t.Errorf("got %+v", traces[0].Reading)
	}
}

// TestProbeShowsCalls: over gRPC each call is an exchange, with what a scaler
// proposes per replica, and without the metadata that it was sent.
func TestProbeShowsCalls(t *testing.T) {
	s := &scaler{
		specs:  []*externalscaler.MetricSpec{{MetricName: "load hush", TargetSize: 7}},
		values: []*externalscaler.MetricValue{{MetricName: "load hush", MetricValueFloat: 3}},
	}
	address, _ := s.serve(t)
	o := Options{Door: transport.NewDoor(transport.Options{Guard: transport.Guard{Operator: true}, Secrets: &vault{values: map[string]string{"a/token": "hush"}}})}
	source, err := openOne(v1alpha1.Load{Name: "backend", External: &v1alpha1.ExternalSource{
		Address: address, MetadataFrom: map[string]v1alpha1.SecretValue{"token": *secretOf("a", "token")},
	}}, o)
	if err != nil {
		t.Fatal(err)
	}
	traces := Probe(t.Context(), []Source{source}, nil, o)
	shown := fmt.Sprintf("%+v", traces)
	for _, want := range []string{"Method:gRPC URL:" + address + "/externalscaler.ExternalScaler/GetMetricSpec", "Status:OK", `"targetSize":"7"`, "load ***"} {
		if !strings.Contains(strings.ReplaceAll(shown, `": "`, `":"`), want) {
			t.Errorf("expected %s in %s", want, shown)
		}
	}
	if strings.Contains(shown, "hush") {
		t.Errorf("a secret is shown: %s", shown)
	}
}

// TestATokenURLIsNamed where it is what fails, without its query, and in words that stand still.
func TestATokenURLIsNamed(t *testing.T) {
	gone := httptest.NewTLSServer(nil)
	gone.Close()
	address := strings.TrimPrefix(gone.URL, "https://")
	for tokenURL, want := range map[string]string{
		gone.URL + "/token?key=hush":              "gave no answer: auth.oauth2: " + gone.URL + "/token gave no token: dial " + address + ": connect: connection refused",
		"https://login.invalid:8443/token?k=hush": "gave no answer: auth.oauth2: https://login.invalid:8443/token gave no token: the name login.invalid ",
	} {
		secrets := &vault{values: map[string]string{"a/id": "somebody", "a/secret": "hush"}}
		o := Options{Door: transport.NewDoor(transport.Options{Guard: transport.Guard{Operator: true}, Secrets: secrets})}
		auth := v1alpha1.Auth{OAuth2: &v1alpha1.OAuth2{TokenURL: tokenURL, ClientID: *secretOf("a", "id"), ClientSecret: *secretOf("a", "secret")}}
		source, err := openOne(v1alpha1.Load{Name: "a", HTTP: &v1alpha1.HTTPSource{URL: "http://backend.invalid", Value: "body.load", Connection: v1alpha1.Connection{Auth: &auth}}}, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := source.Read(t.Context(), o); got.Problem != scaling.Failed || !strings.Contains(got.Message, want) || strings.Contains(got.Message, "hush") {
			t.Errorf("got %q, want %q", got.Message, want)
		}
	}
}
