package load

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	customv1beta1 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	customv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

var ingress = v1alpha1.TargetRef{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: "shop"}

var externalMetricKind = metricKind(v1alpha1.Load{Name: "backend", ExternalMetric: &v1alpha1.ExternalMetricSource{Name: "load"}})

var objectMetricKind = metricKind(v1alpha1.Load{Name: "backend", ObjectMetric: &v1alpha1.ObjectMetricSource{Name: "load", DescribedObject: ingress}})

// metricKind asks an API server for a metric. It knows its certificate as
// client-go does.
func metricKind(l v1alpha1.Load) kind {
	return kind{
		open: func(t *testing.T, s site) func() scaling.Reading {
			if settings := s.connection.TLS; settings != nil {
				s.options.Metrics.TLSClientConfig.Insecure = settings.InsecureSkipVerify
				if settings.CA != nil {
					ca, err := s.options.Door.Value(t.Context(), "shop", *settings.CA)
					if err != nil {
						t.Fatal(err)
					}
					s.options.Metrics.TLSClientConfig.CAData = []byte(ca)
				}
			}
			source, err := openOne(l, s.options)
			if err != nil {
				t.Fatal(err)
			}
			source.timeout = s.connection.Timeout.Duration // a metric has the default
			return askingAt(t, source, s)
		},
		says: func(number string, at time.Time) http.Handler { return metricsAPI{number: number, at: at} },
		cannot: map[string]string{
			"number/a huge one":                 "quantities end at 2^63-1: number/beyond a double is such a one",
			"number/too small for a double":     "quantities are whole billionths, rounded up",
			"credentials/changed while running": "cusme asks with its own account, which is client-go's to keep",
		},
	}
}

// A metricsAPI is an API server with both metrics APIs, which know one number.
type metricsAPI struct {
	number string // written as it is; empty is no value
	at     time.Time
}

func (a metricsAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	items := "[]"
	if a.number != "" {
		at, _ := json.Marshal(metav1.NewTime(a.at))
		items = `[{"metricName": "load", "timestamp": ` + string(at) + `, "value": "` + a.number + `"}]`
	}
	answers := map[string]string{
		"/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/load":                                `{"items": ` + items + `}`,
		"/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/ingresses.networking.k8s.io/shop/load": `{"items": ` + items + `}`,
		"/apis/custom.metrics.k8s.io": `{"versions": [{"version": "v1beta1"}, {"version": "v1beta2"}]}`,
		"/apis/networking.k8s.io/v1":  `{"resources": [{"name": "ingresses/status", "namespaced": true, "kind": "Ingress"}, {"name": "ingresses", "namespaced": true, "kind": "Ingress"}]}`,
	}
	says(answers[r.URL.Path])(w, r)
}

// A cluster answers paths, with queries, of an API server with what is given, in
// JSON unless that is a text.
type cluster map[string]any

func (c cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch answer := c[r.URL.RequestURI()].(type) {
	case nil:
		http.NotFound(w, r)
	case metav1.Status:
		w.WriteHeader(int(answer.Code))
		_ = json.NewEncoder(w).Encode(answer)
	case http.HandlerFunc:
		answer(w, r)
	default:
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func refuses(code int32, says string) metav1.Status {
	return metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Code: code, Message: says}
}

func externalValues(at time.Time, values ...string) *externalv1beta1.ExternalMetricValueList {
	list := &externalv1beta1.ExternalMetricValueList{}
	for i, v := range values {
		list.Items = append(list.Items, externalv1beta1.ExternalMetricValue{MetricName: "queue", Timestamp: metav1.NewTime(at.Add(-time.Duration(i) * time.Minute)), Value: resource.MustParse(v)})
	}
	return list
}

func groupOf(versions ...string) metav1.APIGroup {
	group := metav1.APIGroup{Name: customMetrics}
	for _, v := range versions {
		group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: customMetrics + "/" + v, Version: v})
	}
	return group
}

const (
	queuePath  = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue"
	customPath = "/apis/custom.metrics.k8s.io"
)

