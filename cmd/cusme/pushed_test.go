package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"

	"cusme.dev/cusme/internal/clustertest"
)

// TestPushedLoads installs config with its component push, runs two replicas with the shipped arguments and rights, and
// sends the sample's load as an application would: with a token of its account, trusting what the ConfigMap says and
// nothing else.
func TestPushedLoads(t *testing.T) {
	openAll(t, manifests)
	c := cluster{clustertest.Start(t, "--startup-median=500ms", "--startup-p99=1s"), build(t)}
	c.kubectl(t, "apply", "-k", withPush(t))
	c.kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd/loadscalers.cusme.dev")
	c.kubectl(t, "create", "namespace", "aicloud")
	c.service(t, "webui")
	c.kubectl(t, "apply", "-f", manifests+"/samples/push.yaml")
	account := c.ConfigFor(t, "cusme-system", "cusme")
	c.eventuallyMay(t, account, authorizationv1.ResourceAttributes{Group: "authentication.k8s.io", Resource: "tokenreviews", Verb: "create"}, true)

	kubeconfig := c.KubeconfigFor(t, "cusme-system", "cusme")
	replicas := []*process{c.replica(t, kubeconfig), c.replica(t, kubeconfig)}
	replicas[0].says(t, "receiving pushed loads")
	replicas[1].says(t, "receiving pushed loads")
	webui := sender{token: c.TokenFor(t, "aicloud", "webui", pushing), path: "aicloud/webui", client: c.applicationClient(t)}

	t.Run("either replica takes a load", func(t *testing.T) {
		before := 2
		for _, r := range replicas {
			webui.eventually(t, r, `{"load": "backend", "value": 0.95}`, http.StatusNoContent, "")
			c.eventuallyAbove(t, "webui", before)
			webui.eventually(t, r, `{"value": 0.65}`, http.StatusNoContent, "")
			c.kubectl(t, "rollout", "status", "deployment/webui", "-n", "aicloud", "--timeout=60s")
			before = c.replicas(t, "webui")
		}
	})
	t.Run("who may", func(t *testing.T) { c.mayPush(t, webui, replicas) })
	t.Run("no more than is useful", func(t *testing.T) {
		var sending sync.WaitGroup
		for range 10 {
			sending.Go(func() {
				if err := webui.floods(t, replicas[0]); err != nil {
					t.Error(err)
				}
			})
		}
		sending.Wait()
	})
	t.Run("installed again", func(t *testing.T) {
		authority := func() string {
			return c.kubectl(t, "get", "secret,configmap", "cusme-push-ca", "-n", "cusme-system", "-o", "jsonpath={.items[*].data}")
		}
		before := authority()
		c.kubectl(t, "apply", "-k", withPush(t))
		if after := authority(); after != before || !strings.Contains(after, "tls.key") {
			t.Error("the authority is another one when config is applied again")
		}
		c.eventuallyMay(t, account, authorizationv1.ResourceAttributes{Resource: "secrets", Verb: "create", Namespace: "cusme-system"}, false)
	})
	t.Run("another leads", func(t *testing.T) {
		leader, other := replicas[0], replicas[1]
		if identity := c.kubectl(t, "get", "lease", "cusme-controller", "-n", "cusme-system", "-o", "jsonpath={.metadata.labels}"); strings.Contains(identity, "_"+other.port(t)) {
			leader, other = other, leader
		}
		before := c.replicas(t, "webui")
		leader.stop(t)
		webui.eventually(t, other, `{"value": 0.97}`, http.StatusNoContent, "")
		c.eventuallyAbove(t, "webui", before)
	})
	c.wasNeverRefused(t, "cusme-system")
}

// withPush is a copy of config with the component in it.
func withPush(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "config")
	if err := os.CopyFS(folder, os.DirFS(manifests)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "kustomization.yaml")
	if err := os.WriteFile(file, []byte(read(t, file)+"components: [push]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// replica runs cusme with the arguments of its Deployment, at a port of its own.
func (c cluster) replica(t *testing.T, kubeconfig string) *process {
	t.Helper()
	args := c.argumentsOf(t, "cusme-system")
	for i, a := range args {
		if a == "--push-address=:8443" {
			args[i] = "--push-address=127.0.0.1:0"
		}
	}
	return c.start(t, []string{"KUBECONFIG=" + kubeconfig}, args...)
}

var receiving = regexp.MustCompile(`receiving pushed loads" address=127\.0\.0\.1:([0-9]+)`)

// port is where a replica receives.
func (p *process) port(t *testing.T) string {
	t.Helper()
	found := receiving.FindAllStringSubmatch(p.said(), -1)
	if len(found) == 0 {
		t.Fatal("this replica does not receive")
	}
	return found[len(found)-1][1]
}

// A sender is an application.
type sender struct {
	token, path string
	client      *http.Client
}

// applicationClient trusts the authority in the ConfigMap, and no other.
func (c cluster) applicationClient(t *testing.T) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	clustertest.Eventually(t, patience, func() error {
		out, err := c.Kubectl(t, "get", "configmap", "cusme-push-ca", "-n", "cusme-system", "-o", `jsonpath={.data.ca\.crt}`)
		if err != nil {
			return err
		}
		if !roots.AppendCertsFromPEM([]byte(out)) {
			return fmt.Errorf("the ConfigMap has no certificate: %q", out)
		}
		return nil
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "cusme-push.cusme-system.svc"}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func (s sender) try(r *process, t *testing.T, body string) (status int, text string, header http.Header, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://127.0.0.1:"+r.port(t)+"/v1/loads/"+s.path, strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(read), resp.Header, err
}

func (s sender) post(t *testing.T, r *process, body string) (int, string, http.Header) {
	t.Helper()
	status, text, header, err := s.try(r, t, body)
	if err != nil {
		t.Fatal(err)
	}
	return status, text, header
}

// eventually sends until the answer is the one that is expected: a right or a leader may be a moment away.
func (s sender) eventually(t *testing.T, r *process, body string, want int, says string) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		status, text, _, err := s.try(r, t, body)
		if err != nil || status != want || !strings.Contains(text, says) {
			return fmt.Errorf("a push to %s answered %d %q (%v), want %d %q", s.path, status, text, err, want, says)
		}
		return nil
	})
}

