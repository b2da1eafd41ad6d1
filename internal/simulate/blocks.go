package simulate

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Until is the beginning of a trace: the requests that arrive before a moment.
// What comes after it is never looked at.
func (t Trace) Until(end time.Duration) Trace {
	part := t
	part.Span = min(t.Span, end)
	part.Requests = func(seed uint64) iter.Seq2[Request, error] {
		return func(yield func(Request, error) bool) {
			for q, err := range t.Requests(seed) {
				if err == nil && q.At >= end || !yield(q, err) {
					return
				}
			}
		}
	}
	return part
}

// From is the end of a trace: the requests that arrive from a moment on, which is its beginning.
func (t Trace) From(begin time.Duration) Trace {
	part := t
	part.Span = max(0, t.Span-begin)
	if !t.Begin.IsZero() {
		part.Begin = t.Begin.Add(begin)
	}
	part.Requests = func(seed uint64) iter.Seq2[Request, error] {
		return func(yield func(Request, error) bool) {
			for q, err := range t.Requests(seed) {
				if err == nil && q.At < begin {
					continue
				}
				q.At -= begin
				if !yield(q, err) {
					return
				}
			}
		}
	}
	return part
}

// A Block is a part of a replay: what became of the requests that arrived
// within it, and what pods cost meanwhile.
type Block struct {
	// Requests counts them, Over those that waited longer than the world's Limit.
	Requests, Over int64
	// Offered is their service time, Billed the time of all pods within the block, to one look.
	Offered, Billed time.Duration
	// waits are those that were any, in milliseconds and to two digits; nil without.
	waits *hdrhistogram.Histogram
}

// RunInBlocks is Run, and tells blocks of one length apart. What is left to do
// after the trace's span belongs to the last one. It fails as Run does, and
// where the span is not known.
func (w World) RunInBlocks(ctx context.Context, t Trace, c Contender, length time.Duration) ([]Block, error) {
	if length <= 0 || t.Span <= 0 {
		return nil, fmt.Errorf("blocks of %s: expected a length and a span above 0s, got %s and %s", t.Name, length, t.Span)
	}
	b := blocks{length: length, limit: w.Limit, all: make([]Block, (t.Span+length-1)/length)}
	seen := w.Observe
	w.served = b.served
	w.Observe = func(m *Moment) {
		b.bill(m.At, m.Billed)
		if seen != nil {
			seen(m)
		}
	}
	result, err := w.Run(ctx, t, c)
	b.bill(result.Span, result.Billed)
	return b.all, err
}

// blocks collects them.
type blocks struct {
	length, limit time.Duration
	all           []Block
	billed        time.Duration // up to the last look
}

// at is the block of a moment.
func (b *blocks) at(t time.Duration) *Block {
	return &b.all[min(int(t/b.length), len(b.all)-1)]
}

// served takes a request in that was served after a wait.
func (b *blocks) served(q Request, wait time.Duration) {
	block := b.at(q.At)
	block.Requests++
	block.Offered += q.Service
	if wait > b.limit {
		block.Over++
	}
	if wait == 0 {
		return
	}
	if block.waits == nil {
		block.waits = newCoarse()
	}
	_ = block.waits.RecordValue(min(wait, longestWait).Milliseconds()) // cannot fail: within the bounds
}

// bill takes in what was billed since the last look.
func (b *blocks) bill(at, billed time.Duration) {
	b.at(at).Billed += billed - b.billed
	b.billed = billed
}

// newCoarse is a histogram of 28 kB: there are hundreds of blocks at a time.
func newCoarse() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longestWait.Milliseconds(), 2)
}