// TestMetrics wants the right request made and the right number or sentence of
// what an API server answers, in the types of the metrics APIs.
func TestMetrics(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	quantity := resource.MustParse("2500m")
	object := func(apiVersion, kind, name string) *v1alpha1.ObjectMetricSource {
		return &v1alpha1.ObjectMetricSource{Name: "queue", DescribedObject: v1alpha1.TargetRef{APIVersion: apiVersion, Kind: kind, Name: name}}
	}
	core := metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "services", Kind: "Service", Namespaced: true}, {Name: "nodes", Kind: "Node"}}}
	selecting := &metav1.LabelSelector{MatchLabels: map[string]string{"b": "2", "a": "1"}}
	for name, c := range map[string]struct {
		external *metav1.LabelSelector // of metric queue, without object
		object   *v1alpha1.ObjectMetricSource
		cluster  cluster
		want     float64
		age      time.Duration
		state    scaling.State
		says     string
	}{
		"one value":                    {cluster: cluster{queuePath: externalValues(now, "2500m")}, want: 2.5},
		"several, and the oldest time": {cluster: cluster{queuePath: externalValues(now, "3", "4", "500m")}, want: 7.5, age: 2 * time.Minute},
		"a selector":                   {external: selecting, cluster: cluster{queuePath + "?labelSelector=a%3D1%2Cb%3D2": externalValues(now, "3")}, want: 3},
		"nothing found":                {cluster: cluster{queuePath: externalValues(now)}, state: scaling.Invalid, says: "external.metrics.k8s.io: found nothing: expected one value at least; check name and selector"},
		"negative beside a larger one": {cluster: cluster{queuePath: externalValues(now, "3", "-1")}, state: scaling.Invalid, says: "external.metrics.k8s.io: gave -1, expected 0 or more"},
		"no time":                      {cluster: cluster{queuePath: externalValues(time.Time{}, "3")}, state: scaling.Invalid, says: "gave a value without a time"},
		"an hour ahead":                {cluster: cluster{queuePath: externalValues(now.Add(time.Hour), "3")}, state: scaling.Invalid, says: "ahead of cusme's clock, so the age of the reading is unknown"},
		"no such metric":               {cluster: cluster{queuePath: refuses(404, "no metric of\nthat name")}, state: scaling.Failed, says: "external.metrics.k8s.io has no queue: no metric of that name"},
		"no adapter":                   {cluster: cluster{}, state: scaling.Failed, says: "the cluster has no external.metrics.k8s.io: install an adapter that serves it"},
		"forbidden":                    {cluster: cluster{queuePath: refuses(403, "no")}, state: scaling.Failed, says: "cusme may not read external.metrics.k8s.io in namespace shop: apply config/rbac/metrics-apis.yml"},
		"an adapter that is down":      {cluster: cluster{queuePath: status(503, "service unavailable")}, state: scaling.Failed, says: "external.metrics.k8s.io is not available, as its adapter does not answer: see kubectl get apiservices: external.metrics.k8s.io answered 503"},
		"an adapter in trouble":        {cluster: cluster{queuePath: refuses(500, "no backend")}, state: scaling.Failed, says: "external.metrics.k8s.io answered 500 Internal Server Error, expected 200: "},

		"of a Service": {object: object("v1", "Service", "webui"), cluster: cluster{customPath: groupOf("v1beta1", "v1beta2"), "/api/v1": core,
			customPath + "/v1beta2/namespaces/shop/services/webui/queue": customv1beta2.MetricValueList{Items: []customv1beta2.MetricValue{{
				DescribedObject: corev1.ObjectReference{Kind: "Service", Name: "webui"}, Timestamp: metav1.NewTime(now), Value: quantity}}}}, want: 2.5},
		"of the older version": {object: object("v1", "Service", "webui"), cluster: cluster{customPath: groupOf("v1beta1"), "/api/v1": core,
			customPath + "/v1beta1/namespaces/shop/services/webui/queue": customv1beta1.MetricValueList{Items: []customv1beta1.MetricValue{{
				MetricName: "queue", Timestamp: metav1.NewTime(now), Value: quantity}}}}, want: 2.5},
		"of the namespace": {object: object("v1", "Namespace", "shop"), cluster: cluster{customPath: groupOf("v1beta2"),
			customPath + "/v1beta2/namespaces/shop/metrics/queue": customv1beta2.MetricValueList{Items: []customv1beta2.MetricValue{{Timestamp: metav1.NewTime(now), Value: quantity}}}}, want: 2.5},
		"of a node":            {object: object("v1", "Node", "n1"), cluster: cluster{customPath: groupOf("v1beta2"), "/api/v1": core}, state: scaling.Failed, says: "a Node belongs to no namespace"},
		"of no kind":           {object: object("v1", "Thing", "t"), cluster: cluster{customPath: groupOf("v1beta2"), "/api/v1": core}, state: scaling.Failed, says: "the cluster has no kind Thing in v1: check describedObject"},
		"of no group":          {object: object("x.dev/v1", "Thing", "t"), cluster: cluster{customPath: groupOf("v1beta2")}, state: scaling.Failed, says: "the cluster has no kind Thing in x.dev/v1: check describedObject"},
		"no custom adapter":    {object: object("v1", "Service", "webui"), cluster: cluster{}, state: scaling.Failed, says: "the cluster has no custom.metrics.k8s.io: install an adapter"},
		"a version of one day": {object: object("v1", "Service", "webui"), cluster: cluster{customPath: groupOf("v7")}, state: scaling.Failed, says: "custom.metrics.k8s.io is served in no version that cusme knows: expected v1beta2 or v1beta1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.cluster)
			defer server.Close()
			l := v1alpha1.Load{Name: "queue", ObjectMetric: c.object}
			if c.object == nil {
				l.ExternalMetric = &v1alpha1.ExternalMetricSource{Name: "queue", Selector: c.external}
			}
			o := Options{Metrics: &rest.Config{Host: server.URL}}
			source, err := openOne(l, o)
			if err != nil {
				t.Fatal(err)
			}
			got := source.Read(t.Context(), o)
			if got.Value != c.want || got.Problem != c.state || !strings.Contains(got.Message, c.says) || c.state == "" && !got.At.Equal(now.Add(-c.age)) {
				t.Errorf("got %+v, want %v, %s old, problem %q, saying %q", got, c.want, c.age, c.state, c.says)
			}
		})
	}
}

