// Package load reads the load index: what an application says of how busy it is.
//
// A source is opened from a spec and asked by one goroutine per distinct
// endpoint, never inside a reconcile, so that a slow or hanging endpoint delays
// nobody else. What comes back is a reading: a value with its own time, or the
// sentence why there is none. Whether a reading is too old is not judged here.
package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

// Options are what every source has in common. The zero value will do for
// endpoints without credentials that anybody may reach.
type Options struct {
	// Version of cusme, told to the endpoints in User-Agent; "dev" when empty.
	Version string
	// Door leads to the endpoints; nil is a door of its own with the strictest guard.
	Door *transport.Door
	// Metrics is how to reach the Kubernetes metrics APIs; nil where there are none.
	Metrics *rest.Config
}

// OpenAll understands a scaler's loads, without asking any source yet. The
// scaler is named as namespace/name; its Secrets and metrics are those of its
// namespace. An error names every field at fault, such as
// loads[backend].http.value, and says what was expected there; a bad expression
// keeps CEL's own message. What else the API server checks is not checked here.
func OpenAll(scaler string, loads []v1alpha1.Load, o Options) ([]Source, error) {
	sources := make([]Source, len(loads))
	errs := make([]error, len(loads))
	named := map[string]bool{}
	for i, l := range loads {
		if named[l.Name] {
			errs[i] = fmt.Errorf("loads[%s]: expected a name of its own, got one that another load has", l.Name)
			continue
		}
		named[l.Name] = true
		sources[i], errs[i] = open(place{scaler, loads, o}, l)
	}
	return sources, errors.Join(errs...)
}

// sourcesOf are the sources that a load names, in the order in which the API does.
func sourcesOf(spec v1alpha1.Load) (names []string) {
	for _, s := range []struct {
		name  string
		given bool
	}{
		{"http", spec.HTTP != nil}, {"prometheus", spec.Prometheus != nil}, {"push", spec.Push != nil}, {"pods", spec.Pods != nil},
		{"externalMetric", spec.ExternalMetric != nil}, {"objectMetric", spec.ObjectMetric != nil}, {"external", spec.External != nil},
		{"expression", spec.Expression != ""},
	} {
		if s.given {
			names = append(names, s.name)
		}
	}
	return names
}

// A place is where a load stands: whose it is, beside which others, and what is
// around.
type place struct {
	scaler string // namespace/name
	loads  []v1alpha1.Load
	Options
}

func (p place) namespace() string {
	namespace, _, _ := strings.Cut(p.scaler, "/")
	return namespace
}

// open understands one load.
func open(p place, spec v1alpha1.Load) (s Source, err error) {
	field := fmt.Sprintf("loads[%s]", spec.Name)
	if given := sourcesOf(spec); len(given) > 1 {
		return Source{}, fmt.Errorf("%s: expected exactly one source, got %s: leave all but one out", field, strings.Join(given, ", "))
	}
	switch {
	case spec.HTTP != nil:
		s, err = openHTTP(p, field+".http", *spec.HTTP)
	case spec.Prometheus != nil:
		s, err = openPrometheus(p, field+".prometheus", *spec.Prometheus)
	case spec.Push != nil:
		s, err = openPush(p, spec.Name)
	case spec.Pods != nil:
		s, err = openPods(p, field+".pods", *spec.Pods)
	case spec.ExternalMetric != nil:
		s, err = openExternalMetric(p, field+".externalMetric", *spec.ExternalMetric)
	case spec.ObjectMetric != nil:
		s, err = openObjectMetric(p, field+".objectMetric", *spec.ObjectMetric)
	case spec.External != nil:
		s, err = openExternal(p, field+".external", *spec.External)
	case spec.Expression != "":
		s, err = openExpression(p, field+".expression", spec.Expression)
	default:
		err = fmt.Errorf("%s: expected exactly one source, got none: add http", field)
	}
	s.load, s.trust = spec.Name, trustOf(spec)
	return s, err
}

// A Source is one load, opened: where its answers come from, what to make of
// them, and what of that to believe.
type Source struct {
	load string
	// from is where answers come from; nil for a formula, which has none of its own.
	from    address
	timeout time.Duration // of one attempt; 0 for the default
	measure
	formula formula
	trust   trust
}

