package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the transcripts in testdata/script: what a person types, and
// what comes back. They need no cluster. In their files ${LOAD_URL} is a server
// that says a load.
func TestScripts(t *testing.T) {
	t.Parallel()
	cusme := program(t)
	load := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"load": 0.95, "nothing": 0}`)
	}))
	t.Cleanup(load.Close) // the scripts go on when this function has returned
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(e *testscript.Env) error { return expand(e.WorkDir, load.URL) },
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"exits": exits(cusme)},
	})
}

// expand puts the server's URL into the YAML files of a script.
func expand(dir, url string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	for _, file := range files {
		text, readErr := os.ReadFile(file)
		writeErr := os.WriteFile(file, bytes.ReplaceAll(text, []byte("${LOAD_URL}"), []byte(url)), 0o600)
		err = errors.Join(err, readErr, writeErr)
	}
	return err
}

// exits returns the command that runs cusme and checks its exit code: exits CODE [args...]
// Its input is the file that the variable stdin names, if it names one.
func exits(cusme string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: exits CODE [args...]")
		}
		cmd := exec.Command(cusme, args[1:]...)
		cmd.Dir = ts.Getenv("WORK")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ThirdUrl=" + ts.Getenv("ThirdUrl")}
		if file := ts.Getenv("stdin"); file != "" {
			cmd.Stdin = strings.NewReader(ts.ReadFile(file))
		}
		cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
		_ = cmd.Run() // its exit code says it all
		if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[0] {
			ts.Fatalf("expected exit code %s, got %s", args[0], got)
		}
	}
}
