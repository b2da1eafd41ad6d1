package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"cusme.dev/cusme/internal/clustertest"
)

// 1.0: its patch had no precondition, and overwrote what an HPA, a person or a
// rollout had written since it looked.
func TestAWriteInBetweenIsSeen(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.95"), newDeployment(t, 2)
	d.isReady(t, 2)
	var once sync.Once
	between := proxy(t, d.cluster.Config(), func(r *http.Request) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/scale") {
			once.Do(func() { d.scale(t, 8) }) // A person, a moment before cusme's own write.
		}
	})
	mark := d.cluster.Mark(t)
	start(t, []string{"ThirdUrl=" + b.URL, "KUBECONFIG_PATH=" + between}, "-n", d.namespace, "-d", d.name, "-t", "1s")

	clustertest.Eventually(t, patience, func() error {
		for _, r := range d.cluster.Requests(t, mark, clustertest.Filter{UserAgent: "cusme/", Resource: "deployments/scale", Namespace: d.namespace}) {
			if r.Code == http.StatusConflict {
				return nil
			}
		}
		return fmt.Errorf("the write on top of another's was not refused")
	})
	// With 8 replicas, 2 of them ready, the load would be 0.24: no step is due.
	b.isAskedAgain(t, 2)
	if got := d.replicas(t); got < 8 {
		t.Errorf("the other's 8 replicas were overwritten with %d", got)
	}
}

// 1.0: one replica without leader election; a second one doubled every step.
func TestOfTwoOneScales(t *testing.T) {
	t.Parallel()
	b, loud, d := newBackend(t, "0.6"), newBackend(t, "2.5"), newDeployment(t, 2)
	first := d.dropIn(t, b.URL)
	first.says(t, "holding")
	// The second would scale at once; it does not while the first leads, and does when that one goes.
	second := d.dropIn(t, loud.URL, "-ma", "5")
	second.says(t, "Attempting to acquire leader lease")
	d.staysAt(t, 2, b, 5)
	first.stop(t)
	d.reaches(t, 5)
}

// A port that somebody else has is told at once, and not waited for.
func TestATakenPortIsTold(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.6"), newDeployment(t, 1)
	taken := strings.TrimPrefix(b.URL, "http://")
	for _, flag := range []string{"-metrics-address", "-health-address"} {
		code, out := ended(t, []string{"ThirdUrl=" + b.URL, "KUBECONFIG_PATH=" + d.cluster.Kubeconfig}, "-n", d.namespace, "-d", d.name, flag, taken)
		if code != exitFailed || !strings.Contains(out, "choose other addresses for metrics and health") {
			t.Errorf("%s: expected exit code 1 and what to do, got %d and:\n%s", flag, code, out)
		}
	}
}

// proxy stands between cusme and the API server and lets before see every
// request; it returns the kubeconfig that leads through it.
func proxy(t *testing.T, config *rest.Config, before func(*http.Request)) string {
	t.Helper()
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(target)
	through.FlushInterval = -1
	through.Transport = bearer{config.BearerToken, &http.Transport{TLSClientConfig: tlsConfig, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before(r)
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"proxy": {Server: server.URL}},
		Contexts:       map[string]*clientcmdapi.Context{"proxy": {Cluster: "proxy"}},
		CurrentContext: "proxy",
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// bearer adds the token, where the administrator has one rather than a certificate.
type bearer struct {
	token string
	http.RoundTripper
}

// RoundTrip sends the request with the token.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.RoundTripper.RoundTrip(r)
}

// freeAddress returns a loopback address that nobody listens on just now.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answers waits until a page holds the text.
func answers(t testing.TB, page, text string) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		resp, err := http.Get(page)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(body), text) {
			return fmt.Errorf("expected %s to hold %q, got %d bytes, %v", page, text, len(body), err)
		}
		return nil
	})
}
