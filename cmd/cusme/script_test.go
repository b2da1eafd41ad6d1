package main

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the transcripts in testdata/script: what a person types, and
// what comes back. They need no cluster.
func TestScripts(t *testing.T) {
	t.Parallel()
	cusme := program(t)
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits(cusme)},
	})
}

// exits returns the command that runs cusme and checks its exit code: exits CODE [args...]
func exits(cusme string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: exits CODE [args...]")
		}
		cmd := exec.Command(cusme, args[1:]...)
		cmd.Dir = ts.Getenv("WORK")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ThirdUrl=" + ts.Getenv("ThirdUrl")}
		cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
		_ = cmd.Run() // its exit code says it all
		if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[0] {
			ts.Fatalf("expected exit code %s, got %s", args[0], got)
		}
	}
}