// TestMetricsWithoutCluster wants a sentence where no API server is known.
func TestMetricsWithoutCluster(t *testing.T) {
	if got := read(t, v1alpha1.Load{Name: "queue", ExternalMetric: &v1alpha1.ExternalMetricSource{Name: "queue"}}); got.Problem != scaling.Failed || got.Message != "external.metrics.k8s.io cannot be asked: there is no cluster to ask" {
		t.Errorf("got %+v", got)
	}
}

// TestMetricsAreShared wants selectors that mean the same to share a poll, and
// other namespaces not to.
func TestMetricsAreShared(t *testing.T) {
	from := func(scaler string, s metav1.LabelSelector) address {
		sources, err := OpenAll(scaler, []v1alpha1.Load{{Name: "queue", ExternalMetric: &v1alpha1.ExternalMetricSource{Name: "queue", Selector: &s}}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return sources[0].from
	}
	in := func(key string, values ...string) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpIn, Values: values}
	}
	one := from("shop/a", metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{in("a", "1", "2"), in("b", "3")}})
	if other := from("shop/b", metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{in("b", "3"), in("a", "2", "1")}}); one != other {
		t.Errorf("%v and %v are the same question", one, other)
	}
	if other := from("mall/a", metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{in("a", "1", "2"), in("b", "3")}}); one == other {
		t.Errorf("two namespaces have the one address %v", one)
	}
}

// TestOpenMetricsRefuses wants the field named, with a sentence that says what
// to write instead.
func TestOpenMetricsRefuses(t *testing.T) {
	about := func(apiVersion, kind, name string) v1alpha1.Load {
		return v1alpha1.Load{Name: "queue", ObjectMetric: &v1alpha1.ObjectMetricSource{Name: "m", DescribedObject: v1alpha1.TargetRef{APIVersion: apiVersion, Kind: kind, Name: name}}}
	}
	for want, l := range map[string]v1alpha1.Load{
		`loads[queue].externalMetric.name: expected a metric's name, without a slash, got "a/../b"`: {Name: "queue", ExternalMetric: &v1alpha1.ExternalMetricSource{Name: "a/../b"}},
		`loads[queue].externalMetric.selector: "Near" is not a valid label selector operator`: {Name: "queue", ExternalMetric: &v1alpha1.ExternalMetricSource{Name: "m", Selector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}},
		`loads[queue].objectMetric.describedObject.apiVersion: expected a group and a version, such as apps/v1, got "a/b/c"`:                  about("a/b/c", "Ingress", "shop"),
		`loads[queue].objectMetric.describedObject.kind: expected a kind, such as Ingress, got none`:                                          about("v1", "", "shop"),
		`loads[queue].objectMetric.describedObject.name: expected the name of an object, got ".."`:                                            about("v1", "Service", ".."),
		`loads[queue].objectMetric.describedObject.name: expected shop, as metrics are read in the LoadScaler's own namespace only, got mall`: about("v1", "Namespace", "mall"),
	} {
		if _, err := openOne(l, Options{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
