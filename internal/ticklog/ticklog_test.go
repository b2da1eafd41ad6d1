package ticklog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"cusme.dev/cusme/internal/scaling"
)

var noon = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

// tick is a decision of a LoadScaler with a load that was read, and one that was not.
func tick(scaler string, at time.Time) scaling.Tick {
	old := at.Add(-time.Hour)
	p := scaling.Policy{Min: 1, Max: 9, Loads: []scaling.Load{
		{Name: "backend", Low: 0.5, High: 0.8, Target: 0.65, StaleAfter: time.Minute},
		{Name: "queue", Total: true, Low: 1, High: 3, Target: 2, StaleAfter: time.Minute},
	}}
	o := scaling.Observation{
		Now: at, Replicas: 2, Order: scaling.OrderCost,
		Readings: []scaling.Reading{{Load: "backend", Value: 1.3, At: at}, {Load: "queue", Problem: scaling.Failed, Message: "no answer"}},
		Pods: []scaling.Pod{
			{Name: "a", UID: "1", Node: "n", Phase: scaling.PhaseRunning, Ready: true, ReadySince: old, Created: old, Busy: scaling.Working, Elastic: true},
			{Name: "b", UID: "2", Phase: scaling.PhasePending, Created: at, Cost: 7},
			{Name: "c", UID: "3", Node: "n", Phase: scaling.PhaseRunning, Ready: true, ReadySince: old, Created: old, Leaving: true},
			{Name: "d", UID: "4", Node: "n", Phase: scaling.PhaseRunning, Created: old, Leaving: true, Ended: true},
		},
	}
	return scaling.Tick{Scaler: scaler, Observation: o, Policy: p, Decision: scaling.Decide(o, p, scaling.History{}), Outcome: scaling.Outcome{Wrote: true}}
}

// TestLine is the format that docs/traces.md describes.
func TestLine(t *testing.T) {
	const counts = `{"version":"v1","time":"2026-11-23T12:00:00Z","scaler":"shop/webui","loads":{"backend":1.3,"queue":null},` +
		`"replicas":2,"ready":1,"starting":1,"leaving":1,"minReplicas":1,"maxReplicas":9,`
	const pods = `"pods":[{"name":"a","created":"2026-11-23T11:00:00Z","ready":true,"readySince":"2026-11-23T11:00:00Z","node":"n","phase":"Running","busy":true,"elastic":true},` +
		`{"name":"b","created":"2026-11-23T12:00:00Z","ready":false,"node":"","phase":"Pending","deletionCost":7}],`
	for with, want := range map[bool]string{false: counts + `"decided":2,"wrote":true,"reasons":[{"step":"demand","from":2,"to":2,"why":`, true: counts + pods + `"decided":2,`} {
		got, err := encode(tick("shop/webui", noon.In(time.FixedZone("", 3600))), with)
		if err != nil || !strings.HasPrefix(string(got), want) || !bytes.HasSuffix(got, []byte("}\n")) {
			t.Errorf("got %s (%v), want %s", got, err, want)
		}
	}
}

// TestPage: the line that the page shows is one.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/traces.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```json\n")
	shown, _, _ := strings.Cut(rest, "```")
	foreign, err := Read(strings.NewReader(shown), func(l Line) {
		if again, err := json.Marshal(l); err != nil || string(again)+"\n" != shown {
			t.Errorf("the page shows %s, which would be written as %s (%v)", shown, again, err)
		}
	})
	if foreign > 0 || shown == "" || err != nil {
		t.Errorf("the page shows %q, %d lines of which are none (%v)", shown, foreign, err)
	}
}

// TestRoundTrip writes ticks from several goroutines, and reads every one of them.
func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ticks")
	l := open(t, Options{Path: path, MaxBytes: 1 << 20, Pods: true})
	var writers sync.WaitGroup
	const each = 50
	for w := range 4 {
		writers.Go(func() {
			for i := range each {
				l.Write(tick(fmt.Sprintf("shop/%d", w), noon.Add(time.Duration(i)*time.Second)))
			}
		})
	}
	writers.Wait()
	l.Close()
	l.Close()
	l.Write(tick("shop/late", noon))

	found := map[string][]Line{}
	if foreign, err := ReadFile(path, func(l Line) { found[l.Scaler] = append(found[l.Scaler], l) }); err != nil || foreign != 0 {
		t.Fatalf("%d foreign lines, %v", foreign, err)
	}
	if len(found) != 4 {
		t.Fatalf("got lines of %d scalers, want 4", len(found))
	}
	for scaler, lines := range found {
		for i, line := range lines {
			if want := lineOf(tick(scaler, noon.Add(time.Duration(i)*time.Second)), true); !reflect.DeepEqual(line, want) {
				t.Fatalf("got %+v, want %+v", line, want)
			}
		}
		if len(lines) != each {
			t.Errorf("%s: got %d lines, want %d", scaler, len(lines), each)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v (%v), want it readable for its owner only", info.Mode(), err)
	}
}

// TestFullFiles keeps the newest lines, in two files of the size.
func TestFullFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ticks")
	const most, n = 4000, 60
	l := open(t, Options{Path: path, MaxBytes: most})
	for i := range n {
		l.Write(tick("shop/webui", noon.Add(time.Duration(i)*time.Second)))
	}
	l.Close()
	var times []time.Time
	if _, err := ReadFile(path, func(l Line) { times = append(times, l.Time) }); err != nil {
		t.Fatal(err)
	}
	line, _ := encode(tick("shop/webui", noon), false)
	if fit := most / len(line); len(times) <= fit || len(times) > 2*fit {
		t.Errorf("%d lines are kept, want more than %d and at most %d", len(times), fit, 2*fit)
	}
	for i, at := range times {
		if want := noon.Add(time.Duration(n-len(times)+i) * time.Second); !at.Equal(want) {
			t.Fatalf("line %d is of %s, want %s: all up to the newest", i, at, want)
		}
	}
	for _, part := range []string{path, earlier(path)} {
		if info, err := os.Stat(part); err != nil || info.Size() > most {
			t.Errorf("%s: %v, %v, want at most %d bytes", part, info, err, most)
		}
	}
}

