package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cusme.dev/cusme/internal/simulate"
)

const simulateLong = `Replay a demand under the policy of a LoadScaler, beside other autoscalers, on
a model of its target: how long people would have waited, and what it would
have cost. Nothing is read from or written to a cluster. Decisions are made by
the code that the controller runs.

A trace is a CSV file, compressed by gzip or not, with a header, by time:

  t_s,service_s                 one row for each request
  t_s,arrivals,service_s_mean   one row for each bin that has requests

A directory stands for its *.csv and *.csv.gz. --ticks and --prometheus replay
the demand behind a load that was kept. With none of them it is a synthetic day
of an image service, and without -f a LoadScaler of defaults.

In the model a pod works on one request at a time, and the rest wait in one
queue. The load is what is running and waiting, for each ready pod, or the sum
where the LoadScaler's load is of type Total. Pods are billed from creation to
end, as one GPU each, and removed in the ReplicaSet controller's order.

The lines "best" are what somebody would spend who knew the demand beforehand:
with no wait at all, and with none above the limit.

Policies: cusme is every LoadScaler in the files; original is cusme 1.0, hpa and
keda are Kubernetes' and KEDA's, wpa is Datadog's, kpa Knative's, aibrix AIBrix';
fixed:N always has N replicas; all stands for all of them but fixed:N. They go
by the band of the first LoadScaler, or by 0.5 to 0.8.

Exit codes: 0 when everything was replayed, 1 when something failed or Ctrl-C
ended it, 2 when a file or the command line cannot be meant.`

const simulateExample = `  # a first look: a synthetic day, cusme beside HPA and cusme 1.0
  cusme simulate -f scaler.yaml

  # your own demand, all policies, and a page to look at
  cusme simulate -f scaler.yaml --trace requests.csv.gz --policies all --report out.html

  # how many pods would always do? and what if the load cannot be read for half an hour?
  cusme simulate -f scaler.yaml --policies cusme,fixed:8,fixed:12
  cusme simulate -f scaler.yaml --missing 9h..9h30m`

// A rehearsal is the command line of cusme simulate.
type rehearsal struct {
	files, traces, policies []string
	load, namespace         string
	begin                   beginning
	model                   worldFlags
	past                    past
	parallel                int
	output, report          string
	chart                   bool
	price                   float64
	surroundings
}

func newSimulate(getenv func(string) string) *cobra.Command {
	r := rehearsal{surroundings: surroundings{getenv: getenv}}
	cmd := &cobra.Command{
		Use:     "simulate [-f file] [--trace file]",
		Short:   "Replay a demand under a LoadScaler, beside other autoscalers",
		Long:    simulateLong,
		Example: simulateExample,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.take(cmd)
			return r.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&r.files, "file", "f", nil, "`file` with LoadScalers, each a policy; - is the standard input; may be repeated")
	f.StringArrayVar(&r.traces, "trace", nil, "`file` of requests, or directory of such; may be repeated; default a synthetic day")
	f.StringSliceVar(&r.policies, "policies", []string{"cusme", "hpa", "original"}, "what to compare: cusme, hpa, keda, original, wpa, kpa, aibrix, fixed:N, all")
	r.shared(f)
	f.StringVarP(&r.output, "output", "o", "table", "table or json")
	f.BoolVar(&r.chart, "chart", false, "draw replicas and waits over time, below the table")
	f.StringVar(&r.report, "report", "", "`file` for a page with everything over time, such as out.html")
	f.Float64Var(&r.price, "price", 0, "price of a GPU-hour, for a column of costs")
	return cmd
}

// take notes what the command was called with.
func (r *rehearsal) take(cmd *cobra.Command) {
	r.connect(cmd)
	r.model.given = cmd.Flags().Changed
}

// shared are the flags that cusme tune has too.
func (r *rehearsal) shared(f *pflag.FlagSet) {
	f.StringVar(&r.load, "load", "", "`name` of the load to go by, of a LoadScaler with several")
	f.Var(&r.begin, "begin", "`time` at which t_s is 0, such as 2026-11-23T00:00:00Z, for schedules and for what is learned of the week; default a Monday, 00:00 UTC")
	f.StringVarP(&r.namespace, "namespace", "n", "default", "namespace of LoadScalers that name none")
	r.model.flags(f)
	r.past.flags(f)
	f.IntVar(&r.parallel, "parallel", runtime.GOMAXPROCS(0), "replays at a time")
}

