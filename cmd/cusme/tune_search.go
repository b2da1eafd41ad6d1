package main

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

const (
	// worlds is in how many the finalists are replayed, each with other starts of pods.
	worlds = 5
	// runnersUp is how many of the cheapest settings that meet the wish get their knobs turned, or are looked at again, beside the front.
	runnersUp = 6
)

// A found is what the search came to.
type found struct {
	// tried holds all settings, the present one first, and first what they made of the first part of the history.
	tried []setting
	first []simulate.Score
	// front are those that are the best of their cost.
	front []int
	// finals are those that were replayed to the end, by cost.
	finals []final
	choice simulate.Choice // among finals
	// spreads are how far the figures of the recommended setting and of the file's depend on chance.
	spreads struct{ best, present simulate.Spread }
	// bounds are those of somebody who knows each part beforehand.
	bounds [2]simulate.Bound
}

// A final is what a setting made of the whole history.
type final struct {
	setting int // of tried
	// worlds are its blocks in each world; last is their score where it was held out, met in how many it meets the wish there.
	worlds [][]simulate.Block
	last   simulate.Score
	met    int
}

// spread is how far its figures depend on which days the history happens to hold.
func (f final) spread(task task, seed uint64) simulate.Spread {
	return simulate.Bootstrap(f.worlds, task.wish.Percentile, seed)
}

// best is the recommended one.
func (f found) best() final { return f.finals[f.choice.Index] }

// present is the one of the file.
func (f found) present() final {
	return f.finals[slices.IndexFunc(f.finals, func(o final) bool { return o.setting == 0 })]
}

// search tries settings on the first part: shapes of the policy, then the other
// knobs of the best of them. The best of all are replayed to the end.
func (t *tuner) search(ctx context.Context, task task) (found, error) {
	s := settings{of: t.of(task)}
	s.add(&task.scaler.Spec)
	task.shapes(&s)
	beginning := task
	beginning.trace = task.trace.Until(task.split())
	first, err := t.scores(ctx, beginning, s.all)
	if err != nil {
		return found{}, err
	}
	work := first[0].Offered.Seconds() / beginning.trace.Span.Seconds()
	tried := len(s.all)
	for _, i := range simulate.Finalists(first, task.wish, runnersUp) {
		s.turns(s.all[i], work)
	}
	more, err := t.scores(ctx, beginning, s.all[tried:])
	if err != nil {
		return found{}, err
	}
	return t.decide(ctx, task, found{tried: s.all, first: append(first, more...)})
}

// scores replays a trace under settings.
func (t *tuner) scores(ctx context.Context, task task, all []setting) ([]simulate.Score, error) {
	out := make([]simulate.Score, len(all))
	err := t.replays(ctx, task.trace, len(all), func(ctx context.Context, i int, seen func(*simulate.Moment)) error {
		blocks, err := replayed(ctx, task, all[i], t.model.seed, seen)
		out[i] = simulate.ScoreOf(blocks, task.wish.Percentile)
		return err
	})
	return out, err
}

func replayed(ctx context.Context, task task, s setting, seed uint64, seen func(*simulate.Moment)) ([]simulate.Block, error) {
	s.world.Seed, s.world.Observe = seed, seen
	c := simulate.Cusme(s.String(), s.policy)
	c.Every = s.every()
	return s.world.RunInBlocks(ctx, task.trace, c, task.block)
}

// A replay is one of several; seen is to see how far it is.
type replay func(ctx context.Context, i int, seen func(*simulate.Moment)) error

// replays replays a trace so many times, several at a time, under a bar of progress.
func (t *tuner) replays(ctx context.Context, trace simulate.Trace, n int, one replay) error {
	bar := newProgress(t.stderr, n)
	defer bar.clear()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(t.parallel)
	for i := range n {
		group.Go(func() error { return one(ctx, i, observe(trace, nil, bar.part(i))) })
	}
	return group.Wait()
}

