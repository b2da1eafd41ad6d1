package main

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "rewrite testdata")

// morning is the demo two and a half minutes into its day.
func morning() snapshot {
	s := snapshot{
		day: day{6 * time.Minute}, elapsed: 150 * time.Second, length: 6 * time.Minute, low: 0.5, high: 0.8,
		business: business{load: 1.12, waiting: 3, running: 9, served: 214, waits: waitStats{p95: 4100 * time.Millisecond}},
		asked:    14,
		pods:     counts{ordinary: 8, elastic: 2, startingElastic: 3, leaving: 1},
		now:      "load 1.12 on 10 ready pods is above 0.8, but with 3 replicas on the way it will be 0.75",
		moves: []move{
			{at: 40 * time.Second, from: 2, to: 6, reason: "load 2.5 on 2 ready pods is above 0.8: 8 replicas bring it to 0.63, but the pace allows 6 for now"},
			{at: 90 * time.Second, from: 6, to: 5, reason: "load 0.42 on 6 ready pods is below 0.5: 5 replicas are enough"},
			{at: 148 * time.Second, from: 5, to: 14},
		},
	}
	for at := time.Duration(0); at <= s.elapsed; at += time.Second {
		x := at.Seconds() / 30
		n := 2 + int(4*math.Abs(math.Sin(x)))
		s.history = append(s.history, sample{at: at, load: 0.65 + 0.4*math.Sin(x), asked: n + 1, ready: n, elastic: max(0, n-4)})
	}
	return s
}

func TestScreens(t *testing.T) {
	early := morning()
	early.elapsed, early.history, early.moves, early.now = 0, nil, nil, "waiting for the first decision"
	warned := morning()
	warned.warning = "the load cannot be read: connection refused"
	for name, c := range map[string]struct {
		snapshot snapshot
		size     size
		colour   bool
	}{
		"wide":    {morning(), size{110, 40}, false},
		"colour":  {morning(), size{110, 40}, true},
		"usual":   {morning(), size{80, 24}, false},
		"narrow":  {morning(), size{42, 40}, false},
		"tiny":    {morning(), size{20, 10}, false},
		"early":   {early, size{80, 40}, false},
		"warning": {warned, size{80, 40}, false},
	} {
		t.Run(name, func(t *testing.T) {
			lines := render(c.snapshot, c.size, c.colour)
			fits(t, lines, c.size)
			golden(t, name, strings.Join(lines, "\n")+"\n")
		})
	}
}

// fits fails when a line would wrap or the frame scroll: redrawing in place counts on neither.
func fits(t *testing.T, lines []string, to size) {
	t.Helper()
	if len(lines) > to.rows-1 {
		t.Errorf("%d lines on a terminal of %d rows: one must stay free for the cursor", len(lines), to.rows)
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(sgr.ReplaceAllString(l, "")); n > to.columns {
			t.Errorf("%d cells on a terminal of %d columns: %q", n, to.columns, l)
		}
	}
}

func TestScreensFitEverySize(t *testing.T) {
	for columns := 1; columns < 140; columns += 3 {
		for rows := 2; rows < 60; rows += 5 {
			to := size{columns, rows}
			fits(t, render(morning(), to, columns%2 == 0), to)
		}
	}
}

func TestWithoutColoursThereIsNoEscape(t *testing.T) {
	for _, l := range render(morning(), size{100, 40}, false) {
		if strings.Contains(l, "\x1b") {
			t.Errorf("an escape sequence although colours are off: %q", l)
		}
	}
}

func TestATerminalIsRedrawnInPlace(t *testing.T) {
	var out strings.Builder
	now := size{80, 24}
	term := &terminal{out: &out, size: func() size { return now }}
	frame := func(lines ...string) string {
		out.Reset()
		term.show(func(size) []string { return lines })
		return out.String()
	}
	if got := frame("a", "b"); strings.Contains(got, clearAll) || strings.Contains(got, "A\r") {
		t.Errorf("the first frame does not begin where the cursor is: %q", got)
	}
	if got := frame("c"); !strings.Contains(got, "\x1b[2A\rc") || !strings.Contains(got, clearBelow) {
		t.Errorf("the second frame does not replace the two lines of the first: %q", got)
	}
	now = size{40, 24}
	if got := frame("d"); !strings.Contains(got, clearAll) {
		t.Errorf("another size does not begin on an empty screen: %q", got)
	}
	out.Reset()
	if term.leave(); out.String() != cursorOn {
		t.Errorf("leaving writes %q, want the cursor back", out.String())
	}
}

func TestPlainLines(t *testing.T) {
	s, l := morning(), ledger{}
	first := l.next(s)
	s.elapsed += time.Second
	second := l.next(s)
	s.elapsed += 5 * time.Second
	third := l.next(s)
	golden(t, "lines", strings.Join(first, "\n")+"\n--- 1 s later\n"+strings.Join(second, "\n")+"--- 5 s later\n"+strings.Join(third, "\n")+"\n")
}

func TestSummary(t *testing.T) {
	s := summary{
		elapsed: 6 * time.Minute, minPodAge: 40 * time.Second,
		business: business{served: 371, running: 1, waiting: 2, again: 1, waits: waitStats{1500 * time.Millisecond, 300 * time.Millisecond, 8200 * time.Millisecond, 14 * time.Second}},
		ordinary: 2000 * time.Second, elastic: 1000 * time.Second, up: 5, down: 7, peak: 14,
	}
	quiet := strings.Join(s.lines(), "\n")
	s.removed, s.youngest = true, 43*time.Second
	golden(t, "summary", quiet+"\n---\n"+strings.Join(s.lines(), "\n")+"\n")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: make it with go test ./cmd/demo -update", err)
	}
	if got != string(want) {
		t.Errorf("%s is now\n%s\nwant\n%s", file, got, want)
	}
}
