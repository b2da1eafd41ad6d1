package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Steps tell how the start of the demo goes.
type steps struct {
	out      io.Writer
	terminal *terminal // nil when out is none
}

// slow is how long a step may take before it is said that it is under way.
const slow = 2 * time.Second

// do runs one step and says how long it took. While it takes long, a terminal
// shows the seconds, and anything else one line that says so.
func (s steps) do(name string, step func() error) error {
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- step() }()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	said := false
	for {
		s.underWay(name, time.Since(began), &said)
		select {
		case err := <-done:
			s.ended(name, time.Since(began), err)
			return err
		case <-tick.C:
		}
	}
}

func (s steps) underWay(name string, took time.Duration, said *bool) {
	if s.terminal != nil {
		columns := s.terminal.size().columns
		l := line{{text: "  … ", ink: yellow}, {text: pad(name, 58)}, {text: fmt.Sprintf("%6.0f s", took.Seconds()), ink: faint}}
		fmt.Fprint(s.out, "\r"+l.paint(columns-1, s.terminal.colour)+clearRest)
		return
	}
	if took >= slow && !*said {
		*said = true
		fmt.Fprintf(s.out, "  … %s\n", name)
	}
}

func (s steps) ended(name string, took time.Duration, err error) {
	mark := span{text: "  ✓ ", ink: green}
	switch {
	case errors.Is(err, context.Canceled): // Ctrl-C is no failure
		mark = span{text: "  – ", ink: faint}
	case err != nil:
		mark = span{text: "  ✗ ", ink: red}
	}
	l := line{mark, {text: pad(name, 58)}, {text: fmt.Sprintf("%6.1f s", took.Seconds()), ink: faint}}
	if s.terminal == nil {
		fmt.Fprintln(s.out, l.paint(1<<10, false))
		return
	}
	fmt.Fprint(s.out, "\r"+l.paint(s.terminal.size().columns-1, s.terminal.colour)+clearRest+"\n")
}
