package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load/externalscaler"
)

const (
	// somethingToDo is the load of a scaler that is active and says 0. KEDA keeps
	// a replica then; so does a Total above 0, however small. It is the least
	// number that KEDA, which counts in thousandths, can tell from 0.
	somethingToDo = 0.001
	// relearnAfter is how long the names of a scaler's metrics are believed.
	relearnAfter = 10 * time.Minute
)

// openExternal understands an external scaler; field is its path in the spec.
func openExternal(p place, field string, spec v1alpha1.ExternalSource) (Source, error) {
	timeout, timeoutErr := timeoutOf(field, spec.Timeout)
	if err := errors.Join(checkExternal(field, spec), timeoutErr); err != nil {
		return Source{}, err
	}
	spec.Timeout = nil // it makes no difference to what is asked
	text, err := json.Marshal(spec)
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", field, err)
	}
	return Source{from: externalAddress{p.scaler, string(text)}, timeout: timeout}, nil
}

// checkExternal says what is wrong with a spec beyond what the API server has
// refused.
func checkExternal(field string, spec v1alpha1.ExternalSource) error {
	host, port, err := net.SplitHostPort(spec.Address)
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || host == "" || portErr != nil || n == 0 {
		return fmt.Errorf("%s.address: expected a host and a port of 1 to 65535, such as scaler.shop:6000, got %q", field, printable(spec.Address, excerptLimit))
	}
	for key := range spec.MetadataFrom {
		if _, twice := spec.Metadata[key]; twice {
			return fmt.Errorf("%s.metadataFrom: %q is given in metadata too: leave one of them out", field, printable(key, excerptLimit))
		}
	}
	return nil
}

// An externalAddress is a scaler and all that it is told.
type externalAddress struct {
	scaler string // namespace/name of the LoadScaler, by which it is asked
	spec   string // the source as JSON, without its timeout
}

func (a externalAddress) connect(s surroundings) endpoint {
	e := &externalEndpoint{surroundings: s}
	_ = json.Unmarshal([]byte(a.spec), &e.spec) // it was marshalled from one
	e.namespace, e.name, _ = strings.Cut(a.scaler, "/")
	return e
}

// An externalEndpoint asks an external scaler, over a connection that is kept.
type externalEndpoint struct {
	surroundings
	spec            v1alpha1.ExternalSource
	namespace, name string
	session         *session // nil as long as none is open
	active          activity
}

func (e *externalEndpoint) close() {
	if e.session != nil {
		e.session.close()
		e.session = nil
	}
}

func (e *externalEndpoint) ask(ctx context.Context, within time.Duration) (answer, error) {
	asked := time.Now()
	if err := e.open(ctx); err != nil {
		return answer{}, failed("%s cannot be asked: %w", e.spec.Address, err)
	}
	value, err := e.read(ctx)
	if err == nil {
		return answer{number: &value, received: time.Now(), at: asked}, nil
	}
	e.session.learned = time.Time{} // the scaler may have become another
	err = e.session.sentence(err, within)
	if lost(err) {
		e.close()
	}
	return answer{}, err
}

// read asks what one reading takes. A scaler that is not active has nothing to
// do, whatever its number: that is what lets its target sleep.
func (e *externalEndpoint) read(ctx context.Context) (float64, error) {
	metric, err := e.session.choice(ctx, e.spec.MetricName)
	if err != nil {
		return 0, err
	}
	request := &externalscaler.GetMetricsRequest{ScaledObjectRef: e.session.ref, MetricName: metric}
	metrics, err := e.session.client.GetMetrics(ctx, request)
	if err != nil {
		return 0, callError{"GetMetrics", err}
	}
	value, err := addUp(metrics.GetMetricValues(), metric)
	if err != nil {
		return 0, err
	}
	activity, err := e.session.client.IsActive(ctx, e.session.ref)
	if err != nil {
		return 0, callError{"IsActive", err}
	}
	e.active.know(activity.GetResult())
	switch {
	case !activity.GetResult():
		return 0, nil
	case value == 0:
		return somethingToDo, nil
	}
	return value, nil
}

// choose returns the metric that is wanted, or the only one.
func choose(specs []*externalscaler.MetricSpec, wanted string) (string, error) {
	var names []string
	for _, m := range specs {
		names = append(names, m.GetMetricName())
	}
	slices.Sort(names) // a scaler may give them in another order each time
	switch offers := printable(strings.Join(names, ", "), sentenceLimit); {
	case len(names) == 0:
		return "", invalid("offers no metric, expected one at least")
	case wanted == "" && len(names) == 1:
		return names[0], nil
	case wanted == "":
		return "", invalid("offers %d metrics: choose one of %s with metricName", len(names), offers)
	case !slices.Contains(names, wanted):
		return "", invalid("offers no metric %s: choose one of %s with metricName", wanted, offers)
	}
	return wanted, nil
}

// addUp adds up the values of a metric, as KEDA does. A single one counts by
// whatever name: many scalers do not repeat the one they were asked for.
func addUp(values []*externalscaler.MetricValue, metric string) (sum float64, err error) {
	if len(values) > 1 {
		values = slices.DeleteFunc(values, func(v *externalscaler.MetricValue) bool { return v.GetMetricName() != metric })
	}
	if len(values) == 0 {
		return 0, invalid("gave no value of %s", printable(metric, excerptLimit))
	}
	for _, v := range values {
		f, err := sound(amount(v), "gave")
		if err != nil {
			return 0, err
		}
		sum += f
	}
	return sum, nil
}

// amount is a metric's value. Older scalers know whole numbers only; newer ones
// may fill in both.
func amount(v *externalscaler.MetricValue) float64 {
	if f := v.GetMetricValueFloat(); f != 0 {
		return f
	}
	return float64(v.GetMetricValue())
}
