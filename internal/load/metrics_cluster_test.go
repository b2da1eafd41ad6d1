package load

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	customv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/scaling"
)

// adapter has the API server pass on the metrics APIs to a server on loopback.
const adapter = `
apiVersion: v1
kind: Service
metadata: {name: adapter, namespace: default}
spec: {type: ExternalName, externalName: localhost, ports: [{port: %[1]s}]}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec: {group: external.metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: {namespace: default, name: adapter, port: %[1]s}}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.custom.metrics.k8s.io}
spec: {group: custom.metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: {namespace: default, name: adapter, port: %[1]s}}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta2.custom.metrics.k8s.io}
spec: {group: custom.metrics.k8s.io, version: v1beta2, groupPriorityMinimum: 100, versionPriority: 200, insecureSkipTLSVerify: true, service: {namespace: default, name: adapter, port: %[1]s}}
`

// TestMetricsOfACluster reads both metrics APIs through a real API server, with
// the account that cusme has and what config/rbac/metrics-apis.yml adds to it.
// Without an adapter, and without the right, the sentence says what to do.
func TestMetricsOfACluster(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	service := customv1beta2.MetricValueList{Items: []customv1beta2.MetricValue{{Timestamp: metav1.NewTime(now)}}}
	service.Items[0].Value.SetMilli(2500)
	server := httptest.NewTLSServer(cluster{
		"/apis/" + externalMetrics + "/v1beta1":                                        metav1.APIResourceList{GroupVersion: externalMetrics + "/v1beta1"},
		customPath + "/v1beta1":                                                        metav1.APIResourceList{GroupVersion: customMetrics + "/v1beta1"},
		customPath + "/v1beta2":                                                        metav1.APIResourceList{GroupVersion: customMetrics + "/v1beta2"},
		queuePath + "?labelSelector=a%3D1":                                             externalValues(now, "3", "4"),
		customPath + "/v1beta2/namespaces/shop/services/webui/queue":                   service,
		customPath + "/v1beta2/namespaces/shop/ingresses.networking.k8s.io/shop/queue": service,
		"/apis/" + externalMetrics + "/v1beta1/namespaces/shop/nothing":                refuses(404, "no metric nothing"),
	})
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := clustertest.Start(t)
	c.Apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: cusme-system}}")
	cusme := c.ConfigFor(t, "cusme-system", "cusme")
	queue := v1alpha1.Load{Name: "queue", ExternalMetric: &v1alpha1.ExternalMetricSource{Name: "queue", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "1"}}}}
	about := func(apiVersion, kind, name string) v1alpha1.Load {
		return v1alpha1.Load{Name: "queue", ObjectMetric: &v1alpha1.ObjectMetricSource{Name: "queue", DescribedObject: v1alpha1.TargetRef{APIVersion: apiVersion, Kind: kind, Name: name}}}
	}

	eventuallySays(t, c.Config(), queue, "the cluster has no external.metrics.k8s.io: install an adapter that serves it")
	eventuallySays(t, c.Config(), about("v1", "Service", "webui"), "the cluster has no custom.metrics.k8s.io: install an adapter that serves it")
	c.Apply(t, fmt.Sprintf(adapter, at.Port()))
	eventuallySays(t, cusme, queue, "cusme may not read external.metrics.k8s.io in namespace shop: apply config/rbac/metrics-apis.yml")
	eventuallySays(t, cusme, about("v1", "Service", "webui"), "cusme may not read custom.metrics.k8s.io in namespace shop: apply config/rbac/metrics-apis.yml")
	role, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "metrics-apis.yml"))
	if err != nil {
		t.Fatal(err)
	}
	c.Apply(t, string(role))
	eventuallyReads(t, cusme, queue, 7, now.Add(-time.Minute))
	eventuallyReads(t, cusme, about("v1", "Service", "webui"), 2.5, now)
	eventuallyReads(t, cusme, about("networking.k8s.io/v1", "Ingress", "shop"), 2.5, now)
	eventuallySays(t, cusme, v1alpha1.Load{Name: "queue", ExternalMetric: &v1alpha1.ExternalMetricSource{Name: "nothing"}}, "external.metrics.k8s.io has no nothing: no metric nothing")
	server.Close()
	eventuallySays(t, cusme, queue, "external.metrics.k8s.io is not available, as its adapter does not answer: see kubectl get apiservices")
}

func readMetric(t *testing.T, config *rest.Config, l v1alpha1.Load) scaling.Reading {
	t.Helper()
	o := Options{Metrics: config}
	source, err := openOne(l, o)
	if err != nil {
		t.Fatal(err)
	}
	return source.Read(t.Context(), o)
}

func eventuallySays(t *testing.T, config *rest.Config, l v1alpha1.Load, says string) {
	t.Helper()
	clustertest.Eventually(t, time.Minute, func() error {
		if got := readMetric(t, config, l); got.Problem != scaling.Failed || !strings.Contains(got.Message, says) {
			return fmt.Errorf("got %+v, want it to say %q", got, says)
		}
		return nil
	})
}

func eventuallyReads(t *testing.T, config *rest.Config, l v1alpha1.Load, want float64, at time.Time) {
	t.Helper()
	clustertest.Eventually(t, time.Minute, func() error {
		if got := readMetric(t, config, l); got.Problem != "" || got.Value != want || !got.At.Equal(at) {
			return fmt.Errorf("got %+v, want %v of %s", got, want, at)
		}
		return nil
	})
}
