package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

const tuneLong = `Search the settings of a LoadScaler on the history of its target: by replaying
it as cusme simulate does, under one setting after the other. Shown are the ones
that are the best of their cost, one to take, and how sure that is. Nothing is
read from or written to the target, and nothing is applied: that is yours to do.

The wish is that of the LoadScaler's objective, or --wait and --percentile, else
that 95 of 100 requests wait no longer than 30s. Searched are objectives around
it, bands with windows of stabilization, the interval, minReplicas no lower than
it is, and doing without schedules. All else stays as it is in the file.

The last part of the history is held out. Recommended is what meets the wish for
the least on the first part; it is refused if it misses the wish on the last one,
and the next is looked at. So that this is no luck, all of it is replayed in
worlds with other starts of pods, and in histories made up of its own days.

Exit codes: 0 when a setting meets the wish on both parts, 1 when none does, or
something failed or Ctrl-C ended it, 2 when a file or the command line cannot be
meant.`

const tuneExample = `  # a first look, on a synthetic day
  cusme tune -f scaler.yaml

  # your own requests, of which 99 in 100 are to wait no longer than 20s
  cusme tune -f scaler.yaml --trace requests.csv.gz --wait 20s --percentile 99

  # what the controller wrote down; the LoadScaler to look at and apply
  cusme tune -f scaler.yaml --ticks ticks.jsonl -o yaml > tuned.yaml`

// A tuner is the command line of cusme tune. Much of it is that of cusme simulate.
type tuner struct {
	rehearsal
	file       string
	trace      string
	wait       time.Duration
	percentile int32
	holdOut    float64
}

func newTune(getenv func(string) string) *cobra.Command {
	t := tuner{rehearsal: rehearsal{surroundings: surroundings{getenv: getenv}}}
	cmd := &cobra.Command{
		Use:     "tune [-f file] [--trace file]",
		Short:   "Search the settings of a LoadScaler on its target's history",
		Long:    tuneLong,
		Example: tuneExample,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t.take(cmd)
			return t.run(cmd.Context())
		},
	}
	t.flags(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp)) // fails on a flag that is none
	return cmd
}

func (t *tuner) flags(f *pflag.FlagSet) {
	f.StringVarP(&t.file, "file", "f", "", "`file` with one LoadScaler; - is the standard input")
	f.StringVar(&t.trace, "trace", "", "`file` of requests; default a synthetic day")
	f.DurationVar(&t.wait, "wait", 30*time.Second, "how long requests may wait; that of the LoadScaler's objective, where it has one")
	f.Int32Var(&t.percentile, "percentile", 95, "how many of 100 requests are to wait no longer; that of the LoadScaler's objective, where it has one")
	f.Float64Var(&t.holdOut, "hold-out", 0.3, "`share` of the history, its last, that the search does not see")
	t.shared(f)
	_, _ = f.MarkHidden("limit"), f.MarkHidden("interval") // --wait is the one, and the other is searched
	f.StringVarP(&t.output, "output", "o", "table", "table, json or yaml")
}

func (t *tuner) run(ctx context.Context) error {
	task, err := t.task()
	if err != nil {
		return misuseError{err, `"cusme tune --help" explains the flags`}
	}
	if err := t.history(ctx, &task); err != nil {
		return err
	}
	found, err := t.search(ctx, task)
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted before the search was done; nothing was written")
	}
	if err != nil {
		return err
	}
	if err := t.tell(task, found); err != nil {
		return err
	}
	if !found.choice.Meets {
		return fmt.Errorf("no setting meets %s on both parts of the history: the nearest one is shown", task.wish)
	}
	return nil
}

// A task is what is to be searched, and on what.
type task struct {
	// scaler is the LoadScaler of the file, or a sketch of one; present is what it says now.
	scaler  *v1alpha1.LoadScaler
	sketch  bool
	present candidate
	wish    scaling.Objective
	trace   simulate.Trace
	// inferred says that the trace was worked out from a load, which does not tell in which pieces the work came.
	inferred bool
	// block is how long a part of the trace is that is looked at by itself, and cut how many of them are searched on.
	block time.Duration
	cut   int
	notes []string
}

// split is when the part begins that is held out.
func (t task) split() time.Duration { return time.Duration(t.cut) * t.block }

