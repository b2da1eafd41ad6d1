package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMisuseIsRefusedWithOneSentence(t *testing.T) {
	for args, want := range map[string]string{
		"--nosuch":      "flag provided but not defined: -nosuch",
		"--day 10s":     "--day is 10s: give 1m or more",
		"--day fast":    `invalid value "fast" for flag -day`,
		"--for -1s":     "--for is -1s: give 0s or more",
		"--startup 11m": "--startup is 11m0s: give 0s to 10m",
		"now":           `"now" is no flag`,
	} {
		var said strings.Builder
		if code := run(t.Context(), strings.Fields(args), os.Stdout, &said); code != exitMisuse {
			t.Errorf("demo %s: exit code %d, want %d", args, code, exitMisuse)
		}
		if !strings.Contains(said.String(), want) || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("demo %s says %q, want one line with %q", args, said.String(), want)
		}
	}
}

func TestHelpIsNoError(t *testing.T) {
	var said strings.Builder
	if code := run(t.Context(), []string{"--help"}, os.Stdout, &said); code != 0 {
		t.Errorf("demo --help: exit code %d", code)
	}
	for _, want := range []string{"-localcluster", "-cusme", "-day", "-for", "-seed", "-keep"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the help does not name %s:\n%s", want, said.String())
		}
	}
}

func TestDefaults(t *testing.T) {
	o, err := parse(nil, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if o.day != 6*time.Minute || o.length != o.day {
		t.Errorf("without flags a day of %s runs for %s, want 6m and one day", o.day, o.length)
	}
	if o, _ = parse([]string{"--day", "24m", "--for", "2m"}, os.Stderr); o.day != 24*time.Minute || o.length != 2*time.Minute {
		t.Errorf("--day 24m --for 2m gives a day of %s and runs for %s", o.day, o.length)
	}
}

func TestAMissingProgramSaysHowToBuildIt(t *testing.T) {
	var said strings.Builder
	code := run(t.Context(), []string{"--localcluster", "/nosuch/localcluster"}, os.Stdout, &said)
	const want = `demo: there is no program /nosuch/localcluster: build it with "make localcluster", or give its path with --localcluster` + "\n"
	if code != exitFailed || said.String() != want {
		t.Errorf("exit code %d and %q, want %d and %q", code, said.String(), exitFailed, want)
	}
}

// A cluster that ends at once is told with the end of its log, and the log is kept.
func TestAProcessThatEndsIsToldWithItsLog(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho no etcd today >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	devNull, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer devNull.Close()
	var said strings.Builder
	if code := run(t.Context(), []string{"--localcluster", broken, "--cusme", broken}, devNull, &said); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	for _, want := range []string{"demo: the cluster does not come up: the cluster ended by itself (exit status 3)\n", "cluster.log, and ends:\n    no etcd today\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it says\n%s\nwant %q in it", said.String(), want)
		}
	}
	logs, err := filepath.Glob(filepath.Join(dir, "cusme-demo-*", "cluster.log"))
	if err != nil || len(logs) != 1 {
		t.Errorf("logs that were kept: %q, %v; want one", logs, err)
	}
}

func TestAChildIsStoppedWithItsChildren(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	// Deaf to SIGTERM, as is its child: only killing the group ends both.
	c, err := start("a deaf program", log, "sh", "-c", `trap "" TERM; sleep 1000 & echo ready; wait; wait`)
	if err != nil {
		t.Fatal(err)
	}
	for lastLines(log, 1)[0] != "ready" {
		time.Sleep(10 * time.Millisecond) // the test's own deadline ends this
	}
	c.stop(50 * time.Millisecond)
	if left := processesOf(t, "sleep\x001000"); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
	if err := c.ended(); !strings.Contains(err.Error(), "a deaf program ended by itself (signal: killed)") || !errors.As(err, &logged{}) {
		t.Errorf("its end is told as %q", err)
	}
}
