package main

import (
	"fmt"
	"strings"
	"time"
)

// A snapshot is everything one screen shows.
type snapshot struct {
	day       day
	elapsed   time.Duration
	length    time.Duration // how long the demo runs
	low, high float64       // the band
	business  business
	asked     int
	pods      counts
	history   []sample // oldest first
	now       string   // the newest decision's sentence
	warning   string   // the newest warning event; empty when there is none
	moves     []move   // oldest first
}

// A sample is one moment of the charts.
type sample struct {
	at                    time.Duration
	load                  float64
	asked, ready, elastic int
}

// size of a terminal, in cells.
type size struct{ columns, rows int }

// label is the width of the words at the left of the screen.
const label = 10

// wide is the width from which things stand side by side.
const wide = 78

// movesKept is how many lines stay for the moves when charts and moves compete for a screen's height.
const movesKept = 4

// render draws a snapshot as the lines of a terminal. The lines never exceed
// the size, and the last row stays free for the cursor.
func render(s snapshot, to size, colour bool) []string {
	var out []string
	add := func(lines ...line) {
		for _, l := range lines {
			out = append(out, append(text(indent), l...).paint(to.columns, colour))
		}
	}
	add(header(s, to.columns)...)
	add(nil)
	add(state(s, to.columns)...)
	out = append(out, charts(s, to.columns, to.rows-1-len(out)-1-movesKept, colour)...)
	add(nil)
	add(moves(s, to.columns)...)
	return out[:min(len(out), to.rows-1)]
}

func header(s snapshot, columns int) []line {
	left := line{
		{text: s.day.clock(s.elapsed), ink: bold},
		{text: fmt.Sprintf("  %s of %s", brief(s.elapsed), brief(s.length)), ink: faint},
		{text: "  "},
	}
	title := line{{text: "cusme demo", ink: bold}, {text: fmt.Sprintf("  one day in %s, Ctrl-C ends it", brief(s.day.length)), ink: faint}}
	width := max(0, min(60, columns-30))
	done := int(float64(width) * min(1, float64(s.elapsed)/float64(max(1, s.length))))
	return []line{title, append(left,
		span{text: strings.Repeat("━", done), ink: blue},
		span{text: strings.Repeat("─", width-done), ink: faint})}
}

// state is the present: load, queue, pods, and what cusme says.
func state(s snapshot, columns int) []line {
	b := s.business
	lines := []line{
		append(line{{text: pad("load", label), ink: faint}}, verdict(b.load, s.low, s.high)...),
		{
			{text: pad("requests", label), ink: faint},
			{text: fmt.Sprintf("%d waiting", b.waiting), ink: inkIf(b.waiting > 0, bold)},
			{text: fmt.Sprintf(", %d in work, %d served", b.running, b.served)},
			{text: fmt.Sprintf("   p95 wait so far %s", seconds(b.waits.p95)), ink: faint},
		},
		{
			{text: pad("replicas", label), ink: faint},
			{text: fmt.Sprintf("%d asked for", s.asked), ink: bold},
			{text: fmt.Sprintf(", %d ready, %d starting", s.pods.ready(), s.pods.starting())},
			{text: fmt.Sprintf("   %d elastic", s.pods.elastic+s.pods.startingElastic), ink: faint},
		},
	}
	pods := append(text(pad("", label)), bar(s.asked, s.pods)...)
	if columns >= wide {
		lines = append(lines, append(append(pods, span{text: "   "}), legend()...))
	} else {
		lines = append(lines, pods, append(text(pad("", label)), legend()...))
	}
	lines = append(lines, says(s.now, columns)...)
	if s.warning != "" {
		lines = append(lines, line{{text: pad("warning", label), ink: yellow}, {text: s.warning}})
	}
	return lines
}