func (t *tuner) task() (task, error) {
	if err := t.check(); err != nil {
		return task{}, err
	}
	out := task{scaler: sketch(), sketch: true}
	if t.file != "" {
		found, err := scalerFile{path: t.file, stdin: t.stdin}.only()
		if err != nil {
			return out, fmt.Errorf("-f: %w", err)
		}
		out.scaler, out.sketch = found, false
	}
	own := out.scaler
	var err error
	out.present, err = t.understand(subject{namespace: cmp.Or(own.Namespace, t.namespace), name: own.Name, spec: own.Spec})
	if err != nil {
		return out, fmt.Errorf("LoadScaler %s: %w", own.Name, err)
	}
	out.wish, err = t.wish(out.present.policy.Objective)
	return out, err
}

// sketch is a LoadScaler of defaults.
func sketch() *v1alpha1.LoadScaler {
	s := &v1alpha1.LoadScaler{Spec: ordinary()}
	s.Name = "webui"
	s.Spec.ScaleTargetRef = v1alpha1.TargetRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "webui"}
	return s
}

func (t *tuner) check() error {
	switch {
	case t.output != "table" && t.output != "json" && t.output != "yaml":
		return fmt.Errorf("-o: expected table, json or yaml, got %q", t.output)
	case t.parallel < 1:
		return fmt.Errorf("--parallel: expected at least 1, got %d", t.parallel)
	case !(t.holdOut >= 0.05 && t.holdOut <= 0.9):
		return fmt.Errorf("--hold-out: expected 0.05 to 0.9, got %v", t.holdOut)
	case t.model.given("limit"):
		return errors.New("--limit: is --wait here; give that")
	case t.model.given("interval"):
		return errors.New("--interval: is searched here; leave it out")
	case t.past.given() && !t.begin.IsZero():
		return errDated
	case t.trace != "" && t.past.given():
		return errors.New("--trace and --ticks or --prometheus are two histories: give one of them")
	case t.file == "" && t.past.given():
		return errors.New("-f: expected the file of the LoadScaler whose history it is, got none")
	}
	return errors.Join(t.model.check(), t.past.check(), t.past.idle(t.model.given))
}

// wish is what is asked of a setting.
func (t *tuner) wish(own *scaling.Objective) (scaling.Objective, error) {
	wish := scaling.Objective{Wait: t.wait, Percentile: float64(t.percentile)}
	if own != nil && !t.model.given("wait") {
		wish.Wait = own.Wait
	}
	if own != nil && !t.model.given("percentile") {
		wish.Percentile = own.Percentile
	}
	switch {
	case wish.Wait < time.Second || wish.Wait > 24*time.Hour:
		return wish, fmt.Errorf("--wait: expected 1s to 24h, got %s", wish.Wait)
	case wish.Percentile < 50 || wish.Percentile > 99:
		return wish, fmt.Errorf("--percentile: expected 50 to 99, got %v", wish.Percentile)
	}
	return wish, nil
}

// history brings the demand, and parts it.
func (t *tuner) history(ctx context.Context, to *task) error {
	var err error
	switch {
	case t.past.given():
		to.inferred = true
		to.trace, to.notes, err = t.past.demand(ctx, to.present.subject, t.surroundings)
	case t.trace != "":
		to.trace, err = simulate.ReadTrace(t.trace)
		if err != nil {
			err = misuseError{fmt.Errorf("--trace: %w", err), howToGetAHistory}
		}
	default:
		to.trace = simulate.Day()
		to.notes = []string{"The demand is a synthetic day of an image service: --trace takes yours."}
	}
	if err != nil {
		return err
	}
	if err := t.model.within(to.trace); err != nil {
		return misuseError{err, `"cusme tune --help" explains the flags`}
	}
	to.trace = t.dated(to.trace)[0]
	return to.part(t.holdOut)
}

const (
	day = 24 * time.Hour
	// parts is into how many a short history is cut.
	parts = 20
	// shortest is the shortest history that is searched: a part of it then has a minute.
	shortest = parts * time.Minute
)

// part cuts the trace into days, if it has a week of them, or into twenty parts,
// and holds out the last.
func (t *task) part(holdOut float64) error {
	if t.trace.Span < shortest {
		return misuseError{fmt.Errorf("the history %s spans %s, expected %s at least", t.trace.Name, brief(t.trace.Span), brief(shortest)), howToGetAHistory}
	}
	t.block = (t.trace.Span + parts - 1) / parts
	if t.trace.Span >= 7*day {
		t.block = day
	}
	blocks := int((t.trace.Span + t.block - 1) / t.block)
	t.cut = min(max(1, int(float64(blocks)*(1-holdOut)+0.5)), blocks-1)
	return nil
}
