package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// askingForAToken gives a back end that answers nobody without the token, and
// repeats to everybody what it was sent.
func askingForAToken(t testing.TB) (*backend, *atomic.Pointer[string]) {
	b, token := newBackend(t, "0.6"), &atomic.Pointer[string]{}
	b.does(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+*token.Load() {
			http.Error(w, "you said "+r.Header.Get("Authorization"), http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"data":{"load_balance":0.6}}`)
	})
	return b, token
}

// putToken writes the Secret that has the token.
func (d *deployment) putToken(t testing.TB, value string) {
	t.Helper()
	d.cluster.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: backend, namespace: %s}, stringData: {token: %q}}", d.namespace, value))
}

// newReader gives a Deployment a LoadScaler whose load wants the token, and an account to serve it that may read no Secret.
func newReader(t testing.TB, d *deployment, url string) (kubeconfig string) {
	t.Helper()
	d.cluster.Apply(t, strings.ReplaceAll(readerOfLittle, "NAMESPACE", d.namespace))
	putScaler(t, d, itsDeployment, "dryRun: true", "interval: 1s",
		fmt.Sprintf("loads: [{name: backend, http: {url: %q, value: body.data.load_balance, auth: {bearer: {secretKeyRef: {name: backend, key: token}}}}}]", url))
	return d.cluster.KubeconfigFor(t, d.namespace, "cusme")
}

const (
	readable = `{.status.conditions[?(@.type=="SecretsReadable")].status} {.status.conditions[?(@.type=="SecretsReadable")].reason}`
	fresh    = `{.status.conditions[?(@.type=="ReadingsFresh")].status}`
)

// TestASecretIsGrantedByWhatTheStatusPrints, is used as it is at any time, and is told to nobody.
func TestASecretIsGrantedByWhatTheStatusPrints(t *testing.T) {
	t.Parallel()
	b, token := askingForAToken(t)
	d := newDeployment(t, 2)
	first, second, third := "first-s3cret-value", "second-s3cret-value", "third-s3cret-value"
	token.Store(&first)
	kubeconfig := newReader(t, d, b.URL)
	d.putToken(t, first+"\n")
	metrics := freeAddress(t)
	p := start(t, nil, "controller", "--kubeconfig", kubeconfig, "--namespace", d.namespace,
		"--leader-elect=false", "--metrics-address", metrics, "--health-address", "0")

	d.hasStatus(t, readable, "False NotGranted")
	d.hasStatus(t, "{.status.loads[0].state}", "Failed")
	d.hasStatus(t, "{.status.loads[0].message}", fmt.Sprintf("backend is unknown: %s gave no answer: auth.bearer: cusme may not read Secret %s/backend: apply the Role and RoleBinding that the condition SecretsReadable holds", b.URL, d.namespace))
	if n := b.asked.Load(); n != 0 {
		t.Errorf("the back end was asked %d times without the token", n)
	}
	message, err := d.cluster.Kubectl(t, "get", "loadscaler", "webui", "-n", d.namespace, "-o", `jsonpath={.status.conditions[?(@.type=="SecretsReadable")].message}`)
	if err != nil {
		t.Fatal(err)
	}
	d.cluster.Apply(t, message)
	d.hasStatus(t, fresh, "True")
	d.hasStatus(t, readable, "True Granted")

	token.Store(&second)
	d.hasStatus(t, fresh, "False")
	d.hasStatus(t, "{.status.loads[0].message}", fmt.Sprintf("backend is unknown: %s answered 401 Unauthorized, expected 200: you said Bearer ***", b.URL))
	d.putToken(t, second)
	d.hasStatus(t, fresh, "True")

	token.Store(&third) // one more, so that the last word of the log is about a token that was refused
	d.hasStatus(t, fresh, "False")
	d.isTold(t, p, metrics, "s3cret")
}

// isTold fails the test when status, events, log or metrics hold a text.
func (d *deployment) isTold(t *testing.T, p *process, metrics, text string) {
	t.Helper()
	told := map[string]string{"the log": p.log.String()}
	for _, kind := range []string{"loadscalers", "events.events.k8s.io"} {
		out, err := d.cluster.Kubectl(t, "get", kind, "-n", d.namespace, "-o", "yaml")
		if err != nil {
			t.Fatal(err)
		}
		told[kind] = out
	}
	page, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	all, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	told["metrics"] = string(all)
	for where, said := range told {
		if said == "" || strings.Contains(said, text) {
			t.Errorf("%s, of %d bytes, tell a secret or nothing", where, len(said))
		}
	}
}

// TestNobodyReachesWhatIsNotALoad through cusme: not loopback, and not the API server.
func TestNobodyReachesWhatIsNotALoad(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.6"), newDeployment(t, 1)
	kubeconfig := newReader(t, d, strings.Replace(b.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1))
	api := strings.TrimPrefix(d.cluster.Config().Host, "https://")
	d.cluster.Apply(t, fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui, namespace: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}
  maxReplicas: 10
  dryRun: true
  interval: 1s
  loads:
  - {name: node, http: {url: "http://localhost:%s", value: body.data.load_balance}}
  - {name: api, http: {url: "https://%s/version", value: double(body.minor), tls: {insecureSkipVerify: true}}}
`, d.namespace, b.URL[strings.LastIndex(b.URL, ":")+1:], api))
	startGuarded(t, nil, "controller", "--kubeconfig", kubeconfig, "--namespace", d.namespace,
		"--leader-elect=false", "--metrics-address", "0", "--health-address", "0")
	for i := range 2 {
		d.eventually(t, func() error {
			got, err := d.cluster.Kubectl(t, "get", "loadscaler", "webui", "-n", d.namespace, "-o", fmt.Sprintf("jsonpath={.status.loads[%d].message}", i))
			if err != nil || !strings.Contains(got, "a loopback address, which no load may be read from; the operator can allow it with --allow-cidr ") {
				return fmt.Errorf("got %q, %v", got, err)
			}
			return nil
		})
	}
	if n := b.asked.Load(); n != 0 {
		t.Errorf("the back end on loopback was asked %d times", n)
	}
}
