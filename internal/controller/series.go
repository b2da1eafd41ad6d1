package controller

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/internal/scaling"
)

// A series is one number with its labels, for as long as it takes to hand it out.
type series struct {
	desc   *prometheus.Desc
	kind   dto.MetricType // GAUGE or COUNTER
	labels []*dto.LabelPair
	value  float64
}

var _ prometheus.Metric = series{}

// Desc says what the number is.
func (s series) Desc() *prometheus.Desc { return s.desc }

// Write hands the number out.
func (s series) Write(m *dto.Metric) error {
	m.Label = s.labels
	if s.kind == dto.MetricType_COUNTER {
		m.Counter = &dto.Counter{Value: &s.value}
		return nil
	}
	m.Gauge = &dto.Gauge{Value: &s.value}
	return nil
}

// A scribe writes series. Those of a LoadScaler share its labels.
type scribe struct {
	series            []series
	namespace, scaler *dto.LabelPair
	pairs             map[[2]string]*dto.LabelPair
}

// about says whose series come next.
func (s *scribe) about(key types.NamespacedName) {
	s.namespace, s.scaler = s.pair("namespace", key.Namespace), &dto.LabelPair{Name: &scalerLabel, Value: &key.Name}
}

var scalerLabel = "scaler"

// pair returns the one pair there is of a name and a value.
func (s *scribe) pair(name, value string) *dto.LabelPair {
	if s.pairs == nil {
		s.pairs = map[[2]string]*dto.LabelPair{}
	}
	p := s.pairs[[2]string{name, value}]
	if p == nil {
		p = &dto.LabelPair{Name: &name, Value: &value}
		s.pairs[[2]string{name, value}] = p
	}
	return p
}

func (s *scribe) gauge(d description, value float64, label ...string) {
	s.add(d, dto.MetricType_GAUGE, value, label)
}

func (s *scribe) counter(d description, value float64, label ...string) {
	s.add(d, dto.MetricType_COUNTER, value, label)
}

// load writes the series of one load.
func (s *scribe) load(l loadFigures) {
	s.gauge(freshGauge, l.fresh, l.name)
	if l.ever {
		s.gauge(loadGauge, l.value, l.name)
		s.gauge(ageGauge, l.at, l.name)
	}
}

// start writes how long starts take on some nodes, once one was seen.
func (s *scribe) start(up scaling.StartUp, nodes string) {
	if up.Seen > 0 {
		s.gauge(startP50Gauge, up.P50.Seconds(), nodes)
		s.gauge(startP95Gauge, up.P95.Seconds(), nodes)
	}
}

// add writes a series; its labels go by name, as a registry wants them.
func (s *scribe) add(d description, kind dto.MetricType, value float64, label []string) {
	labels := []*dto.LabelPair{s.namespace, s.scaler}
	if d.label != nil {
		labels = slices.Insert(labels, labelPlace(*d.label), s.pair(*d.label, label[0]))
	}
	s.series = append(s.series, series{d.Desc, kind, labels, value})
}

// labelPlace is where a label stands beside namespace and scaler.
func labelPlace(name string) int {
	place, _ := slices.BinarySearch([]string{"namespace", "scaler"}, name)
	return place
}
