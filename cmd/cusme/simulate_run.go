package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cusme.dev/cusme/internal/dashboard"
	"cusme.dev/cusme/internal/simulate"
)

// An outcome is what became of one entry on one trace.
type outcome struct {
	simulate.Result
	// bound is what the demand costs somebody who knows it beforehand.
	bound simulate.Bound
	// track is what happened over time; nil where nobody wants to see it.
	track *dashboard.Track
	// took is how long the replay ran.
	took time.Duration
}

// replay replays every trace under every entry, several at a time. Outcomes are
// in the order of traces, and of entries within each.
func (r *rehearsal) replay(ctx context.Context, p plan) ([]outcome, error) {
	outcomes := make([]outcome, len(p.traces)*len(p.entries))
	bounds := make([]simulate.Bound, len(p.traces))
	bar := newProgress(r.stderr, len(outcomes))
	defer bar.clear()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.parallel)
	for i, trace := range p.traces {
		group.Go(func() (err error) {
			bounds[i], err = simulate.Clairvoyant(ctx, p.entries[0].world, trace)
			return err
		})
		for j, e := range p.entries {
			n := i*len(p.entries) + j
			group.Go(func() error { return r.replayOne(ctx, job{trace, e, len(outcomes), bar.part(n)}, &outcomes[n]) })
		}
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil, errors.New("interrupted before everything was replayed; nothing was written")
	}
	for i := range outcomes {
		outcomes[i].bound = bounds[i/len(p.entries)]
	}
	return outcomes, err
}

// A job is one trace under one entry, of so many; done is how far it is.
type job struct {
	trace simulate.Trace
	entry
	of   int
	done *atomic.Uint32
}

func (r *rehearsal) replayOne(ctx context.Context, j job, out *outcome) (err error) {
	if r.chart || r.report != "" {
		out.track = dashboard.NewTrack(j.of)
	}
	began := time.Now()
	j.world.Observe = observe(j.trace, out.track, j.done)
	out.Result, err = j.world.Run(ctx, j.trace, j.Contender)
	out.took = time.Since(began)
	j.done.Store(whole)
	return err
}

// observe returns an observer that tells how far a replay is, and keeps its track.
func observe(t simulate.Trace, track *dashboard.Track, done *atomic.Uint32) func(*simulate.Moment) {
	return func(m *simulate.Moment) {
		if t.Span > 0 {
			done.Store(uint32(min(1, float64(m.At)/float64(t.Span)) * whole))
		}
		if track != nil {
			track.Add(momentOf(m))
		}
	}
}

// momentOf is what a page shows of a moment.
func momentOf(m *simulate.Moment) dashboard.Moment {
	out := dashboard.Moment{
		At: m.At, Load: m.Reading.Value, Unread: m.Reading.Problem != "",
		From: m.Sight.Replicas, To: m.Move.Replicas, Ready: m.Ready, Starting: m.Starting, Leaving: m.Leaving,
		Queued: m.Queued, Running: m.Running, Waiting: m.Waiting, Billed: m.Billed,
	}
	if m.Decision != nil {
		out.Reasons = m.Decision.Reasons
	}
	return out
}
