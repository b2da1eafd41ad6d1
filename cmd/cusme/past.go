package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/simulate"
	"cusme.dev/cusme/internal/ticklog"
)

// howToGetAHistory is for people who have none.
const howToGetAHistory = "docs/traces.md says how to get a history: from a log of requests, from Prometheus, or from cusme controller --tick-log"

// A past is where a target's load is known from, as flags say: what the
// controller wrote down, or a Prometheus.
type past struct {
	ticks, scaler                 string
	prometheus, query, readyQuery string
	from, to                      string
	step, service                 time.Duration
	kubeconfig                    string
}

func (p *past) flags(f *pflag.FlagSet) {
	f.StringVar(&p.ticks, "ticks", "", "`file` that cusme controller --tick-log wrote: replay the demand behind its loads; - is the standard input")
	f.StringVar(&p.scaler, "scaler", "", "`namespace/name` of the LoadScaler in --ticks or in cusme's metrics; default the one of -f")
	f.StringVar(&p.prometheus, "prometheus", "", "`URL` of a Prometheus, up to but without /api/v1: replay the demand behind a load that it keeps; default that of the load's own source, where --from or --query is given")
	f.StringVar(&p.query, "query", "", "`PromQL` of the load; default the load's own, else cusme's metric of it")
	f.StringVar(&p.readyQuery, "ready-query", "", "`PromQL` of the target's ready pods; default cusme's metric of them, else that of kube-state-metrics")
	f.StringVar(&p.from, "from", "", "`time` from which on, as in 2026-11-16T00:00:00Z, or how long ago, as in 7d; default all of --ticks, 7d of a Prometheus")
	f.StringVar(&p.to, "to", "", "`time` up to which; default now")
	f.DurationVar(&p.step, "step", 0, "time between two points of a Prometheus; default the LoadScaler's interval")
	f.DurationVar(&p.service, "service-time", 30*time.Second, "how long a pod works on a request, on average, which no load tells")
	f.StringVar(&p.kubeconfig, "kubeconfig", "", "kubeconfig `file`, to read the credentials of a load's own Prometheus with; default $KUBECONFIG")
}

// given reports whether a history is asked for.
func (p *past) given() bool {
	return p.ticks != "" || p.prometheus != "" || p.query != "" || p.readyQuery != "" || p.from != "" || p.to != ""
}

func (p *past) check() error {
	switch {
	case p.ticks != "" && (p.prometheus != "" || p.query != "" || p.readyQuery != ""):
		return errors.New("--ticks and --prometheus are two histories: give one of them")
	case p.service <= 0:
		return fmt.Errorf("--service-time: expected more than 0s, got %s", p.service)
	case p.step < 0 || p.step > 0 && p.step < time.Second:
		return fmt.Errorf("--step: expected 1s or more, got %s", p.step)
	case p.ticks != "" && p.step > 0:
		return errors.New("--step: is about a Prometheus; --ticks are as they were written")
	case p.scaler != "" && !isScaler(p.scaler):
		return fmt.Errorf("--scaler: expected namespace/name, got %q", p.scaler)
	}
	return nil
}

// isScaler reports whether text names a LoadScaler, as namespace/name.
func isScaler(text string) bool {
	namespace, name, _ := strings.Cut(text, "/")
	return namespace != "" && name != "" && !strings.Contains(name, "/")
}

// A subject is whose past is looked at.
type subject struct {
	namespace, name string
	spec            v1alpha1.LoadScalerSpec
	load            v1alpha1.Load // the one of its loads to go by
}

func (s subject) String() string { return s.namespace + "/" + s.name }

// interval is the time between two readings.
func (s subject) interval() time.Duration { return controller.IntervalOf(s.spec) }

// demand works out a past demand, and says in sentences what is not in it.
func (p *past) demand(ctx context.Context, s subject, around surroundings) (simulate.Trace, []string, error) {
	if err := p.check(); err != nil {
		return simulate.Trace{}, nil, err
	}
	if p.scaler != "" {
		s.namespace, s.name, _ = strings.Cut(p.scaler, "/")
	}
	span, err := p.span(time.Now())
	if err != nil {
		return simulate.Trace{}, nil, misuseError{err, howToGetAHistory}
	}
	h := simulate.LoadHistory{Name: s.name, Service: p.service, Total: s.load.Type == v1alpha1.Total}
	var notes []string
	if p.ticks != "" {
		h.Points, notes, err = p.ticked(s, span, around.stdin)
		if err != nil {
			return simulate.Trace{}, nil, misuseError{err, howToGetAHistory}
		}
	} else if h.Points, err = p.queried(ctx, s, span, around); err != nil {
		return simulate.Trace{}, nil, err
	}
	trace, err := h.Trace()
	if err != nil {
		return simulate.Trace{}, nil, fmt.Errorf("%w; %s", err, howToGetAHistory)
	}
	return trace, append(notes, h.Remarks()...), nil
}

