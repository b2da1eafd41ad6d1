package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/ticklog"
)

// TestTickLog has the controller write its decisions down, and cusme decide come
// to the same ones by what stands there.
func TestTickLog(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.6"), newDeployment(t, 2)
	d.isReady(t, 2)
	d.cluster.InstallCRD(t)
	scaler := fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: %s, namespace: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  maxReplicas: 9
  interval: 1s
  loads: [{name: backend, http: {url: %[3]q, value: body.data.load_balance}}]
`, d.name, d.namespace, b.URL)
	d.cluster.Apply(t, scaler)
	path := filepath.Join(t.TempDir(), "ticks")
	startController(t, d, "--tick-log", path, "--tick-log-pods")
	d.staysAt(t, 2, b, 3)
	b.reports("1.2")
	d.reaches(t, 4)

	var lines []ticklog.Line
	clustertest.Eventually(t, patience, func() error {
		lines = nil
		if _, err := ticklog.ReadFile(path, func(l ticklog.Line) { lines = append(lines, l) }); err != nil {
			return err
		}
		for _, l := range lines {
			if l.Wrote {
				return nil
			}
		}
		return errors.New("the move is not in the log")
	})
	moved, name := false, d.namespace+"/"+d.name
	for _, l := range lines {
		if l.Scaler != name || l.Loads["backend"] == nil || len(l.Reasons) == 0 || len(l.Pods) < int(l.Ready) || l.MaxReplicas != 9 {
			t.Errorf("got the line %+v", l)
		}
		if !moved && l.Wrote {
			moved = true
			if *l.Loads["backend"] != 1.2 || l.Replicas != 2 || l.Ready != 2 || l.Decided != 4 {
				t.Errorf("the move is %+v, want 2 -> 4 at 1.2", l)
			}
		}
	}
	decidesTheSame(t, scaler, lines)
}

// decidesTheSame has cusme decide read the lines of a log.
func decidesTheSame(t *testing.T, scaler string, lines []ticklog.Line) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scaler.yaml")
	if err := os.WriteFile(file, []byte(scaler), 0o600); err != nil {
		t.Fatal(err)
	}
	var in, out bytes.Buffer
	for _, l := range lines {
		if err := json.NewEncoder(&in).Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	decider, err := openDecider(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&filter{decider: decider, in: &in, out: &out}).run(); err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(out.String(), "\n")
	for i, l := range lines {
		if want := fmt.Sprintf(`{"replicas":%d,`, l.Decided); i >= len(answers) || !strings.HasPrefix(answers[i], want) {
			t.Errorf("of line %d decide says %s, and the controller decided %+v", i+1, answers[min(i, len(answers)-1)], l)
		}
	}
}
