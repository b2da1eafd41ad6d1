package load

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// textFormat asks for Prometheus' text format, in an Accept header.
const textFormat = "text/plain;version=0.0.4"

// A selector picks samples of a gauge, counter or untyped metric. Without labels
// it picks all of them.
type selector struct {
	metric string
	labels map[string]string
}

func (s selector) String() string {
	if len(s.labels) == 0 {
		return s.metric
	}
	pairs := make([]string, 0, len(s.labels))
	for _, name := range slices.Sorted(maps.Keys(s.labels)) {
		pairs = append(pairs, fmt.Sprintf("%s=%q", name, s.labels[name]))
	}
	return s.metric + "{" + strings.Join(pairs, ",") + "}"
}

// samples returns the values that a selector picks out of Prometheus text, at
// least one, whose sum is finite. Nothing of the text is repeated in an error: it
// is somebody else's data.
func samples(text []byte, s selector) ([]float64, error) {
	family, err := familyOf(text, s.metric)
	if err != nil {
		return nil, err
	}
	var values []float64
	sum := 0.0
	for _, m := range family.GetMetric() {
		if !s.picks(m) {
			continue
		}
		value, ok := valueOf(m)
		if !ok {
			return nil, invalid("%s is a %s, expected a gauge, a counter or an untyped metric", s.metric, family.GetType())
		}
		values = append(values, value)
		sum += value
	}
	if len(values) == 0 {
		return nil, invalid("the answer has no sample of %s", s)
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil, invalid("the samples of %s add up to %v, expected a finite number", s, sum)
	}
	return values, nil
}

// familyOf returns all samples of a metric; nil when there are none.
func familyOf(text []byte, metric string) (*dto.MetricFamily, error) {
	families, err := familiesOf(text)
	return families[metric], err
}

// familiesOf returns all samples by their metrics.
func familiesOf(text []byte) (map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if at := (expfmt.ParseError{}); errors.As(err, &at) {
		return nil, invalid("the answer is not Prometheus text: line %d cannot be read", at.Line)
	}
	if err != nil {
		return nil, invalid("the answer is not Prometheus text: %s", printable(err.Error(), sentenceLimit))
	}
	return families, nil
}

// parseExposition makes of Prometheus text a map of metric names to their
// samples, each a map with labels and value. A histogram and a summary are
// several metrics, as Prometheus stores them: _bucket, _sum and _count.
func parseExposition(text []byte) (any, error) {
	families, err := familiesOf(text)
	if err != nil {
		return nil, err
	}
	all, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, slices.Collect(maps.Values(families))...)
	if err != nil {
		return nil, invalid("the answer is not Prometheus text: %s", printable(err.Error(), sentenceLimit))
	}
	body := map[string]any{}
	for _, s := range all {
		name := string(s.Metric[model.MetricNameLabel])
		labels := map[string]any{}
		for label, value := range s.Metric {
			if label != model.MetricNameLabel {
				labels[string(label)] = string(value)
			}
		}
		samples, _ := body[name].([]any)
		body[name] = append(samples, map[string]any{"labels": labels, "value": float64(s.Value)})
	}
	return body, nil
}

// picks reports whether a sample has all the labels asked for.
func (s selector) picks(m *dto.Metric) bool {
	found := 0
	for _, l := range m.GetLabel() {
		if want, ok := s.labels[l.GetName()]; ok && l.GetValue() == want {
			found++
		}
	}
	return found == len(s.labels)
}

func valueOf(m *dto.Metric) (value float64, ok bool) {
	switch {
	case m.Gauge != nil:
		return m.Gauge.GetValue(), true
	case m.Counter != nil:
		return m.Counter.GetValue(), true
	case m.Untyped != nil:
		return m.Untyped.GetValue(), true
	}
	return 0, false
}
