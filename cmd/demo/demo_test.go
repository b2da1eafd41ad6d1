package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// aRise is a move up with its reason, as the plain lines tell it.
var aRise = regexp.MustCompile(`^\d\d:\d\d  (\d+) → (\d+)  load .* is above 0\.8`)

// The whole demo against the real control plane: cusme raises the replicas and
// says why, more pods become ready, and Ctrl-C ends everything with a summary.
func TestDemo(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	needPrograms(t, root)
	dir := t.TempDir()
	demo := filepath.Join(dir, "demo")
	if out, err := exec.Command("go", "build", "-o", demo, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the demo: %v\n%s", err, out)
	}
	cmd := exec.Command(demo, "--localcluster", filepath.Join(root, "bin", "localcluster"),
		"--cusme", filepath.Join(root, "bin", "cusme"), "--startup", "8s", "--for", "10m")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tooLate := time.AfterFunc(4*time.Minute, func() { _ = cmd.Process.Kill() })
	defer tooLate.Stop()

	said := follow(t, bufio.NewScanner(out), func() { _ = cmd.Process.Signal(os.Interrupt) })
	if err := cmd.Wait(); err != nil {
		t.Errorf("the demo ended with %v\n%s", err, errors.String())
	}
	for _, want := range []string{"requests ", "waits ", "pod-minutes", "peak "} {
		if !strings.Contains(said, want) {
			t.Errorf("the summary has no %q", want)
		}
	}
	if left := processesOf(t, dir); len(left) > 0 {
		t.Errorf("processes left: %q", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "cusme-demo-*")); len(left) > 0 {
		t.Errorf("folders left: %q", left)
	}
	if t.Failed() {
		t.Log(said)
	}
}

// follow reads what the demo says to its end, and interrupts it once a rise
// with its reason has been followed by that many ready pods.
func follow(t *testing.T, lines *bufio.Scanner, interrupt func()) string {
	t.Helper()
	var said strings.Builder
	risen, followed := 0, false
	for lines.Scan() {
		line := lines.Text()
		said.WriteString(line + "\n")
		if m := aRise.FindStringSubmatch(line); m != nil && risen == 0 {
			risen, _ = strconv.Atoi(m[2])
		}
		m := regexp.MustCompile(`(\d+) ready,`).FindStringSubmatch(line)
		if m == nil || risen == 0 || followed {
			continue
		}
		if ready, _ := strconv.Atoi(m[1]); ready >= risen {
			followed = true
			interrupt()
		}
	}
	if !followed {
		t.Error("no rise with a reason was followed by as many ready pods")
	}
	return said.String()
}

// needPrograms skips the test where a program is missing, with the command that brings it; in CI it fails.
func needPrograms(t *testing.T, root string) {
	t.Helper()
	for name, command := range map[string]string{"localcluster": "make localcluster", "cusme": "make build"} {
		path := filepath.Join(root, "bin", name)
		_, err := os.Stat(path)
		switch {
		case err == nil:
		case os.Getenv("CUSME_CI") != "":
			t.Fatalf("%s is missing: %s", path, command)
		default:
			t.Skipf("%s is missing: %s", path, command)
		}
	}
}

// processesOf lists the processes whose command line holds a string, where the system has /proc.
func processesOf(t *testing.T, part string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		line, err := os.ReadFile(f)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil || pid == os.Getpid() || !strings.Contains(string(line), part) || gone(pid) {
			continue
		}
		found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
	}
	return found
}

// gone reports whether a process has ended since it was listed.
func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }
