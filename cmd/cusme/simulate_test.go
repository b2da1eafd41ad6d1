package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSimulateWritesWhatItsSchemaDescribes: with costs, with every policy, and with a load that is not read.
func TestSimulateWritesWhatItsSchemaDescribes(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--price", "2"}, {"--policies", "all"}, {"--missing", "0s..1h"}} {
		var stdout, stderr bytes.Buffer
		args = append([]string{"simulate", "-o", "json", "--trace", hours(t, 40)}, args...)
		if code := run(t.Context(), args, func(string) string { return "" }, &stdout, &stderr); code != exitFine {
			t.Fatalf("%v: exit %d: %s", args, code, stderr.Bytes())
		}
		if err := fits("simulate", stdout.String()); err != nil {
			t.Errorf("%v: %v: %s", args, err, stdout.Bytes())
		}
	}
}

// TestSimulateIsInterrupted ends a replay that would take minutes, once its page is open. Nothing of it is left.
func TestSimulateIsInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var trace strings.Builder // 2,000 million requests, for one pod
	trace.WriteString("t_s,arrivals,service_s_mean\n")
	for second := range 200_000 {
		fmt.Fprintf(&trace, "%d,10000,0.0001\n", second)
	}
	if err := os.WriteFile(filepath.Join(dir, "long.csv"), []byte(trace.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program(t), "simulate", "--trace", "long.csv", "--policies", "fixed:10", "--report", "page.html")
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for len(pages(t, dir)) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("expected a page to be begun within a minute")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code says it all
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("expected exit code 1, got %d", code)
	}
	if !strings.Contains(stderr.String(), "interrupted before everything was replayed; nothing was written") || stdout.Len() > 0 {
		t.Errorf("expected a sentence and no table, got %q and %q", stderr.String(), stdout.String())
	}
	if left := pages(t, dir); len(left) > 0 {
		t.Errorf("expected no page, got %v", left)
	}
}

// pages are the files of a directory that are pages, or were to be.
func pages(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".html") {
			all = append(all, e.Name())
		}
	}
	return all
}