// idle refuses flags that say nothing where no history is asked for.
func (p *past) idle(given func(flag string) bool) error {
	for _, flag := range []string{"scaler", "step", "service-time", "kubeconfig"} {
		if given(flag) && !p.given() {
			return fmt.Errorf("--%s: is about --ticks and --prometheus, and neither is given", flag)
		}
	}
	return nil
}

// A span is from when to when; the zero span has no beginning.
type span struct{ from, to time.Time }

// String writes the span as sentences do.
func (s span) String() string {
	to := s.to.UTC().Format(time.RFC3339)
	if s.from.IsZero() {
		return "up to " + to
	}
	return fmt.Sprintf("from %s to %s", s.from.UTC().Format(time.RFC3339), to)
}

func (s span) holds(t time.Time) bool { return !t.Before(s.from) && !t.After(s.to) }

// span reads --from and --to.
func (p *past) span(now time.Time) (s span, err error) {
	if s.to = now; p.to != "" {
		if s.to, err = instant("--to", p.to, now); err != nil {
			return s, err
		}
	}
	if p.from != "" {
		if s.from, err = instant("--from", p.from, now); err != nil {
			return s, err
		}
	}
	if !s.from.Before(s.to) {
		return s, fmt.Errorf("--from: expected a time before --to (%s), got %s", s.to.Format(time.RFC3339), s.from.Format(time.RFC3339))
	}
	return s, nil
}

// instant reads a time, or how long ago it was.
func instant(flag, text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	ago, err := model.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: expected a time such as 2026-11-16T00:00:00Z, or how long ago, such as 7d or 12h, got %q", flag, text)
	}
	return now.Add(-time.Duration(ago)), nil
}

// ticked reads the points of a log of ticks. Ticks without a value of the load are left out.
func (p *past) ticked(s subject, within span, stdin io.Reader) ([]simulate.Point, []string, error) {
	t := ticked{scaler: s.String(), load: s.load.Name, within: within, seen: map[string]bool{}}
	read := func() (int, error) { return ticklog.ReadFile(p.ticks, t.add) }
	if p.ticks == "-" {
		read = func() (int, error) { return ticklog.Read(stdin, t.add) }
	}
	foreign, err := read()
	if err != nil {
		return nil, nil, fmt.Errorf("--ticks: %w", err)
	}
	if !t.seen[t.scaler] {
		return nil, nil, fmt.Errorf("--ticks: expected ticks of %s, found %s: --scaler says of which", t.scaler, someOf(slices.Sorted(maps.Keys(t.seen))))
	}
	if len(t.points) == 0 {
		return nil, nil, fmt.Errorf("--ticks: expected values of the load %s of %s, found none %s", t.load, t.scaler, within)
	}
	var notes []string
	if foreign > 0 {
		notes = append(notes, fmt.Sprintf("Lines of %s that are no ticks were left out: %d.", p.ticks, foreign))
	}
	return t.points, notes, nil
}

// ticked collects the points of one LoadScaler.
type ticked struct {
	scaler, load string
	within       span
	seen         map[string]bool
	points       []simulate.Point
}

// add takes a line's load, if there is one. Two controllers may have been at it for a moment: time never goes back.
func (t *ticked) add(l ticklog.Line) {
	t.seen[l.Scaler] = true
	value := l.Loads[t.load]
	if l.Scaler != t.scaler || value == nil || !t.within.holds(l.Time) {
		return
	}
	if n := len(t.points); n > 0 && !l.Time.After(t.points[n-1].At) {
		return
	}
	t.points = append(t.points, simulate.Point{At: l.Time, Load: *value, Ready: l.Ready, Leaving: l.Leaving})
}

// someOf names the first of what there is.
func someOf(all []string) string {
	if len(all) == 0 {
		return "none at all"
	}
	if len(all) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:5], ", "), len(all)-5)
	}
	return strings.Join(all, ", ")
}
