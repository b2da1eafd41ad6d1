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
	// track is what happened over time; nil where nobody wants to see it.
	track *dashboard.Track
	// took is how long the replay ran.
	took time.Duration
}

// replay replays every trace under every entry, several at a time. Outcomes are
// in the order of traces, and of entries within each.
func (r *rehearsal) replay(ctx context.Context, p plan) ([]outcome, error) {
	outcomes := make([]outcome, len(p.traces)*len(p.entries))
	bar := newProgress(r.stderr, len(outcomes))
	defer bar.clear()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.parallel)
	for i := range outcomes {
		trace, e := p.traces[i/len(p.entries)], p.entries[i%len(p.entries)]
		if r.chart || r.report != "" {
			outcomes[i].track = dashboard.NewTrack(len(outcomes))
		}
		group.Go(func() (err error) {
			began := time.Now()
			e.world.Observe = observe(trace, outcomes[i].track, bar.part(i))
			outcomes[i].Result, err = e.world.Run(ctx, trace, e.Contender)
			outcomes[i].took = time.Since(began)
			return err
		})
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil, errors.New("interrupted before everything was replayed; nothing was written")
	}
	return outcomes, err
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
