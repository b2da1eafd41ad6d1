package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"cusme.dev/cusme/api/v1alpha1"
)

// The groups of the Kubernetes metrics APIs.
const (
	externalMetrics = "external.metrics.k8s.io"
	customMetrics   = "custom.metrics.k8s.io"
)

// openExternalMetric understands a metric of the external metrics API; field is
// its path in the spec.
func openExternalMetric(p place, field string, spec v1alpha1.ExternalMetricSource) (Source, error) {
	return openMetric(field, metricAddress{namespace: p.namespace(), name: spec.Name}, spec.Selector)
}

// openObjectMetric understands a metric of the custom metrics API; field is its
// path in the spec.
func openObjectMetric(p place, field string, spec v1alpha1.ObjectMetricSource) (Source, error) {
	a := metricAddress{namespace: p.namespace(), name: spec.Name, object: spec.DescribedObject}
	if err := a.checkObject(field + ".describedObject"); err != nil {
		return Source{}, err
	}
	return openMetric(field, a, spec.Selector)
}

func openMetric(field string, a metricAddress, selector *metav1.LabelSelector) (Source, error) {
	if !isSegment(a.name) {
		return Source{}, fmt.Errorf("%s.name: expected a metric's name, without a slash, got %q", field, printable(a.name, excerptLimit))
	}
	if selector != nil {
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return Source{}, fmt.Errorf("%s.selector: %w", field, err)
		}
		a.selector = s.String()
	}
	return Source{from: a}, nil
}

