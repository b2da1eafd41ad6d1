package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// BenchmarkPush measures, on the control plane, how long after an application begins to send a changed load the API
// server receives the write of the scale. The promise is 100 ms in 99 of 100 cases. The connection is kept, as an
// application's is; the token is reviewed again every ten seconds, and those pushes count like all others.
func BenchmarkPush(b *testing.B) {
	const targets, rises = 10, 25
	cluster := clustertest.Shared(b)
	cluster.InstallCRD(b)
	deployments := make([]*deployment, targets)
	for i := range targets {
		deployments[i] = newDeployment(b, 1)
		deployments[i].isReady(b, 1)
		cluster.Apply(b, pushedScaler(deployments[i].namespace))
	}
	home := deployments[0].namespace
	authority, err := os.ReadFile("../../config/push/authority.yml")
	if err != nil {
		b.Fatal(err)
	}
	cluster.Apply(b, strings.ReplaceAll(string(authority), "cusme-system", home))
	p := start(b, nil, "controller", "--kubeconfig", cluster.Kubeconfig, "--lease-namespace", home,
		"--metrics-address", "0", "--health-address", "0", "--push-address", "127.0.0.1:0")
	a := newApplication(b, p, cluster, home)
	for _, d := range deployments {
		d.eventually(b, func() error { return a.push(d.namespace, 1) })
	}

	var took []time.Duration
	total := 1
	for b.Loop() {
		mark := cluster.Mark(b)
		sent := make([][]time.Time, targets)
		for range rises {
			total++
			for i, d := range deployments {
				d.eventually(b, d.observed(b))
				sent[i] = append(sent[i], time.Now())
				if err := a.push(d.namespace, total); err != nil {
					b.Fatal(err)
				}
				d.reaches(b, int32(total))
			}
		}
		for i, d := range deployments {
			took = append(took, d.reactions(b, mark, sent[i])...)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-max")
	b.ReportMetric(float64(len(took)), "changes")
	b.ReportMetric(0, "ns/op")
}

// observed asks whether the Deployment controller has seen the last write.
func (d *deployment) observed(b *testing.B) func() error {
	return func() error {
		if got := d.get(b); got.Status.ObservedGeneration != got.Generation {
			return fmt.Errorf("the Deployment controller has seen generation %d, not yet %d", got.Status.ObservedGeneration, got.Generation)
		}
		return nil
	}
}

// reactions matches the writes of the scale with the changes that they answer.
func (d *deployment) reactions(b *testing.B, since clustertest.Mark, sent []time.Time) []time.Duration {
	b.Helper()
	took := make([]time.Duration, len(sent))
	d.eventually(b, func() error {
		writes := d.writes(b, since)
		if len(writes) != len(sent) {
			return fmt.Errorf("expected %d writes of the scale, got:\n%s", len(sent), listed(writes))
		}
		for i, w := range writes {
			took[i] = w.Received.Sub(sent[i])
		}
		return nil
	})
	return took
}

// pushedScaler wants as many replicas as the load says, up to hundreds, and never takes any away.
func pushedScaler(namespace string) string {
	return fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui, namespace: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}
  maxReplicas: 1000
  loads: [{name: backend, push: {}, type: Total, low: '0.01', high: 1, target: 1}]
  behavior: {scaleUp: {policies: [{type: Pods, value: 1000, periodSeconds: 15}]}}
`, namespace)
}

// An application sends its load to a controller.
type application struct {
	url, token string
	client     *http.Client
}

var receivesAt = regexp.MustCompile(`receiving pushed loads" address=(127\.0\.0\.1:[0-9]+)`)

// newApplication may send to all LoadScalers, and trusts the controller's own authority.
func newApplication(t testing.TB, p *process, c *clustertest.Cluster, home string) *application {
	t.Helper()
	p.says(t, "receiving pushed loads")
	a := &application{url: "https://" + receivesAt.FindStringSubmatch(p.log.String())[1], token: c.TokenFor(t, home, "application")}
	c.Apply(t, strings.ReplaceAll(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: application-HOME}
rules: [{apiGroups: [cusme.dev], resources: [loadscalers/readings], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: application-HOME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: application-HOME}
subjects: [{kind: ServiceAccount, name: application, namespace: HOME}]
`, "HOME", home))
	roots := x509.NewCertPool()
	clustertest.Eventually(t, patience, func() error {
		ca, err := c.Kubectl(t, "get", "configmap", "cusme-push-ca", "-n", home, "-o", `jsonpath={.data.ca\.crt}`)
		if err == nil && !roots.AppendCertsFromPEM([]byte(ca)) {
			err = fmt.Errorf("expected a certificate, got %q", ca)
		}
		return err
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "cusme-push." + home + ".svc"}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	a.client = &http.Client{Transport: transport, Timeout: patience}
	return a
}

func (a *application) push(namespace string, total int) error {
	req, err := http.NewRequest(http.MethodPost, a.url+"/v1/loads/"+namespace+"/webui", strings.NewReader(fmt.Sprintf(`{"value": %d}`, total)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("a push to %s answered %s", namespace, resp.Status)
	}
	return nil
}
