package load

import (
	"bytes"
	"errors"
	"math"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// textFormat asks for Prometheus' text format, in an Accept header.
const textFormat = "text/plain;version=0.0.4"

// total adds up the samples of a gauge, counter or untyped metric in Prometheus
// text, whatever their labels. Nothing of the text is repeated in an error: it
// is somebody else's data.
func total(text []byte, metric string) (float64, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if at := (expfmt.ParseError{}); errors.As(err, &at) {
		return 0, invalid("the answer is not Prometheus text: line %d cannot be read", at.Line)
	}
	if err != nil {
		return 0, invalid("the answer is not Prometheus text: %s", printable(err.Error(), sentenceLimit))
	}
	family := families[metric]
	if family == nil {
		return 0, invalid("the answer has no sample of %s", metric)
	}
	sum := 0.0
	for _, m := range family.GetMetric() {
		switch {
		case m.Gauge != nil:
			sum += m.Gauge.GetValue()
		case m.Counter != nil:
			sum += m.Counter.GetValue()
		case m.Untyped != nil:
			sum += m.Untyped.GetValue()
		default:
			return 0, invalid("%s is a %s, expected a gauge, a counter or an untyped metric", metric, family.GetType())
		}
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return 0, invalid("the samples of %s add up to %v, expected a finite number", metric, sum)
	}
	return sum, nil
}