// isSegment reports whether a name can stand in a path, and leads nowhere else.
func isSegment(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

// A metricAddress is a metric of one of the Kubernetes metrics APIs.
type metricAddress struct {
	namespace, name string
	selector        string             // in the API's words; empty is all
	object          v1alpha1.TargetRef // what it describes; zero for an external metric
}

// checkObject says what is wrong with what the metric describes.
func (a metricAddress) checkObject(field string) error {
	_, err := schema.ParseGroupVersion(a.object.APIVersion)
	switch {
	case err != nil || a.object.APIVersion == "":
		return fmt.Errorf("%s.apiVersion: expected a group and a version, such as apps/v1, got %q", field, printable(a.object.APIVersion, excerptLimit))
	case a.object.Kind == "":
		return fmt.Errorf("%s.kind: expected a kind, such as Ingress, got none", field)
	case !isSegment(a.object.Name):
		return fmt.Errorf("%s.name: expected the name of an object, got %q", field, printable(a.object.Name, excerptLimit))
	case a.isNamespace() && a.object.Name != a.namespace:
		return fmt.Errorf("%s.name: expected %s, as metrics are read in the LoadScaler's own namespace only, got %s", field, a.namespace, a.object.Name)
	}
	return nil
}

func (a metricAddress) isNamespace() bool {
	return a.object.APIVersion == "v1" && a.object.Kind == "Namespace"
}

// group is the API that has the metric.
func (a metricAddress) group() string {
	if a.object.Kind == "" {
		return externalMetrics
	}
	return customMetrics
}

// connect takes the cluster's connections, which all such endpoints share: no
// limit of the controller's own client holds these requests up, nor they it. The
// clients in k8s.io/metrics are not used, because their calls take no context and
// bound no answer.
func (a metricAddress) connect(s surroundings) endpoint {
	e := &metricsEndpoint{metricAddress: a, base: &url.URL{}}
	shared, err := sharedTransport{}, errors.New("there is no cluster to ask")
	if s.Metrics != nil {
		config := rest.CopyConfig(s.Metrics)
		e.base, _, err = rest.DefaultServerUrlFor(config)
		if err == nil {
			shared.RoundTripper, err = rest.TransportFor(config)
		}
	}
	e.httpEndpoint = httpAddress{}.over(shared, s.Options)
	e.shown, e.broken = a.group(), err
	return e
}

// sharedTransport keeps connections that are not one endpoint's to close.
type sharedTransport struct{ http.RoundTripper }

func (sharedTransport) CloseIdleConnections() {}

// A metricsEndpoint asks the API server for a metric.
type metricsEndpoint struct {
	metricAddress
	*httpEndpoint
	base   *url.URL // of the API server
	metric string   // its URL; empty as long as it is not known
}

func (e *metricsEndpoint) ask(ctx context.Context, within time.Duration) (answer, error) {
	if e.broken != nil {
		return answer{}, failed("%s cannot be asked: %w", e.shown, e.hushed(e.broken))
	}
	return e.read(ctx, within)
}

// read finds out where the metric is, and asks for it.
func (e *metricsEndpoint) read(ctx context.Context, within time.Duration) (answer, error) {
	if e.metric == "" {
		metric, err := e.locate(ctx, within)
		if err != nil {
			return answer{}, err
		}
		e.metric = metric
	}
	var values metricValues
	err := e.fetch(ctx, within, e.metric, &values)
	if refused := (refusal{}); errors.As(err, &refused) {
		if refused.code == http.StatusNotFound {
			e.metric = "" // the API may be served in another version next time
		}
		return answer{}, e.explained(refused)
	}
	if err != nil {
		return answer{}, err
	}
	received := time.Now()
	sum, at, err := values.sum(received)
	if err != nil {
		return answer{}, invalid("%s: %w", e.shown, err)
	}
	return answer{number: &sum, received: received, at: at}, nil
}

// locate returns the metric's URL. That of an object takes two questions to the
// API server: which version of the metrics API there is, and what the object's
// kind is called in a path.
func (e *metricsEndpoint) locate(ctx context.Context, within time.Duration) (string, error) {
	if e.object.Kind == "" {
		return e.selecting("labelSelector", "apis", externalMetrics, "v1beta1", "namespaces", e.namespace, e.name), nil
	}
	version, err := e.version(ctx, within)
	if err != nil {
		return "", err
	}
	kind, name := "metrics", "" // of the namespace itself
	if !e.isNamespace() {
		name = e.object.Name
		kind, err = e.plural(ctx, within)
	}
	return e.selecting("metricLabelSelector", "apis", customMetrics, version, "namespaces", e.namespace, kind, name, e.name), err
}

// selecting is a path's URL with the selector, in a parameter that each API
// names its own way.
func (e *metricsEndpoint) selecting(parameter string, path ...string) string {
	if e.selector == "" {
		return e.to(path...)
	}
	return e.to(path...) + "?" + url.Values{parameter: {e.selector}}.Encode()
}

// to is the URL of a path of the API server.
func (e *metricsEndpoint) to(path ...string) string {
	escaped := make([]string, len(path))
	for i, segment := range path {
		escaped[i] = url.PathEscape(segment)
	}
	return e.base.JoinPath(escaped...).String()
}

// version returns the newest version of the custom metrics API that is served.
func (e *metricsEndpoint) version(ctx context.Context, within time.Duration) (string, error) {
	var group metav1.APIGroup
	err := e.fetch(ctx, within, e.to("apis", customMetrics), &group)
	if refused := (refusal{}); errors.As(err, &refused) {
		return "", e.explained(refused)
	}
	if err != nil {
		return "", err
	}
	for _, version := range []string{"v1beta2", "v1beta1"} {
		if slices.ContainsFunc(group.Versions, func(v metav1.GroupVersionForDiscovery) bool { return v.Version == version }) {
			return version, nil
		}
	}
	return "", failed("%s is served in no version that cusme knows: expected v1beta2 or v1beta1", e.shown)
}

// plural returns what a path calls the object's kind, such as
// ingresses.networking.k8s.io.
func (e *metricsEndpoint) plural(ctx context.Context, within time.Duration) (string, error) {
	of, _ := schema.ParseGroupVersion(e.object.APIVersion) // checkObject has parsed it
	list := e.to("apis", of.Group, of.Version)
	if of.Group == "" {
		list = e.to("api", of.Version)
	}
	var known metav1.APIResourceList
	err := e.fetch(ctx, within, list, &known)
	if refused := (refusal{}); err != nil && !(errors.As(err, &refused) && refused.code == http.StatusNotFound) {
		return "", err
	}
	for _, r := range known.APIResources {
		switch {
		case r.Kind != e.object.Kind || strings.Contains(r.Name, "/"):
		case !r.Namespaced:
			return "", failed("a %s belongs to no namespace, and metrics are read in the LoadScaler's own only: describe another object", r.Kind)
		default:
			return schema.GroupResource{Group: of.Group, Resource: r.Name}.String(), nil
		}
	}
	return "", failed("the cluster has no kind %s in %s: check describedObject", e.object.Kind, e.object.APIVersion)
}

// fetch gets a URL of the API server in JSON. Its error is a refusal where
// there was an answer that is none.
func (e *metricsEndpoint) fetch(ctx context.Context, within time.Duration, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return failed("%s cannot be asked: %w", e.shown, e.hushed(err))
	}
	request.Header.Set("User-Agent", e.userAgent)
	request.Header.Set("Accept", accepts[v1alpha1.JSON])
	response, err := e.client.Do(request)
	if err != nil {
		return e.noAnswer(err, within)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return e.refusal(response, within)
	}
	body, err := e.httpEndpoint.read(response, within)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return invalid("%s answered something that is not of the Kubernetes metrics APIs: %s", e.shown, printable(err.Error(), excerptLimit))
	}
	return nil
}

