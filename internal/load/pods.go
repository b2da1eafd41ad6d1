package load

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

// podsAtATime is how many pods of one load are asked at a time.
const podsAtATime = 16

// A Pod is one of a target's pods as loads are read from it.
type Pod struct {
	Name string
	// Address is the pod's IP, of either family; empty as long as it has none.
	Address string
	// Ready pods are asked.
	Ready bool
}

// SeePods tells which pods a scaler's target has; none is nobody to ask. The
// first time, loads that are read from pods are asked at once. To a scaler
// without such loads it says nothing.
func (r *Readings) SeePods(scaler string, pods []Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	asking := r.scalers[scaler].askingPods()
	if len(asking) == 0 {
		return
	}
	_, known := r.rosters[scaler]
	r.rosters[scaler] = pods
	if known {
		return
	}
	for _, s := range asking {
		signal(s.poller.nudged)
	}
}

// askingPods are the loads that are read from pods. Readings.mu is held; f may be nil.
func (f *follower) askingPods() (asking []*subscription) {
	if f == nil {
		return nil
	}
	for _, s := range f.subs {
		if _, ok := s.source.from.(podsAddress); ok {
			asking = append(asking, s)
		}
	}
	return asking
}

// roster returns the pods that were seen last.
func (r *Readings) roster(scaler string) ([]Pod, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pods, known := r.rosters[scaler]
	return pods, known
}

// openPods understands a load that is read from pods; field is its path in the spec.
func openPods(p place, field string, spec v1alpha1.PodsSource) (Source, error) {
	access, accessErr := transport.AccessOf(p.namespace(), spec.Connection)
	timeout, timeoutErr := timeoutOf(field, spec.Timeout)
	_, understandErr := understandPod(strings.TrimSuffix(field, "pods"), spec)
	spec.Connection = v1alpha1.Connection{}
	text, textErr := json.Marshal(spec)
	if err := errors.Join(checkPods(field, spec), timeoutErr, accessErr, understandErr, textErr); err != nil {
		return Source{}, err
	}
	return Source{from: podsAddress{p.scaler, string(text), access}, timeout: timeout}, nil
}

// checkPods refuses what the API server should have refused: a path without its
// slash would lead to another host, and a word that is not known would be
// taken for the default.
func checkPods(field string, spec v1alpha1.PodsSource) error {
	_, unreadable := url.Parse("http://pod" + spec.Path)
	metricBy := ""
	if spec.Metric != nil {
		metricBy = spec.Metric.By
	}
	switch {
	case spec.Port < 1 || spec.Port > 65535:
		return fmt.Errorf("%s.port: expected 1 to 65535, got %d", field, spec.Port)
	case spec.Path != "" && !strings.HasPrefix(spec.Path, "/") || unreadable != nil:
		return fmt.Errorf("%s.path: expected a path that begins with /, such as /metrics, got %q", field, spec.Path)
	case !slices.Contains([]string{"", "HTTP", "HTTPS"}, spec.Scheme):
		return fmt.Errorf("%s.scheme: expected HTTP or HTTPS, got %q", field, spec.Scheme)
	case !makesOne(spec.By):
		return fmt.Errorf("%s.by: expected avg, max, sum or p90, got %q", field, spec.By)
	case !makesOne(metricBy):
		return fmt.Errorf("%s.metric.by: expected avg, max, sum or p90, got %q", field, metricBy)
	case !slices.Contains([]v1alpha1.Missing{"", v1alpha1.NeverShrink, v1alpha1.IgnoreMissing, v1alpha1.FailMissing}, spec.Missing):
		return fmt.Errorf("%s.missing: expected NeverShrink, Ignore or Fail, got %q", field, spec.Missing)
	}
	return nil
}

func makesOne(by string) bool { return slices.Contains([]string{"", "avg", "max", "sum", "p90"}, by) }

// understandPod returns what finds the number in one pod's answer. in is what
// the source is in, such as "loads[backend].".
func understandPod(in string, spec v1alpha1.PodsSource) (func(answer) (float64, error), error) {
	switch {
	case spec.Metric == nil && spec.Value == "":
		return nil, fmt.Errorf("%spods: expected exactly one of value and metric, got none: add value", in)
	case spec.Metric != nil && spec.Value != "":
		return nil, fmt.Errorf("%spods: expected exactly one of value and metric, got both: leave one out", in)
	case spec.Metric != nil:
		return ofMetric(*spec.Metric), nil
	}
	value, err := compile(in, "pods.value", spec.Value, aNumber)
	return func(a answer) (float64, error) {
		d := understand(a, nil)
		if d.err != nil {
			return 0, d.err
		}
		return value.number(d)
	}, err
}

func ofMetric(m v1alpha1.PodMetric) func(answer) (float64, error) {
	s := selector{m.Name, m.Labels}
	return func(a answer) (float64, error) {
		values, err := samples(a.body, s)
		if err != nil {
			return 0, err
		}
		return sound(combine(cmp.Or(m.By, "sum"), values), s.String()+" is")
	}
}

// podsAddress is a question to the pods of one scaler's target.
type podsAddress struct {
	scaler   string
	question string // the source as JSON, without its connection
	access   transport.Access
}

