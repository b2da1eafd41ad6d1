package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	scaledGroup  = "scaled.cusme.dev/v1"
	metricsGroup = "external.metrics.k8s.io/v1beta1"
)

// scaledAPI is both sides of a HorizontalPodAutoscaler: its metric, and the scale it reads and writes. Of a Deployment a test
// would see neither the number that a sync began with nor when it was written, and status.replicas, which the tolerance is
// taken from, would follow whenever the machine finds time. Here all three are exact.
type scaledAPI struct {
	mu      sync.Mutex
	targets map[string]*scaled
}

type scaled struct {
	replicas int32
	load     load
	began    time.Time
	syncs    []hpaSync
}

// An hpaSync is one turn of the controller's crank, as its requests show it.
type hpaSync struct {
	at       time.Time // when the metric was read; the decision follows within milliseconds
	replicas int32     // of the scale, read just before
	value    float64
	wrote    int32 // the decision
	wroteAt  time.Time
}

func (a *scaledAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := strings.Trim(r.URL.Path, "/")
	if path == "apis/"+scaledGroup || path == "apis/"+metricsGroup {
		answer(w, resourcesOf(strings.TrimPrefix(path, "apis/")))
		return
	}
	name, isScale := strings.CutSuffix(strings.TrimPrefix(path, "apis/"+scaledGroup+"/namespaces/default/things/"), "/scale")
	metric, isMetric := strings.CutPrefix(path, "apis/"+metricsGroup+"/namespaces/default/")
	switch {
	case isScale && a.targets[name] != nil:
		a.targets[name].serveScale(w, r, name)
	case isMetric && a.targets[metric] != nil:
		a.targets[metric].serveMetric(w, metric)
	default:
		http.NotFound(w, r)
	}
}

func (s *scaled) serveScale(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method == http.MethodPut {
		var asked autoscalingv1.Scale
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(s.syncs) == 0 {
			http.Error(w, fmt.Sprintf("a Scale in JSON was expected, after the metric was read: %v", err), http.StatusBadRequest)
			return
		}
		s.replicas = asked.Spec.Replicas
		last := &s.syncs[len(s.syncs)-1]
		last.wrote, last.wroteAt = s.replicas, time.Now()
	}
	answer(w, autoscalingv1.Scale{
		TypeMeta:   metav1.TypeMeta{APIVersion: "autoscaling/v1", Kind: "Scale"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec:       autoscalingv1.ScaleSpec{Replicas: s.replicas},
		Status:     autoscalingv1.ScaleStatus{Replicas: s.replicas, Selector: "thing=" + name},
	})
}

func (s *scaled) serveMetric(w http.ResponseWriter, name string) {
	now := time.Now()
	if s.began.IsZero() {
		s.began = now
	}
	value := s.load(now.Sub(s.began))
	s.syncs = append(s.syncs, hpaSync{at: now, replicas: s.replicas, value: float64(value), wrote: s.replicas})
	answer(w, map[string]any{"kind": "ExternalMetricValueList", "apiVersion": metricsGroup, "metadata": map[string]any{},
		"items": []any{map[string]any{"metricName": name, "metricLabels": map[string]string{}, "timestamp": now.UTC().Format(time.RFC3339), "value": fmt.Sprint(value)}}})
}

// seen returns the syncs of the first so many seconds, and whether they are over.
func (a *scaledAPI) seen(name string, d time.Duration) ([]hpaSync, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.targets[name]
	end := slices.IndexFunc(s.syncs, func(one hpaSync) bool { return one.at.Sub(s.began) > d })
	if end < 0 {
		return nil, false
	}
	return slices.Clone(s.syncs[:end]), true
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func resourcesOf(groupVersion string) metav1.APIResourceList {
	list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: groupVersion}
	if groupVersion == metricsGroup {
		list.APIResources = []metav1.APIResource{{Name: "any", Namespaced: true, Kind: "ExternalMetricValueList", Verbs: []string{"get"}}}
		return list
	}
	list.APIResources = []metav1.APIResource{
		{Name: "things", SingularName: "thing", Namespaced: true, Kind: "Thing", Verbs: []string{"get"}},
		{Name: "things/scale", Namespaced: true, Group: "autoscaling", Version: "v1", Kind: "Scale", Verbs: []string{"get", "update"}},
	}
	return list
}

// aggregate puts the API behind the cluster's, where the HorizontalPodAutoscaler controller finds it.
func (a *scaledAPI) aggregate(t *testing.T) {
	t.Helper()
	server := httptest.NewTLSServer(a)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	manifests := fmt.Sprintf("{apiVersion: v1, kind: Service, metadata: {name: scaled}, spec: {type: ExternalName, externalName: localhost, ports: [{port: %s}]}}\n", at.Port())
	for _, groupVersion := range []string{scaledGroup, metricsGroup} {
		group, version, _ := strings.Cut(groupVersion, "/")
		manifests += fmt.Sprintf(`---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: %s.%s}
spec: {group: %s, version: %s, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: {namespace: default, name: scaled, port: %s}}
`, version, group, group, version, at.Port())
	}
	t.Cleanup(func() { shared.run(t, manifests, "kubectl", "delete", "-f", "-") })
	shared.run(t, manifests, "kubectl", "apply", "-f", "-")
	eventually(t, func() error {
		_, lists, err := shared.client.Discovery().ServerGroupsAndResources()
		for _, want := range []string{scaledGroup, metricsGroup} {
			if !slices.ContainsFunc(lists, func(l *metav1.APIResourceList) bool { return l.GroupVersion == want && len(l.APIResources) > 0 }) {
				return fmt.Errorf("%s is not discovered: %v", want, err)
			}
		}
		return nil
	})
	renewControllers(t)
}

// renewControllers spares up to half a minute: that seldom does kube-controller-manager ask which kinds there are.
func renewControllers(t *testing.T) {
	t.Helper()
	pid, err := shared.pid("kube-controller-manager")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