// says is cusme's newest sentence, on a fixed number of lines so that nothing
// below it jumps. A longer one is in the LoadScaler's status for who wants all of it.
func says(sentence string, columns int) []line {
	height := 2
	if columns < wide {
		height = 3
	}
	width := columns - label - len(indent)
	parts := wrap(sentence, width)
	if len(parts) > height {
		parts = parts[:height]
		parts[height-1] = clip(parts[height-1], width-2) + " …"
	}
	lines := make([]line, height)
	for i, part := range parts {
		name := ""
		if i == 0 {
			name = "cusme"
		}
		lines[i] = line{{text: pad(name, label), ink: faint}, {text: part}}
	}
	return lines
}

// verdict says where the load stands.
func verdict(load, low, high float64) line {
	band := fmt.Sprintf("the band %.4g..%.4g", low, high)
	number := fmt.Sprintf("%.2f", load)
	switch {
	case load > high:
		return line{{text: number, ink: red}, {text: " above " + band}}
	case load < low:
		return line{{text: number, ink: blue}, {text: " below " + band}}
	default:
		return line{{text: number, ink: green}, {text: " within " + band}}
	}
}

// marks of pods in the bar: shape and colour say the same, for eyes and terminals without colours.
var (
	markOrdinary         = span{text: "●", ink: green}
	markElastic          = span{text: "◆", ink: blue}
	markStartingOrdinary = span{text: "◐", ink: yellow}
	markStartingElastic  = span{text: "◇", ink: yellow}
	markMissing          = span{text: "○", ink: faint}
	markLeaving          = span{text: "×", ink: faint}
)

// bar draws one mark per replica.
func bar(asked int, c counts) line {
	var l line
	add := func(mark span, n int) {
		if n > 0 {
			l = append(l, span{text: strings.Repeat(mark.text, n), ink: mark.ink})
		}
	}
	add(markOrdinary, c.ordinary)
	add(markElastic, c.elastic)
	add(markStartingOrdinary, c.startingOrdinary)
	add(markStartingElastic, c.startingElastic)
	add(markMissing, asked-c.ready()-c.starting())
	add(markLeaving, c.leaving)
	return l
}

func legend() line {
	return line{
		markOrdinary, {text: " ordinary  ", ink: faint},
		markElastic, {text: " elastic  ", ink: faint},
		markStartingOrdinary, markStartingElastic, {text: " starting  ", ink: faint},
		markMissing, {text: " to come", ink: faint},
	}
}

// moves lists the newest moves first, each with its reasons.
func moves(s snapshot, columns int) []line {
	if len(s.moves) == 0 {
		return []line{{{text: "no moves yet", ink: faint}}}
	}
	up, down := 0, 0
	var lines []line
	for i := len(s.moves) - 1; i >= 0; i-- {
		m := s.moves[i]
		arrow := span{text: "▼", ink: blue}
		if m.to > m.from {
			arrow = span{text: "▲", ink: red}
			up++
		} else {
			down++
		}
		head := fmt.Sprintf(" %2d → %-2d  ", m.from, m.to)
		for j, part := range wrap(m.why(s.elapsed), max(20, columns-2-len("15:04  ")-1-len([]rune(head)))) {
			if j == 0 {
				lines = append(lines, line{{text: s.day.clock(m.at) + "  ", ink: faint}, arrow, {text: head, ink: bold}, {text: part}})
				continue
			}
			lines = append(lines, line{{text: strings.Repeat(" ", len("15:04  ")+1+len([]rune(head)))}, {text: part}})
		}
	}
	title := line{{text: fmt.Sprintf("%d moves: %d up, %d down", up+down, up, down), ink: faint}}
	return append([]line{title}, lines...)
}

func inkIf(is bool, i ink) ink {
	if is {
		return i
	}
	return plain
}

// brief writes a duration in whole seconds, such as 1m08s or 6m.
func brief(d time.Duration) string {
	d = d.Round(time.Second)
	switch h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60; {
	case h > 0:
		return fmt.Sprintf("%dh%02dm", h, m)
	case m > 0 && s == 0:
		return fmt.Sprintf("%dm", m)
	case m > 0:
		return fmt.Sprintf("%dm%02ds", m, s)
	default:
		return fmt.Sprintf("%ds", s)
	}
}

// seconds writes a wait, which is a matter of tenths.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%.1f s", d.Seconds())
}
