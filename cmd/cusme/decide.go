package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/scaling"
)

const decideLong = `Decide without a cluster: one observation of a target per line in, as JSON on the
standard input; one decision per line out, with its reasons. It is the function
that the controller decides by, for whoever wants to use or to judge it.

  in   {"time":"2026-11-23T17:00:00Z","load":0.93,"replicas":2,
        "pods":[{"name":"a","created":"2026-11-23T12:00:00Z","ready":true}, ...]}
  out  {"replicas":3,"deletionCosts":{},"reasons":[{"step":"demand", ...}]}

The clock is each line's time, which never goes back. What was seen and decided
before is kept from line to line: windows, pace, and which pods were there. Each
answer is written before the next line is read. Move the target as decided, and
set the deletion costs before its replicas; a next line with other replicas than
decided says that somebody else moved them.

A load that is null or missing is a reading that failed: it is never 0, and
moves nothing. A line that cannot be meant ends the stream: the lines before it
are answered, it is not. docs/decide.md describes every field.

Exit codes: 0 when all lines are answered, 1 when one cannot be, 2 when the file
or the command line cannot be meant.`

const decideExample = `  # one observation
  echo '{"time":"2026-11-23T17:00:00Z","load":0.93,"replicas":1,"pods":[{"name":"a","ready":true}]}' |
    cusme decide -f scaler.yaml

  # a recorded day, and how each number came about
  cusme decide -f scaler.yaml --explain < day.jsonl > decisions.jsonl`

// longestLine is about a hundred thousand pods.
const longestLine = 16 << 20

func newDecide() *cobra.Command {
	var file string
	var explain bool
	cmd := &cobra.Command{
		Use:     "decide -f file",
		Short:   "Decide on observations, one JSON line each",
		Long:    decideLong,
		Example: decideExample,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := openDecider(file)
			if err != nil {
				return misuseError{err, `"cusme decide --help" explains it`}
			}
			f := filter{decider: d, in: cmd.InOrStdin(), out: cmd.OutOrStdout()}
			if explain {
				f.ledger = cmd.ErrOrStderr()
			}
			signal.Reset(syscall.SIGINT, syscall.SIGTERM) // Nothing is left to finish, and a read that waits for a line hears of no context.
			return f.run()
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "`file` with one LoadScaler, among other objects if you like")
	f.BoolVar(&explain, "explain", false, "write each decision as a sentence to the standard error")
	return cmd
}

// openDecider reads the policy.
func openDecider(file string) (*decider, error) {
	switch file {
	case "":
		return nil, errors.New("-f: expected a file with a LoadScaler, got none")
	case "-":
		return nil, errors.New("-f: expected a file with a LoadScaler, as the standard input holds the observations, got -")
	}
	s, err := scalerFile{path: file, namespace: "default"}.only()
	if err != nil {
		return nil, fmt.Errorf("-f: %w", err)
	}
	policy, err := controller.PolicyOf(s.Spec)
	if err != nil {
		return nil, fmt.Errorf("LoadScaler %s: %w", s.Name, err)
	}
	return &decider{policy: policy, kind: s.Spec.ScaleTargetRef.Kind}, nil
}

// A filter answers each line of in with one of out.
type filter struct {
	*decider
	in  io.Reader
	out io.Writer
	// ledger is where decisions are told as sentences; nil for nowhere.
	ledger io.Writer
}

func (f *filter) run() error {
	lines := bufio.NewScanner(f.in)
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	answers := json.NewEncoder(f.out) // Unbuffered: who waits for an answer has written nothing more.
	answers.SetEscapeHTML(false)
	number := 1
	for ; lines.Scan(); number++ {
		if blank(lines.Bytes()) {
			continue
		}
		tick, err := f.decide(lines.Bytes())
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := answers.Encode(f.answer(tick)); err != nil {
			return fmt.Errorf("line %d: the decision cannot be written: %w", number, err)
		}
		f.explain(number, tick)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d: expected at most %d MiB, got more", number, longestLine>>20)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d cannot be read: %w", number, err)
	}
	return nil
}

func (f *filter) explain(number int, t scaling.Tick) {
	if f.ledger != nil {
		o, d := t.Observation, t.Decision
		fmt.Fprintf(f.ledger, "line %d, %s: %d -> %d: %s\n", number, o.Now.Format(time.RFC3339Nano), o.Replicas, d.Replicas, d.Ledger())
	}
}

// An answer is one line of output. docs/decide-output.schema.json describes it.
type answer struct {
	Replicas      int32            `json:"replicas"`
	DeletionCosts map[string]int32 `json:"deletionCosts"`
	Reasons       []reasonReport   `json:"reasons"`
}

func (d *decider) answer(t scaling.Tick) answer {
	removing := d.history.Removing.Left > 0
	a := answer{Replicas: t.Decision.Replicas, DeletionCosts: costs(t, removing), Reasons: make([]reasonReport, len(t.Decision.Reasons))}
	for i, r := range t.Decision.Reasons {
		a.Reasons[i] = reasonReport{r.Step, r.From, r.To, r.Why}
	}
	return a
}
