package main

import (
	"fmt"
	"strings"
	"time"
)

// present is a snapshot as one line, for logs and pipes.
func present(s snapshot) string {
	b := s.business
	return fmt.Sprintf("%s  load %.2f (%.4g..%.4g)  waiting %d  p95 wait %s  replicas %d asked, %d ready, %d starting, %d elastic",
		s.day.clock(s.elapsed), b.load, s.low, s.high, b.waiting, seconds(b.waits.p95),
		s.asked, s.pods.ready(), s.pods.starting(), s.pods.elastic+s.pods.startingElastic)
}

// moved is a move as one line.
func moved(s snapshot, m move) string {
	return fmt.Sprintf("%s  %d → %d  %s", s.day.clock(m.at), m.from, m.to, m.why(s.elapsed))
}

// lineEvery is how often a plain line tells the present.
const lineEvery = 5 * time.Second

// A ledger tells the day in plain lines.
type ledger struct {
	at    time.Duration // of the last line about the present
	any   bool          // there was one
	moves int           // told so far
}

// next returns the lines that have become due.
func (l *ledger) next(s snapshot) []string {
	var out []string
	for _, m := range s.moves[l.moves:] {
		if !m.due(s.elapsed) {
			break
		}
		out = append(out, moved(s, m))
		l.moves++
	}
	if !l.any || s.elapsed-l.at >= lineEvery {
		l.at, l.any = s.elapsed, true
		out = append(out, present(s))
	}
	return out
}

// A summary is what the demo ends with.
type summary struct {
	elapsed           time.Duration
	business          business
	ordinary, elastic time.Duration // pod time
	up, down, peak    int
	youngest          time.Duration
	removed           bool // any pod at all
	minPodAge         time.Duration
}

// lines writes a summary for people.
func (s summary) lines() []string {
	b := s.business
	row := func(name, format string, args ...any) string {
		return indent + pad(name, 12) + fmt.Sprintf(format, args...)
	}
	out := []string{
		row("ran", "%s", brief(s.elapsed)),
		row("requests", "%d served, %d in work, %d still waiting%s", b.served, b.running, b.waiting, begunAgain(b.again)),
		row("waits", "mean %s, p50 %s, p95 %s, max %s", seconds(b.waits.mean), seconds(b.waits.median), seconds(b.waits.p95), seconds(b.waits.most)),
		row("pods", "%.1f pod-minutes on ordinary nodes, %.1f on elastic ones", s.ordinary.Minutes(), s.elastic.Minutes()),
		row("moves", "%d up, %d down, peak %d replicas", s.up, s.down, s.peak),
	}
	if !s.removed {
		return append(out, row("removed", "no pod (minPodAge is %s)", brief(s.minPodAge)))
	}
	return append(out, row("removed", "the youngest pod at an age of %s (minPodAge is %s)", brief(s.youngest), brief(s.minPodAge)))
}

func begunAgain(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d begun again because their pod was removed", n)
}

// quote indents a YAML document, leaving its comments out: the file that the documents are in keeps them.
func quote(document string) []string {
	var out []string
	for l := range strings.SplitSeq(strings.TrimSpace(document), "\n") {
		if strings.HasPrefix(l, "#") {
			continue
		}
		out = append(out, "    "+l)
	}
	return out
}