// decide replays the best settings to the end, and chooses.
func (t *tuner) decide(ctx context.Context, task task, f found) (found, error) {
	f.front = simulate.Front(f.first)
	picked := f.picked(task.wish)
	f.finals = make([]final, len(picked))
	for i, n := range picked {
		f.finals[i] = final{setting: n, worlds: make([][]simulate.Block, worlds)}
	}
	err := t.replays(ctx, task.trace, len(picked)*worlds, func(ctx context.Context, i int, seen func(*simulate.Moment)) (err error) {
		final, world := &f.finals[i/worlds], i%worlds
		final.worlds[world], err = replayed(ctx, task, f.tried[final.setting], t.model.seed+uint64(world), seen)
		return err
	})
	if err != nil {
		return f, err
	}
	first, last := make([]simulate.Score, len(picked)), make([]simulate.Score, len(picked))
	for i := range f.finals {
		f.finals[i].judge(task)
		first[i], last[i] = f.first[picked[i]], f.finals[i].last
	}
	f.choice = simulate.Recommend(first, last, task.wish)
	f.spreads.best, f.spreads.present = f.best().spread(task, t.model.seed), f.present().spread(task, t.model.seed)
	f.bounds, err = bounds(ctx, task, f.tried[0].world)
	return f, err
}

// picked are the settings to replay to the end: the finalists, and the present one.
func (f found) picked(wish scaling.Objective) []int {
	picked := simulate.Finalists(f.first, wish, runnersUp)
	if slices.Contains(picked, 0) {
		return picked
	}
	dearer := slices.IndexFunc(picked, func(i int) bool { return f.first[i].Billed > f.first[0].Billed })
	if dearer < 0 {
		dearer = len(picked)
	}
	return slices.Insert(picked, dearer, 0)
}

// judge works out what the worlds of a final say.
func (f *final) judge(task task) {
	var held []simulate.Block
	for _, blocks := range f.worlds {
		held = append(held, blocks[task.cut:]...)
		if simulate.ScoreOf(blocks[task.cut:], task.wish.Percentile).Meets(task.wish) {
			f.met++
		}
	}
	f.last = simulate.ScoreOf(held, task.wish.Percentile)
	f.last.Billed /= worlds
	f.last.Offered /= worlds
}

// bounds are those of both parts.
func bounds(ctx context.Context, task task, w simulate.World) (both [2]simulate.Bound, err error) {
	for i, part := range []simulate.Trace{task.trace.Until(task.split()), task.trace.From(task.split())} {
		if both[i], err = simulate.Clairvoyant(ctx, w, part); err != nil {
			return both, err
		}
	}
	return both, nil
}

// A sureness is how far the recommendation can be trusted, and why no further.
type sureness struct {
	Level   string   `json:"level"` // high, fair or low
	Because []string `json:"because"`
}

// sure judges the recommended setting.
func (t task) sure(f found) sureness {
	best, s := f.best(), sureness{Level: "high", Because: []string{}}
	doubt := func(level, why string) {
		if s.Level != "low" {
			s.Level = level
		}
		s.Because = append(s.Because, why)
	}
	switch span := t.trace.Span; {
	case span < day:
		doubt("low", "the history is shorter than a day: hours that are not in it are not judged")
	case span < 7*day:
		doubt("fair", "the history is shorter than a week: weekdays that are not in it are not judged")
	}
	if t.inferred {
		doubt("fair", "the requests are worked out from a load: they may have come in sharper bursts")
	}
	if !f.choice.Meets {
		doubt("low", "no setting met the wish on both parts")
	}
	switch {
	case 2*best.met < worlds:
		doubt("low", "it missed the wish on the held-out part in most worlds")
	case best.met < worlds:
		doubt("fair", "it missed the wish on the held-out part in some worlds")
	}
	if !(simulate.Score{Over: f.spreads.best.Over.High}).Meets(t.wish) {
		doubt("fair", "it would miss the wish in histories that hold more of this one's bad parts")
	}
	return s
}
