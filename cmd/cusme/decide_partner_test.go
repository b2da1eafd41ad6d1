package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const decideScaler = `
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: webui}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: %s, name: webui}
  maxReplicas: 20
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
  loads: [{name: backend, push: {}}]
%s`

// deciderFor opens a target of a kind, with more lines of its spec.
func deciderFor(t testing.TB, kind, spec string) *decider {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scaler.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, decideScaler, kind, spec), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openDecider(file)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A partner writes a line, and waits for its answer before the next.
type partner struct {
	in      io.WriteCloser
	answers *bufio.Scanner
	ended   chan error
}

func newPartner(t testing.TB, d *decider) *partner {
	in, write := io.Pipe()
	read, out := io.Pipe()
	p := &partner{in: write, answers: bufio.NewScanner(read), ended: make(chan error, 1)}
	f := filter{decider: d, in: in, out: out}
	go func() {
		p.ended <- f.run()
		in.Close()
		out.Close()
	}()
	t.Cleanup(func() { write.Close(); read.Close() })
	return p
}

// ask returns the answer to a line, as it is written.
func (p *partner) ask(line string) (string, error) {
	_, _ = io.WriteString(p.in, line+"\n") // An end is told by its reason.
	if !p.answers.Scan() {
		return "", <-p.ended
	}
	return p.answers.Text(), nil
}

// An asker is a test, or a part of one.
type asker interface {
	Helper()
	Fatalf(format string, args ...any)
}

// told asks, and understands the answer. Line and answer are what the schemas describe.
func (p *partner) told(t asker, line string) answer {
	t.Helper()
	text, err := p.ask(line)
	if err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
	if err := errors.Join(fits("decide-input", line), fits("decide-output", text)); err != nil {
		t.Fatalf("%v\n%s\n%s", err, line, text)
	}
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return a
}

func (a answer) why() string {
	var all []string
	for _, r := range a.Reasons {
		all = append(all, string(r.Step)+": "+r.Why)
	}
	return strings.Join(all, "; ")
}