func (a podsAddress) connect(s surroundings) endpoint {
	e := &podsEndpoint{podsAddress: a, surroundings: s}
	decodeErr := json.Unmarshal([]byte(a.question), &e.spec)
	number, numberErr := understandPod("", e.spec)
	transport, transportErr := s.door().ToPods().RoundTripper(a.access)
	e.number, e.transport = number, transport
	e.broken = errors.Join(decodeErr, numberErr, transportErr)
	return e
}

// podsEndpoint asks the pods that are ready at the time.
type podsEndpoint struct {
	podsAddress
	surroundings
	spec      v1alpha1.PodsSource
	number    func(answer) (float64, error)
	transport transport.RoundTripper
	broken    error
}

func (e *podsEndpoint) close() {
	if e.transport != nil {
		e.transport.CloseIdleConnections()
	}
}

func (e *podsEndpoint) ask(ctx context.Context, within time.Duration) (answer, error) {
	if e.broken != nil {
		return answer{}, failed("pods cannot be asked: %w", e.broken)
	}
	if e.pods == nil {
		return answer{}, failed("pods can be asked only where the target is watched")
	}
	pods, known := e.pods(e.scaler)
	if !known {
		return answer{}, fault{scaling.Pending, errors.New("the pods have not been seen yet")}
	}
	ready := slices.DeleteFunc(slices.Clone(pods), func(p Pod) bool { return !p.Ready })
	if len(ready) == 0 {
		return answer{}, fault{scaling.Pending, errors.New("no pod is ready, so there is none to ask")}
	}
	return e.survey(ctx, within, ready).answer(e.spec)
}

// survey asks pods. Where they have to wait for each other, one that hangs has
// half of the time, so that there is as much for those behind it.
func (e *podsEndpoint) survey(ctx context.Context, within time.Duration, pods []Pod) survey {
	if len(pods) > podsAtATime {
		within /= 2
	}
	s := survey{asked: len(pods)}
	askEach(len(pods), podsAtATime,
		func(i int) (answer, error) {
			ctx, cancel := context.WithTimeout(ctx, within)
			defer cancel()
			return e.askPod(ctx, within, pods[i])
		},
		func(heard echo) {
			value, err := 0.0, heard.err
			if err == nil && ctx.Err() != nil {
				err = failed("the time that all the pods had together was over") // it waited for an expensive expression
			}
			if err == nil {
				value, err = e.number(heard.answer)
			}
			s.note(pods[heard.index].Name, value, heard.answer.at, err)
		})
	s.received = time.Now()
	return s
}

// askPod asks one pod. Its address must be an IP: anything else could lead elsewhere.
func (e *podsEndpoint) askPod(ctx context.Context, within time.Duration, p Pod) (answer, error) {
	ip, err := podIP(p.Address)
	if err != nil {
		return answer{}, err
	}
	a := httpAddress{
		url:    strings.ToLower(cmp.Or(e.spec.Scheme, "HTTP")) + "://" + netip.AddrPortFrom(ip, uint16(e.spec.Port)).String() + cmp.Or(e.spec.Path, "/metrics"),
		access: e.access,
	}
	if e.spec.Metric != nil {
		a.format = v1alpha1.Prometheus
	}
	return a.over(e.transport, e.Options).ask(ctx, within)
}

// A survey is what several pods said.
type survey struct {
	asked    int
	values   []float64
	oldest   time.Time // of the answers behind values
	received time.Time
	silent   string // the first by name of the pods that gave no number
	why      error
	failed   bool // one of them gave no answer at all
}

// note notes what a pod said, or why it said nothing. Of the silent pods always
// the same one is remembered, so that messages stand still.
func (s *survey) note(pod string, value float64, at time.Time, err error) {
	if err != nil {
		s.failed = s.failed || problem("", err).Problem == scaling.Failed
		if s.why == nil || pod < s.silent {
			s.silent, s.why = pod, err
		}
		return
	}
	if len(s.values) == 0 || at.Before(s.oldest) {
		s.oldest = at
	}
	s.values = append(s.values, value)
}

// answer makes one number of the pods'.
func (s survey) answer(spec v1alpha1.PodsSource) (answer, error) {
	if len(s.values) == 0 {
		return answer{}, s.noNumber()
	}
	slices.Sort(s.values) // sums of floats depend on their order, and pods answer in any
	value := combine(spec.By, s.values)
	a := answer{number: &value, received: s.received, at: s.oldest}
	missing := s.asked - len(s.values)
	if missing == 0 || spec.Missing == v1alpha1.IgnoreMissing {
		return a, nil
	}
	gap := failed("%d of %d ready pods gave no number, such as %s: %w", missing, s.asked, s.silent, s.why)
	if spec.Missing == v1alpha1.FailMissing {
		return answer{}, gap
	}
	a.partial = gap.Error()
	return a, nil
}

// noNumber is the fault of pods none of which gave a number: an invalid answer
// if all of them answered.
func (s survey) noNumber() error {
	fault := invalid
	if s.failed {
		fault = failed
	}
	if s.asked == 1 {
		return fault("the only ready pod, %s, gave no number: %w", s.silent, s.why)
	}
	return fault("none of %d ready pods gave a number, such as %s: %w", s.asked, s.silent, s.why)
}