func (r *rehearsal) run(ctx context.Context) error {
	plan, err := r.plan(ctx)
	if err != nil {
		return err
	}
	page, err := newReportFile(r.report)
	if err != nil {
		return err
	}
	defer page.discard()
	outcomes, err := r.replay(ctx, plan)
	if err != nil {
		return err
	}
	if err := page.write(r.reportOf(plan, outcomes)); err != nil {
		return err
	}
	return r.print(plan, outcomes)
}

// A plan is what the command line comes to: every entry is replayed on every trace.
type plan struct {
	traces  []simulate.Trace
	entries []entry
	// notes are what is assumed, a sentence each.
	notes []string
}

// An entry is a policy in the world it lives in.
type entry struct {
	simulate.Contender
	world simulate.World
	// low and high are the band of cusme's own; both 0 without one.
	low, high float64
}

func (r *rehearsal) plan(ctx context.Context) (p plan, err error) {
	misuse := func(err error) error { return misuseError{err, `"cusme simulate --help" explains the flags`} }
	if err := r.check(); err != nil {
		return plan{}, misuse(err)
	}
	candidates, err := r.candidates()
	if err != nil {
		return plan{}, misuse(err)
	}
	if p.entries, err = r.contenders(candidates); err != nil {
		return plan{}, misuse(err)
	}
	if r.past.given() {
		p.traces = make([]simulate.Trace, 1)
		p.traces[0], p.notes, err = r.past.demand(ctx, candidates[0].subject, r.surroundings)
		if err != nil {
			return plan{}, err
		}
	} else if p.traces, err = r.demand(); err != nil {
		return plan{}, misuse(err)
	}
	if err := r.model.within(p.traces...); err != nil {
		return plan{}, misuse(err)
	}
	p.notes = append(r.notes(p.entries[0].world), p.notes...)
	return p, nil
}

func (r *rehearsal) check() error {
	switch {
	case r.output != "table" && r.output != "json":
		return fmt.Errorf("-o: expected table or json, got %q", r.output)
	case r.parallel < 1:
		return fmt.Errorf("--parallel: expected at least 1, got %d", r.parallel)
	case !(r.price >= 0) || math.IsInf(r.price, 1):
		return fmt.Errorf("--price: expected 0 or more, got %v", r.price)
	case len(r.policies) == 0:
		return errors.New("--policies: expected one or more, such as cusme,hpa, got none")
	case r.report == "-":
		return errors.New("--report: expected a file such as out.html, as the standard output holds the figures, got -")
	case r.chart && r.output == "json":
		return errors.New("--chart: goes with -o table only")
	case r.past.given() && !r.begin.IsZero():
		return errDated
	case r.past.given() && len(r.traces) > 0:
		return errors.New("--trace: with --ticks or --prometheus there are two demands: give one of them")
	}
	return errors.Join(r.model.check(), r.past.check(), r.past.idle(r.model.given))
}

// demand returns the traces to replay.
func (r *rehearsal) demand() ([]simulate.Trace, error) {
	if len(r.traces) == 0 {
		return r.dated(simulate.Day()), nil
	}
	var all []simulate.Trace
	for _, path := range r.traces {
		found, err := simulate.ReadTraces(path)
		if err != nil {
			return nil, fmt.Errorf("--trace: %w", err)
		}
		all = append(all, found...)
	}
	return r.dated(all...), nil
}

// errDated is about a beginning that is known already.
var errDated = errors.New("--begin: is about --trace; --ticks and --prometheus know when they began")

// dated are traces that begin when --begin says, if it does.
func (r *rehearsal) dated(traces ...simulate.Trace) []simulate.Trace {
	for i := range traces {
		if !r.begin.IsZero() {
			traces[i].Begin = r.begin.Time
		}
	}
	return traces
}

// notes say what the figures rest on.
func (r *rehearsal) notes(w simulate.World) []string {
	var notes []string
	if len(r.traces) == 0 && !r.past.given() {
		notes = append(notes, "The demand is a synthetic day of an image service: --trace replays yours.")
	}
	if len(r.files) == 0 {
		notes = append(notes, "The LoadScaler is one of defaults, with an objective of 30s for 95 of 100 requests: -f takes yours.")
	}
	return append(notes, fmt.Sprintf("%s; the load is read every %s; seed %d.", aboutPods(w), brief(w.Interval), w.Seed))
}

// aboutPods says how pods of a world come and go.
func aboutPods(w simulate.World) string {
	removed := fmt.Sprintf("pods that are removed get %s to finish", w.Grace)
	if w.Drain {
		removed = "pods that are removed finish their request"
	}
	return fmt.Sprintf("Pods start within %s (median) and %s (99 of 100), one GPU each; %s", brief(w.Start.Median), brief(w.Start.P99), removed)
}
