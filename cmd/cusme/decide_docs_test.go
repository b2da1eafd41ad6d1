package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cusme.dev/cusme/internal/clustertest"
)

// fenced are the blocks of docs/decide.md in a language, "" for those in none.
func fenced(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/decide.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, block := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		if block[1] == language {
			blocks = append(blocks, block[2])
		}
	}
	return blocks
}

// TestDecideExample follows the page: its observations give its decisions, and its sentences.
func TestDecideExample(t *testing.T) {
	t.Parallel()
	lines, sentences := fenced(t, "json"), fenced(t, "")
	out, ledger := following(t, fenced(t, "yaml")[0], lines[0])
	if out != lines[1] || ledger != sentences[0] {
		t.Errorf("docs/decide.md shows other decisions than these:\n%s%s", out, ledger)
	}
}

// following runs observations through the verb as a person would.
func following(t *testing.T, scaler, observations string) (out, ledger string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scaler.yaml")
	if err := os.WriteFile(file, []byte(scaler), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	cmd := exec.Command(program(t), "decide", "-f", file, "--explain")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(observations), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return stdout.String(), stderr.String()
}

// TestDecideBench runs the page's test bench.
func TestDecideBench(t *testing.T) {
	t.Parallel()
	python := clustertest.Program(t, "python3", "apt-get install python3")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "scaler.yaml"), []byte(fenced(t, "yaml")[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", fenced(t, "python")[0])
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(program(t))+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || !regexp.MustCompile(`^657[0-9] requests, [0-9.]+ pod hours for each of service, 95 % waited [0-9]+ s or less, [0-9]+ pods\n$`).Match(out) {
		t.Errorf("%v: %s", err, out)
	}
}
