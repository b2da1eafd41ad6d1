package main

import (
	"strings"
	"unicode/utf8"
)

// An ink is how a piece of text looks: the parameters of a terminal's SGR sequence.
type ink string

const (
	plain  ink = ""
	bold   ink = "1"
	faint  ink = "2"
	red    ink = "31"
	green  ink = "32"
	yellow ink = "33"
	blue   ink = "36"
)

// A span is text in one ink, and a line a row of spans. Widths are counted in
// runes: everything the demo prints is one cell wide.
type span struct {
	text string
	ink  ink
}

type line []span

func text(s string) line { return line{{text: s}} }

// indent is the space before every line of the screen.
const indent = " "

// paint clips a line to a width and writes it with or without colours.
func (l line) paint(width int, colour bool) string {
	var b strings.Builder
	left := width
	for _, s := range l {
		cut := clip(s.text, left)
		left -= utf8.RuneCountInString(cut)
		if cut == "" {
			continue
		}
		if colour && s.ink != plain {
			cut = "\x1b[" + string(s.ink) + "m" + cut + "\x1b[0m"
		}
		b.WriteString(cut)
	}
	if colour {
		return b.String()
	}
	return strings.TrimRight(b.String(), " ")
}

// wrap breaks a sentence at spaces into lines of at most a width; a longer word stands alone.
func wrap(sentence string, width int) []string {
	var lines []string
	current := ""
	for _, word := range strings.Fields(sentence) {
		if current != "" && utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, current)
			current = ""
		}
		if current != "" {
			current += " "
		}
		current += word
	}
	if current != "" {
		lines = append(lines, current)
	}
	return lines
}

// pad fills a text with spaces up to a width.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// clip cuts a text to a width.
func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width)])
}
