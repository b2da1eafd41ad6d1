package ticklog

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"cusme.dev/cusme/internal/scaling"
)

// Options of a Log.
type Options struct {
	// Path is the file; it is created, readable for its owner only, or added to. - is Out.
	Path string
	// Out is where lines go that are to go to no file.
	Out io.Writer
	// MaxBytes is the size beyond which a file is moved to Path.1, in place of the
	// one before, and begun anew: both together take up no more than twice that.
	MaxBytes int64
	// Pods has lines hold every pod, a hundred and fifty bytes each.
	Pods bool
	// Log is told when lines are lost.
	Log logr.Logger
}

const (
	// backlog is how many lines wait to be written: a second's of ten thousand LoadScalers.
	backlog = 1000
	// farewell is how long the last lines may take.
	farewell = time.Second
)

// A Log writes lines in the background: no decision waits for a disk, or for
// whoever reads a pipe. Lines that come while a thousand wait are lost, and so
// are those that cannot be written; the log of the program says how many. A nil
// Log keeps nothing.
type Log struct {
	options Options
	lines   chan []byte
	lost    atomic.Int64
	end     chan struct{}
	ending  sync.Once
	ended   chan struct{}
}

// Open opens a log. Close ends it.
func Open(o Options) (*Log, error) {
	out := o.Out
	if o.Path != "-" {
		f, err := openFile(o.Path, o.MaxBytes)
		if err != nil {
			return nil, fmt.Errorf("tick log: %w", err)
		}
		out = f
	}
	l := &Log{options: o, lines: make(chan []byte, backlog), end: make(chan struct{}), ended: make(chan struct{})}
	go l.run(out)
	return l, nil
}

// Write adds a tick. It never waits, and may be called from anywhere.
func (l *Log) Write(t scaling.Tick) {
	if l == nil {
		return
	}
	text, err := encode(t, l.options.Pods)
	if err != nil {
		l.options.Log.Error(err, "a line of the tick log cannot be written", "scaler", t.Scaler)
		return
	}
	select {
	case <-l.end:
	case l.lines <- text:
	default:
		l.lost.Add(1)
	}
}

// Close writes what still waits, for up to a second. What is written later is lost.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.ending.Do(func() { close(l.end) })
	select {
	case <-l.ended:
	case <-time.After(farewell):
	}
}

func (l *Log) run(out io.Writer) {
	defer close(l.ended)
	if c, ok := out.(*file); ok {
		defer c.close()
	}
	failing := false
	for text := range l.waiting {
		_, err := out.Write(text)
		switch {
		case err == nil:
			if lost := l.lost.Swap(0); lost > 0 {
				l.options.Log.Info("lines of the tick log were lost", "lines", lost)
			}
		case !failing:
			l.options.Log.Error(err, "the tick log cannot be written: lines are lost until it can")
			fallthrough
		default:
			l.lost.Add(1)
		}
		failing = err != nil
	}
}

// waiting yields lines as they come, and at the end those that are left.
func (l *Log) waiting(yield func([]byte) bool) {
	for {
		select {
		case text := <-l.lines:
			if !yield(text) {
				return
			}
			continue
		case <-l.end:
		}
		for len(l.lines) > 0 {
			if !yield(<-l.lines) {
				return
			}
		}
		return
	}
}