// A refusal is an answer other than 200.
type refusal struct {
	code  int
	said  string // by a metrics API; empty when it was none that answered
	error        // what there is to say of any such answer
}

func (r refusal) Unwrap() error { return r.error }

func (e *metricsEndpoint) refusal(r *http.Response, within time.Duration) error {
	page, _ := io.ReadAll(io.LimitReader(r.Body, errorPageLimit)) // the status says enough if this breaks off
	r.Body = io.NopCloser(bytes.NewReader(page))
	_, err := e.httpEndpoint.read(r, within)
	var status metav1.Status
	if json.Unmarshal(page, &status) != nil || status.Kind != "Status" {
		status.Message = ""
	}
	return refusal{r.StatusCode, printable(e.muted(status.Message), sentenceLimit), err}
}

// explained says what to do about an answer of a metrics API.
func (e *metricsEndpoint) explained(r refusal) error {
	switch {
	case r.code == http.StatusForbidden:
		return failed("cusme may not read %s in namespace %s: apply config/rbac/metrics-apis.yml, which lets it", e.shown, e.namespace)
	case r.code == http.StatusNotFound && r.said == "":
		return failed("the cluster has no %s: install an adapter that serves it, such as prometheus-adapter", e.shown)
	case r.code == http.StatusNotFound:
		return failed("%s has no %s: %s", e.shown, e.name, r.said)
	case r.code == http.StatusServiceUnavailable && r.said == "":
		return failed("%s is not available, as its adapter does not answer: see kubectl get apiservices: %w", e.shown, r.error)
	}
	return r.error
}

// metricValues are a list of values in what all versions of both APIs have in
// common.
type metricValues struct {
	Items []struct {
		Timestamp metav1.Time       `json:"timestamp"`
		Value     resource.Quantity `json:"value"`
	} `json:"items"`
}

// most is where quantities end; what is larger arrives as this.
var most = resource.MustParse("9223372036854775807")

// sum adds up the values. They are as old as the oldest of them.
func (v metricValues) sum(received time.Time) (sum float64, at time.Time, err error) {
	if len(v.Items) == 0 {
		return 0, at, invalid("found nothing: expected one value at least; check name and selector")
	}
	at = v.Items[0].Timestamp.Time
	for _, item := range v.Items {
		if item.Timestamp.IsZero() {
			return 0, at, invalid("gave a value without a time, so that its age is unknown")
		}
		if item.Value.Cmp(most) >= 0 {
			return 0, at, invalid("gave a number without bounds, expected one below %s", most.String())
		}
		f, err := sound(Nearest(item.Value), "gave")
		if err != nil {
			return 0, at, err
		}
		sum, at = sum+f, earlier(at, item.Timestamp.Time)
	}
	at, err = notAhead(at, received, "its timestamp")
	return sum, at, err
}
