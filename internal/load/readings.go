package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// Readings keeps the newest reading of every load that somebody follows. It
// polls each distinct endpoint once per interval, however many loads of however
// many scalers read it. Besides, it asks single pods whether they are busy. All
// methods may be called at any time from anywhere.
type Readings struct {
	open    func(scaler string, loads []v1alpha1.Load) ([]Source, error)
	around  surroundings    // of every endpoint; nudge apart, which is each one's own
	context context.Context // ends with Close; pollers outlive every call that starts them
	end     context.CancelFunc
	running sync.WaitGroup
	toPods  *http.Transport            // to all pods that are asked whether they are busy
	reach   func(httpAddress) endpoint // one of them

	mu        sync.Mutex
	scalers   map[string]*follower
	pollers   map[address]*poller
	inquirers map[string]*inquirer
	rosters   map[string][]Pod // by scaler
}

// A follower is one scaler's loads.
type follower struct {
	spec    string // what was last followed, to see a change
	subs    []*subscription
	letters map[string]letter // the last one pushed, by load
	bell    bell
}

// A subscription is one load of one scaler. Its fields from reading on are
// guarded by Readings.mu.
type subscription struct {
	source   Source
	interval time.Duration
	follower *follower
	poller   *poller // nil for a formula, which is worked out from the others
	reading  scaling.Reading
	doubts   doubts
	judged   int // number of the attempt behind reading
}

// NewReadings returns an empty set. Close ends it.
func NewReadings(o Options) *Readings {
	ctx, end := context.WithCancel(context.Background())
	o.Door = o.door()
	r := &Readings{
		open:      func(scaler string, loads []v1alpha1.Load) ([]Source, error) { return OpenAll(scaler, loads, o) },
		context:   ctx,
		end:       end,
		toPods:    podTransport(o.Door.ToPods()),
		scalers:   map[string]*follower{},
		pollers:   map[address]*poller{},
		inquirers: map[string]*inquirer{},
		rosters:   map[string][]Pod{},
	}
	r.around = surroundings{Options: o, pods: r.roster, letter: r.letter}
	r.reach = func(a httpAddress) endpoint { return a.over(r.toPods, o) }
	return r
}

// Follow begins to read loads for a scaler, named as namespace/name, every
// interval, the first time at once. An endpoint that is polled already brings
// its latest answer at once; of several intervals the shortest counts.
//
// wake is called after every attempt to read one of the loads, good or bad: not
// in Follow, not under a lock, never twice at a time. Attempts that end during
// a call are followed by one more call, so that a slow wake delays no poll. It
// stays the one of the Follow that began; only Close must not be called in it.
//
// Following the same again does nothing. Following something else keeps the
// readings of sources that stay. The error names every load that could not be
// opened, and its field; then, and after Close, nothing is read for the scaler.
func (r *Readings) Follow(scaler string, loads []v1alpha1.Load, interval time.Duration, wake func()) error {
	spec, err := fingerprint(loads, interval)
	if err == nil && r.follows(scaler, spec) {
		return nil
	}
	sources, openErr := r.open(scaler, loads)
	if err := errors.Join(err, openErr); err != nil {
		r.Forget(scaler)
		return err
	}
	added, err := r.subscribe(scaler, plan{spec, sources, interval, wake})
	for _, s := range added {
		r.catchUp(s)
	}
	return err
}

// errClosed is what following after Close comes to.
var errClosed = errors.New("nothing is read any more: the readings are closed")

// A plan is what a scaler wants to follow, opened.
type plan struct {
	spec     string
	sources  []Source
	interval time.Duration
	wake     func()
}

// fingerprint tells one spec from another. Fields of a load that are not about
// reading count too; a change of theirs opens the same sources again, and that
// keeps every reading.
func fingerprint(loads []v1alpha1.Load, interval time.Duration) (string, error) {
	if interval <= 0 {
		return "", fmt.Errorf("interval: expected more than 0s, got %s", interval)
	}
	text, err := json.Marshal(loads)
	if err != nil {
		return "", fmt.Errorf("loads: %w", err)
	}
	return interval.String() + string(text), nil
}

func (r *Readings) follows(scaler, spec string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.scalers[scaler]
	return f != nil && f.spec == spec
}

// subscribe swaps the scaler's subscriptions and returns the new ones. New
// pollers start before old ones are let go, so that an endpoint which stays is
// not asked out of turn.
func (r *Readings) subscribe(scaler string, p plan) (added []*subscription, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.context.Err() != nil {
		return nil, errClosed
	}
	f := r.scalers[scaler]
	if f == nil {
		f = &follower{letters: map[string]letter{}, bell: bell{wake: p.wake}}
		r.scalers[scaler] = f
	}
	old := f.subs
	f.spec, f.subs = p.spec, make([]*subscription, len(p.sources))
	for i, source := range p.sources {
		kept := slices.IndexFunc(old, func(s *subscription) bool { return s.source.same(source) })
		if kept >= 0 && old[kept].source.from == source.from && old[kept].interval == p.interval && old[kept].source.within() == source.within() && old[kept].source.trust == source.trust {
			f.subs[i] = old[kept]
			continue
		}
		s := &subscription{source: source, interval: p.interval, follower: f, reading: pending(source.load)}
		if kept >= 0 {
			s.reading, s.doubts = old[kept].reading, old[kept].doubts
		}
		f.subs[i] = s
		if source.from != nil {
			r.join(s)
			added = append(added, s)
		}
	}
	for _, s := range old {
		if !slices.Contains(f.subs, s) {
			r.leave(s)
		}
	}
	f.drop()
	if len(f.askingPods()) == 0 {
		delete(r.rosters, scaler)
	}
	f.workOut()
	return added, nil
}

func pending(load string) scaling.Reading {
	return scaling.Reading{Load: load, Problem: scaling.Pending, Message: "it has not been read yet"}
}

// Latest returns the newest reading of each of a scaler's loads, in their
// order; Pending before the first attempt has ended, and nil for a scaler that
// nothing is read for. The slice is the caller's.
func (r *Readings) Latest(scaler string) []scaling.Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.scalers[scaler]
	if f == nil {
		return nil
	}
	return f.readings()
}

// Forget stops reading for a scaler, and asking its pods; their answers are
// dropped. No call of a wake of its begins afterwards; one may still be under way.
func (r *Readings) Forget(scaler string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dismiss(scaler)
	f := r.scalers[scaler]
	if f == nil {
		return
	}
	delete(r.scalers, scaler)
	delete(r.rosters, scaler)
	f.bell.silent = true
	for _, s := range f.subs {
		r.leave(s)
	}
}

// Close ends all polling and all inquiries, and returns when every goroutine has
// ended. Latest still answers; what pods answered is dropped.
func (r *Readings) Close() {
	r.mu.Lock()
	r.end()
	for _, f := range r.scalers {
		f.bell.silent = true
	}
	for scaler := range r.inquirers {
		r.dismiss(scaler)
	}
	r.mu.Unlock()
	r.running.Wait()
	r.toPods.CloseIdleConnections()
}
