package main

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// whole is a part of a progress that is done.
const whole = 1000

// A progress shows on a terminal how far long work is that is done in parts,
// once it has taken longer than people like to wait without a word.
type progress struct {
	parts []atomic.Uint32
	bar   *progressbar.ProgressBar
	end   chan struct{}
	ended sync.WaitGroup
}

// newProgress begins one of several equal parts. Where w is no terminal nothing is shown.
func newProgress(w io.Writer, parts int) *progress {
	p := &progress{parts: make([]atomic.Uint32, parts), end: make(chan struct{})}
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	p.bar = progressbar.NewOptions(whole*parts, progressbar.OptionSetWriter(w), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(40), progressbar.OptionSetDescription("replaying"), progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false))
	p.ended.Go(p.show)
	return p
}

// part is where one part's work says how much of it is done, 0 to whole.
func (p *progress) part(i int) *atomic.Uint32 { return &p.parts[i] }

// show draws the bar from time to time, the first time after a while.
func (p *progress) show() {
	wait := time.NewTimer(slow)
	defer wait.Stop()
	for {
		select {
		case <-p.end:
			_ = p.bar.Clear() // a terminal that is gone is no fault of ours
			return
		case <-wait.C:
			_ = p.bar.Set(p.done())
			wait.Reset(200 * time.Millisecond)
		}
	}
}

func (p *progress) done() int {
	sum := 0
	for i := range p.parts {
		sum += int(p.parts[i].Load())
	}
	return sum
}

// clear takes the bar off the terminal.
func (p *progress) clear() {
	close(p.end)
	p.ended.Wait()
}
