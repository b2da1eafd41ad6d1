package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A terminal shows lines in place: each frame is written over the one before.
// On anything else than a terminal it is not used.
type terminal struct {
	out    io.Writer
	size   func() size
	colour bool

	last  size
	drawn int // lines of the last frame, the cursor is below them
}

// onTerminal returns a terminal for a file, nil when the file is none.
func onTerminal(file *os.File) *terminal {
	if !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	// NO_COLOR: set and not empty means no colours, whatever it says (no-color.org).
	return &terminal{out: file, colour: os.Getenv("NO_COLOR") == "", size: func() size {
		columns, rows, err := term.GetSize(int(file.Fd()))
		if err != nil || columns <= 0 || rows <= 0 {
			return size{80, 24}
		}
		return size{columns, rows}
	}}
}

const (
	cursorOff = "\x1b[?25l"
	cursorOn  = "\x1b[?25h"
	// Between these two a terminal shows nothing, so that no half frame is seen; those that don't know them ignore them.
	frameBegins = "\x1b[?2026h"
	frameEnds   = "\x1b[?2026l"
	clearRest   = "\x1b[K" // of the line
	clearBelow  = "\x1b[J"
	clearAll    = "\x1b[2J\x1b[H"
)

// show draws a frame, made for the terminal's present size.
func (t *terminal) show(frame func(size) []string) {
	var b strings.Builder
	b.WriteString(frameBegins + cursorOff)
	now := t.size()
	switch {
	case t.drawn > 0 && now != t.last:
		b.WriteString(clearAll) // old lines may have wrapped, nobody knows where the frame began
	case t.drawn > 0:
		fmt.Fprintf(&b, "\x1b[%dA", t.drawn)
	}
	lines := frame(now)
	for _, l := range lines {
		b.WriteString("\r" + l + clearRest + "\n")
	}
	b.WriteString(clearBelow + frameEnds)
	t.last, t.drawn = now, len(lines)
	_, _ = io.WriteString(t.out, b.String()) // a terminal that went away ends the demo by SIGHUP
}

// leave gives the cursor back, below the last frame.
func (t *terminal) leave() {
	_, _ = io.WriteString(t.out, cursorOn)
}
