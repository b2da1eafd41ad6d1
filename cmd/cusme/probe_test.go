package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cusme.dev/cusme/internal/clustertest"
)

// TestProbeInACluster reads a load whose token is in a Secret, with the user's
// own rights, and decides on the target's own pods.
func TestProbeInACluster(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.95"), newDeployment(t, 2)
	b.does(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hush" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprintf(w, `{"load": 0.95, "you": %q}`, r.Header.Get("Authorization"))
	})
	d.cluster.Apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: access, namespace: %[1]s}
stringData: {token: hush}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: nobody, namespace: %[1]s}
`, d.namespace))
	file := filepath.Join(t.TempDir(), "scaler.yaml")
	scaler := fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}
  maxReplicas: 20
  loads:
  - {name: backend, http: {url: "%s", value: body.load, auth: {bearer: {secretKeyRef: {name: access, key: token}}}}}
`, b.URL)
	if err := os.WriteFile(file, []byte(scaler), 0o600); err != nil {
		t.Fatal(err)
	}
	probe := func(kubeconfig string, flags ...string) (int, string) {
		return ended(t, []string{"KUBECONFIG=" + kubeconfig}, append([]string{"probe", "-f", file, "-n", d.namespace}, flags...)...)
	}
	clustertest.Eventually(t, patience, func() error {
		if code, out := probe(d.cluster.Kubeconfig); code != 0 || !strings.Contains(out, "decision: 2 -> 3, with 2 of 2 ready") {
			return fmt.Errorf("exit code %d:\n%s", code, out)
		}
		return nil
	})
	_, out := probe(d.cluster.Kubeconfig)
	wantProbe(t, out, `Authorization: Bearer \*\*\*\n`, `"you": "Bearer \*\*\*"`, `Fresh: 0.95`, `2 -> 3  backend 0.95 on 2 ready pods`)

	code, out := probe(d.cluster.KubeconfigFor(t, d.namespace, "nobody"))
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	wantProbe(t, out, `Failed: .*auth.bearer: .*secrets "access" is forbidden`, `no decision: the target Deployment webui cannot be seen: .*forbidden`)
	if _, out = probe(d.cluster.Kubeconfig, "--replicas", "8"); !strings.Contains(out, "decision: 8 -> 12, with 8 of 8 ready") {
		t.Errorf("as if 8 were ready:\n%s", out)
	}
}

func wantProbe(t *testing.T, out string, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(out) {
			t.Errorf("expected %s in\n%s", pattern, out)
		}
	}
	if strings.Contains(out, "hush") {
		t.Errorf("a secret is shown:\n%s", out)
	}
}

// TestProbeColours: colours are for terminals, and for people who want them.
func TestProbeColours(t *testing.T) {
	t.Parallel()
	r := report{LoadScaler: "shop/webui", Loads: []loadReport{{Name: "backend", Source: "http", State: "Failed", Message: "it is down"}}, NoDecision: "no"}
	for _, colours := range []bool{false, true} {
		p := &page{colours: colours}
		p.report(r)
		if got := strings.Contains(p.String(), "\x1b[31mFailed\x1b[0m"); got != colours {
			t.Errorf("colours %v: %q", colours, p)
		}
	}
	if colourful(&strings.Builder{}, func(string) string { return "" }) {
		t.Error("what is no terminal gets colours")
	}
}

// TestProbeOfPods asks the target's ready pods where they are.
func TestProbeOfPods(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "5"), newDeployment(t, 1, heldBack, addressAnnotation+": 127.0.78.3")
	port := answerBy(t, d, d.unready(t, 1)[0], b, "0")
	d.letGo(t)
	d.isReady(t, 1)
	file := filepath.Join(t.TempDir(), "scaler.yaml")
	scaler := fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui, namespace: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}
  maxReplicas: 3
  loads: [{name: running, low: 2, high: 8, pods: {port: %s, value: body.data.load_balance}}]
`, d.namespace, port)
	if err := os.WriteFile(file, []byte(scaler), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := ended(t, []string{"KUBECONFIG=" + d.cluster.Kubeconfig}, "probe", "-f", file)
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	wantProbe(t, out, `running \(pods\)\n  GET http://[0-9.]+:`+port+`/`, `Fresh: 5, `, `decision: 1 -> 1, with 1 of 1 ready`)
}
