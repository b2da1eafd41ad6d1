package controller

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/clustertest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

// Two statuses in quick succession, the second partly as before the first: the
// watch has seen neither, and the API server must end with the second.
func TestStatusIsSavedWhateverTheWatchShows(t *testing.T) {
	cluster := clustertest.Shared(t)
	cluster.InstallCRD(t)
	ns := cluster.Namespace(t)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	direct, err := client.New(cluster.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	cluster.Apply(t, fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui, namespace: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}
  maxReplicas: 3
  loads: [{name: a, http: {url: "http://a", value: body.a}}]`, ns))
	stale := &v1alpha1.LoadScaler{}
	key := client.ObjectKey{Namespace: ns, Name: "webui"}
	if err := direct.Get(t.Context(), key, stale); err != nil {
		t.Fatal(err)
	}

	first := v1alpha1.LoadScalerStatus{CurrentReplicas: 2, DesiredReplicas: 5, StartingReplicas: 3, Summary: v1alpha1.Summary{Load: "0.9"}, Reasons: []v1alpha1.Reason{{Step: "demand", Why: "up"}}}
	second := v1alpha1.LoadScalerStatus{CurrentReplicas: 2, DesiredReplicas: 2, Summary: v1alpha1.Summary{Load: "0.6"}}
	s := inCluster{client: direct}
	for _, save := range []struct{ was, is v1alpha1.LoadScalerStatus }{{stale.Status, first}, {first, second}} {
		if err := s.saveStatus(t.Context(), stale, save.was, save.is); err != nil {
			t.Fatal(err)
		}
	}
	got := &v1alpha1.LoadScaler{}
	if err := direct.Get(t.Context(), key, got); err != nil {
		t.Fatal(err)
	}
	if !equality.Semantic.DeepEqual(got.Status, second) {
		t.Errorf("got  %+v\nwant %+v", got.Status, second)
	}

	if err := direct.Delete(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	if err := s.saveStatus(t.Context(), stale, second, first); err != nil {
		t.Errorf("a LoadScaler that is gone has no status to save, and that is no error; got %v", err)
	}
}
