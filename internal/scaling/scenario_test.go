package scaling

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite what happens in testdata/*.txt")

// TestScenarios plays every text timeline in testdata: policy and load stand
// above ----, what happens below. `go test -update` rewrites the lower half, so
// that a change of the algorithm is reviewed as a diff of ledgers.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in testdata (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script, want, found := strings.Cut(string(text), "----\n")
			if !found {
				t.Fatalf("%s has no ---- line between the script and what happens", file)
			}
			w, err := parseScenario(script)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, w)
			if *update {
				if err := os.WriteFile(file, []byte(script+"----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("what happens changed; if that is meant, run: go test ./internal/scaling -run Scenarios -update\n--- want\n%s--- got\n%s", want, got)
			}
		})
	}
}

// play runs a world to its end and returns the ledger: a line for every tick
// that moved or whose steps differ from those of the tick before.
func play(t *testing.T, w *world) string {
	t.Helper()
	var ledger strings.Builder
	last := ""
	for w.next() {
		o := w.observe()
		d := Decide(o, w.policy, w.history)
		checkInvariants(t, w, o, d)
		w.history = w.history.After(o, d)
		if steps := stepsOf(d); d.Replicas != o.Replicas || steps != last {
			fmt.Fprintf(&ledger, "%-7s %-11s %2d -> %-2d %s\n", brief(w.now.Sub(epoch)), w.says(o), o.Replicas, d.Replicas, ledgerOf(d))
			if w.speaks {
				fmt.Fprintf(&ledger, "        %s\n", d.Why())
			}
			last = steps
		}
		w.apply(t, d)
	}
	return ledger.String()
}

func stepsOf(d Decision) string {
	s := []string{fmt.Sprint(d.Loads[0].State, d.Loads[0].Holds)}
	for _, r := range d.Reasons {
		s = append(s, string(r.Step))
	}
	return strings.Join(s, " ")
}

func ledgerOf(d Decision) string {
	var s []string
	for _, r := range d.Reasons {
		if r.From == r.To {
			s = append(s, string(r.Step))
			continue
		}
		s = append(s, fmt.Sprintf("%s %d->%d", r.Step, r.From, r.To))
	}
	return strings.Join(s, "  ")
}

func (w *world) says(o Observation) string {
	switch r := o.Readings[0]; {
	case r.Problem != "":
		return strings.ToLower(string(r.Problem))
	case r.At.IsZero():
		return "unread"
	case o.Now.Sub(r.At) > w.policy.Loads[0].StaleAfter:
		return "stale"
	default:
		return "load " + number(r.Value)
	}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