// floods sends until it is told to send less.
func (s sender) floods(t *testing.T, r *process) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		status, text, header, err := s.try(r, t, `{"value": 0.65}`)
		if err != nil || status == http.StatusTooManyRequests && header.Get("Retry-After") == "1" {
			return err
		}
		if status != http.StatusNoContent {
			return fmt.Errorf("in a flood, a push answered %d %q", status, text)
		}
	}
	return fmt.Errorf("not limited within %s", patience)
}

// pushing is the audience that config/push wants of tokens.
const pushing = "cusme-push"

// mayPush holds both replicas to who may send, with real tokens.
func (c cluster) mayPush(t *testing.T, webui sender, replicas []*process) {
	stranger, gone, elsewhere, admin := webui, webui, webui, webui
	stranger.token = c.TokenFor(t, "aicloud", "stranger", pushing)
	gone.token = c.TokenFor(t, "aicloud", "gone", pushing)
	c.kubectl(t, "delete", "serviceaccount", "gone", "-n", "aicloud")
	elsewhere.token = c.TokenFor(t, "aicloud", "webui")
	admin.token = c.TokenFor(t, "aicloud", "admin", pushing)
	c.kubectl(t, "create", "clusterrolebinding", "pusher", "--clusterrole=cluster-admin", "--serviceaccount=aicloud:admin")
	c.eventuallyMay(t, bearing(c.Config(), c.TokenFor(t, "aicloud", "admin")), authorizationv1.ResourceAttributes{Group: "cusme.dev", Resource: "loadscalers", Subresource: "readings", Verb: "create", Namespace: "bank"}, true)

	good := `{"load": "backend", "value": 0.65}`
	for name, s := range map[string]struct {
		sender sender
		path   string
		body   string
		status int
		says   string
	}{
		"its own":                      {webui, "aicloud/webui", good, 204, ""},
		"another's in its namespace":   {webui, "aicloud/worker", good, 403, "system:serviceaccount:aicloud:webui may not create loadscalers/readings of worker in namespace aicloud"},
		"another namespace's":          {webui, "bank/webui", good, 403, "of webui in namespace bank"},
		"an account without the right": {stranger, "aicloud/webui", good, 403, "system:serviceaccount:aicloud:stranger may not"},
		"the same, of no LoadScaler":   {stranger, "aicloud/none", good, 403, "system:serviceaccount:aicloud:stranger may not"},
		"an account that is gone":      {gone, "aicloud/webui", good, 401, "not known to the API server"},
		"a token for the API server":   {elsewhere, "aicloud/webui", good, 401, "not known to the API server"},
		"garbage":                      {sender{token: "hush.hush.hush", client: webui.client}, "aicloud/webui", good, 401, "not known"},
		"no token":                     {sender{client: webui.client}, "aicloud/webui", good, 401, "expected the header Authorization"},
		"no LoadScaler, told who may":  {admin, "bank/webui", good, 404, "there is no LoadScaler webui in namespace bank"},
		"no such load, told who may":   {admin, "aicloud/webui", `{"load": "queue", "value": 1}`, 404, `no load "queue" that is pushed`},
		"no number":                    {webui, "aicloud/webui", `{"value": "NaN"}`, 400, "value: expected a finite number"},
		"negative":                     {webui, "aicloud/webui", `{"value": -1}`, 400, "the value is -1, expected 0 or more"},
		"a time to come":               {webui, "aicloud/webui", `{"value": 1, "observedAt": "2999-01-01T00:00:00Z"}`, 400, "ahead of cusme's clock"},
		"longer than any load":         {webui, "aicloud/webui", good + strings.Repeat(" ", 4096), 413, "at most 4096 bytes"},
	} {
		for _, r := range replicas {
			who := s.sender
			who.path = s.path
			if status, text, _ := who.post(t, r, s.body); status != s.status || !strings.Contains(text, s.says) {
				t.Errorf("%s: answered %d %q, want %d %q", name, status, text, s.status, s.says)
			}
			if strings.Contains(r.said(), who.token) && who.token != "" {
				t.Errorf("%s: the token is in the log", name)
			}
		}
	}
}

func bearing(config *rest.Config, token string) *rest.Config {
	out := rest.AnonymousClientConfig(config)
	out.BearerToken = token
	return out
}

func (c cluster) replicas(t *testing.T, deployment string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(c.kubectl(t, "get", "deployment", deployment, "-n", "aicloud", "-o", "jsonpath={.spec.replicas}"), &n); err != nil {
		t.Fatal(err)
	}
	return n
}
