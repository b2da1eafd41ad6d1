package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestKubectlSeesTheNodesAsUsersHaveThem(t *testing.T) {
	needBinary(t)
	out := shared.run(t, "", "kubectl", "get", "nodes", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.type} {.metadata.labels.node\.kubernetes\.io/instance-type} {.status.allocatable.nvidia\.com/gpu} {.spec.taints[*].key}{"\n"}{end}`)
	want := "gpu-node-1  ecs.gni3.28xlarge 8 \ngpu-node-2  ecs.gni3.28xlarge 8 \n" +
		"vci-node1-cn-shanghai-a virtual-kubelet virtual-node 1k vci.vke.volcengine.com/node-type\n"
	if out != want {
		t.Errorf("nodes are\n%swant\n%s", out, want)
	}
}

func TestServiceAccountTokenIsKnownAndRefusedSecrets(t *testing.T) {
	needBinary(t)
	shared.run(t, "", "kubectl", "create", "serviceaccount", "nobody")
	token := strings.TrimSpace(shared.run(t, "", "kubectl", "create", "token", "nobody"))
	bare, err := os.ReadFile(filepath.Join(shared.dir, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	// The same kubeconfig without the admin's certificate.
	var kept []string
	for line := range strings.Lines(string(bare)) {
		if !strings.Contains(line, "client-certificate-data") && !strings.Contains(line, "client-key-data") {
			kept = append(kept, line)
		}
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(strings.Replace(strings.Join(kept, ""), "  user:\n", "  user: {}\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	who := shared.run(t, "", "kubectl", "--kubeconfig", file, "--token", token, "auth", "whoami")
	if !strings.Contains(who, "system:serviceaccount:default:nobody") {
		t.Errorf("the token's owner is not known: %s", who)
	}
	out, err := shared.try("", "kubectl", "--kubeconfig", file, "--token", token, "get", "secrets")
	if err == nil || !strings.Contains(out, "Forbidden") {
		t.Errorf("an unprivileged ServiceAccount read secrets: %v %s", err, out)
	}
}

// An external metrics API on loopback, asked through the API server by the HorizontalPodAutoscaler controller.
func TestAggregatedExternalMetricsDriveAnHPA(t *testing.T) {
	needBinary(t)
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		const group = "external.metrics.k8s.io/v1beta1"
		switch r.URL.Path {
		case "/apis/" + group:
			fmt.Fprint(w, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"`+group+`","resources":[{"name":"queue","namespaced":true,"kind":"ExternalMetricValueList","verbs":["get"]}]}`)
		case "/apis/" + group + "/namespaces/default/queue":
			fmt.Fprint(w, `{"kind":"ExternalMetricValueList","apiVersion":"`+group+`","metadata":{},"items":[{"metricName":"queue","metricLabels":{},"timestamp":"2026-01-01T00:00:00Z","value":"3"}]}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer api.Close()
	at, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, "scaled", 1, nil)
	shared.run(t, fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: external-metrics}
spec: {type: ExternalName, externalName: localhost, ports: [{port: %[1]s}]}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {namespace: default, name: external-metrics, port: %[1]s}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}
  minReplicas: 1
  maxReplicas: 5
  metrics: [{type: External, external: {metric: {name: queue}, target: {type: AverageValue, averageValue: "1"}}}]
`, at.Port()), "kubectl", "apply", "-f", "-")
	t.Cleanup(func() {
		shared.run(t, "", "kubectl", "delete", "hpa/scaled", "service/external-metrics", "apiservice/v1beta1.external.metrics.k8s.io")
	})
	eventually(t, func() error {
		scale, err := shared.client.AppsV1().Deployments("default").GetScale(t.Context(), "scaled", metav1.GetOptions{})
		if err != nil || scale.Spec.Replicas != 3 {
			return fmt.Errorf("the HorizontalPodAutoscaler has not asked for 3 replicas: %+v, %v", scale, err)
		}
		return nil
	})
}

func TestAuditLogNamesWhoAsked(t *testing.T) {
	needBinary(t)
	shared.run(t, "", "kubectl", "get", "namespaces")
	eventually(t, func() error {
		log, err := os.ReadFile(filepath.Join(shared.dir, "audit.log"))
		if err != nil {
			return err
		}
		for _, agent := range []string{"kubectl/v1.37.2", "kube-controller-manager/v1.37.2", "kube-scheduler/v1.37.2", "kwok/"} {
			if !strings.Contains(string(log), `"userAgent":"`+agent) {
				return fmt.Errorf("no request of %s in the audit log", agent)
			}
		}
		return nil
	})
}