// Read asks the source once, by itself and at once, within its own timeout. A
// set of scalers shares its polls through Readings instead, and Probe reads
// formulas too, which have nobody to ask by themselves.
func (s Source) Read(ctx context.Context, o Options) scaling.Reading {
	return s.read(ctx, surroundings{Options: o})
}

func (s Source) read(ctx context.Context, around surroundings) scaling.Reading {
	if s.from == nil {
		return pending(s.load)
	}
	e := s.from.connect(around)
	defer e.close()
	within := s.within()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answer, err := e.ask(ctx, within)
	return after(scaling.Reading{}, s.reading(understand(answer, err)))
}

// within is how long one attempt may take.
func (s Source) within() time.Duration {
	if s.timeout == 0 {
		return defaultTimeout
	}
	return s.timeout
}

// reading says what the source makes of a document.
func (s Source) reading(d document) scaling.Reading {
	value, at, err := s.judge(d)
	if err == nil {
		return scaling.Reading{Load: s.load, Value: value, At: at, Partial: d.partial}
	}
	return problem(s.load, err)
}

// problem is the reading of an attempt that brought no value.
func problem(load string, err error) scaling.Reading {
	r := scaling.Reading{Load: load, Problem: scaling.Failed, Message: err.Error()}
	if f := (fault{}); errors.As(err, &f) {
		r.Problem = f.state
	}
	return r
}

// after returns newest, beside whose problem the last good value is kept with
// its time.
func after(last, newest scaling.Reading) scaling.Reading {
	if newest.Problem != "" {
		newest.Value, newest.At = last.Value, last.At
	}
	return newest
}

// same reports whether two sources read the same number for the same load.
func (s Source) same(o Source) bool {
	return s.load == o.load && lasting(s.from) == lasting(o.from) && s.texts() == o.texts() && s.formula.same(o.formula)
}

// An address says where answers come from. Its values are comparable: loads
// with equal addresses share one poll.
type address interface {
	// connect prepares to ask, without any I/O yet.
	connect(surroundings) endpoint
}

// surroundings are what an endpoint finds around it.
type surroundings struct {
	Options
	// nudge has the endpoint asked soon, out of turn; nil when nobody polls it.
	nudge func()
	// pods returns the pods that a scaler's loads may be read from; false when they are not known yet.
	pods func(scaler string) ([]Pod, bool)
	// letter returns what was last pushed to an address; false when nothing was yet.
	letter func(pushAddress) (letter, bool)
}

// An endpoint answers. It is asked by one goroutine, never twice at a time.
type endpoint interface {
	// ask returns one whole answer, or a fault. It ends with ctx, which is
	// done after within; that is passed for what there is to say about it.
	ask(ctx context.Context, within time.Duration) (answer, error)
	// close drops what connections are kept for the next ask.
	close()
}

// An answer is what an endpoint said, not yet understood. It is kept in bytes
// because parsed JSON can take thirty times their memory.
type answer struct {
	body   []byte
	format v1alpha1.Format // of body; empty is JSON
	header http.Header
	// number is what an endpoint says that speaks in numbers; then there is no body.
	number *float64
	// partial says what is missing of the whole, in a sentence; empty when nothing is.
	partial string
	// muted hides the secrets that were sent, in a text that repeats the answer; nil where none are.
	muted func(string) string
	// received is when its last byte came, by cusme's clock.
	received time.Time
	// at is when it was true as far as the transport says, never after received.
	at time.Time
}

// A fault is an attempt that brought no value.
type fault struct {
	state scaling.State // Failed or Invalid; Pending before there was anybody to ask; Stale of a pushed load
	err   error
}

func (f fault) Error() string { return f.err.Error() }
func (f fault) Unwrap() error { return f.err }

// failed is the fault of an attempt that brought no answer.
func failed(format string, args ...any) error {
	return fault{scaling.Failed, fmt.Errorf(format, args...)}
}

// invalid is the fault of an answer that holds no number a load can be.
func invalid(format string, args ...any) error {
	return fault{scaling.Invalid, fmt.Errorf(format, args...)}
}