// TestCutOff begins a line of its own after one that was cut off, and reads round that.
func TestCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ticks")
	for range 2 {
		l := open(t, Options{Path: path, MaxBytes: 1 << 20})
		l.Write(tick("shop/webui", noon))
		l.Close()
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(whole, whole[1:100]...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	foreign, err := ReadFile(path, func(Line) { n++ })
	if n != 2 || foreign != 2 || err != nil {
		t.Errorf("got %d lines and %d foreign ones, %v, want 2 and 2", n, foreign, err)
	}
}

func TestRead(t *testing.T) {
	line, err := encode(tick("shop/webui", noon), false)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text           string
		lines, foreign int
		err            string
	}{
		"nothing":           {"", 0, 0, ""},
		"among other lines": {"time=now level=INFO\n\n" + string(line) + `{"level":"info"}` + "\n[]\n" + string(line), 2, 3, ""},
		"another version":   {string(line) + strings.Replace(string(line), `"v1"`, `"v2"`, 1), 1, 0, `line 2: expected version v1, got "v2": read it with the cusme that wrote it`},
		"too long":          {string(line) + strings.Repeat("x", longestLine+1), 1, 0, "line 2: expected at most 16 MiB, got more"},
	} {
		n := 0
		foreign, err := Read(strings.NewReader(c.text), func(Line) { n++ })
		if n != c.lines || foreign != c.foreign || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: got %d lines, %d foreign, %v; want %d, %d, %q", name, n, foreign, err, c.lines, c.foreign, c.err)
		}
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none"), func(Line) {}); err == nil || !strings.HasPrefix(err.Error(), "tick log: open ") {
		t.Errorf("of no file: %v", err)
	}
	if _, err := Read(io.MultiReader(bytes.NewReader(line), broken{}), func(Line) {}); err == nil || !strings.Contains(err.Error(), "after line 1: broken") {
		t.Errorf("of a broken file: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error)  { return 0, errors.New("broken") }
func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

// TestNobodyReads wants no tick to wait for a pipe that nobody reads, and the lost ones to be told when it is read again.
func TestNobodyReads(t *testing.T) {
	read, write := io.Pipe()
	told := make(chan string, 10)
	l := open(t, Options{Path: "-", Out: write, Log: telling(told)})
	const lost = 5
	line, _ := encode(tick("shop/webui", noon), false)
	l.Write(tick("shop/webui", noon))
	if _, err := io.ReadFull(read, line[:1]); err != nil { // It is being written: from now on lines wait.
		t.Fatal(err)
	}
	for range backlog + lost {
		l.Write(tick("shop/webui", noon))
	}
	go io.Copy(io.Discard, read)
	if got := <-told; !strings.Contains(got, `"lines of the tick log were lost" "lines"=5`) {
		t.Errorf("told %s", got)
	}
}

// TestCannotBeWritten tells of the first line that is lost, and of no other.
func TestCannotBeWritten(t *testing.T) {
	told := make(chan string, 10)
	l := open(t, Options{Path: "-", Out: broken{}, Log: telling(told)})
	for range 3 {
		l.Write(tick("shop/webui", noon))
	}
	l.Close()
	if got := <-told; !strings.Contains(got, "the tick log cannot be written: lines are lost until it can") || len(told) > 0 {
		t.Errorf("told %s and %d more", got, len(told))
	}
}

// TestAFileThatComesBack writes on when a directory that was taken away is there again.
func TestAFileThatComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := openFile(filepath.Join(dir, "ticks"), 10)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		before func() error
		works  bool
	}{
		{func() error { return nil }, true},
		{func() error { return os.RemoveAll(dir) }, false},
		{func() error { return os.Mkdir(dir, 0o700) }, true},
	}
	for i, s := range steps {
		if err := s.before(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("0123456\n")); (err == nil) != s.works {
			t.Errorf("write %d: %v", i+1, err)
		}
	}
}

func TestOpen(t *testing.T) {
	if _, err := Open(Options{Path: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "tick log: expected a file, or - for the standard output, got ") {
		t.Errorf("of a directory: %v", err)
	}
	if _, err := Open(Options{Path: filepath.Join(t.TempDir(), "none", "ticks")}); err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("of a path that cannot be: %v", err)
	}
	var none *Log
	none.Write(scaling.Tick{})
	none.Close()
}

// FuzzRead reads every file there can be: a line that is taken can be written again.
func FuzzRead(f *testing.F) {
	line, _ := encode(tick("shop/webui", noon), true)
	f.Add(line)
	f.Add([]byte("{}\nx"))
	f.Add([]byte(`{"version":"v1","scaler":"a/b","loads":{"a":null}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = Read(bytes.NewReader(text), func(l Line) {
			if _, err := json.Marshal(l); err != nil {
				t.Errorf("%+v: %v", l, err)
			}
		})
	})
}

func open(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func telling(to chan<- string) logr.Logger {
	return funcr.New(func(prefix, args string) { to <- prefix + args }, funcr.Options{})
}
