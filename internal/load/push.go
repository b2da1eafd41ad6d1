package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// ErrNotFollowed says that no load of that name is pushed to the scaler.
var ErrNotFollowed = errors.New("no such pushed load")

// Push delivers a load that an application sent, as of a time; the zero time is
// now. The load's name may be left out when only one load of the scaler is
// pushed. The scaler is woken at once. Of several letters the one with the
// latest time counts, so that one which was long on its way replaces none.
//
// The error wraps ErrNotFollowed when nobody waits for such a load, or says what
// is wrong with the value or its time.
func (r *Readings) Push(scaler, load string, value float64, at time.Time) error {
	l, err := newLetter(value, at)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.scalers[scaler]
	s, err := f.addressee(scaler, load)
	if err != nil {
		return err
	}
	if last, ok := f.letters[s.source.load]; ok && l.at.Before(last.at) {
		return nil
	}
	f.letters[s.source.load] = l
	signal(s.poller.nudged)
	return nil
}

// A letter is a load that was pushed.
type letter struct {
	value        float64
	at, received time.Time
}

// newLetter refuses what no load can be. Clocks differ a little, so a time
// slightly ahead counts as now.
func newLetter(value float64, at time.Time) (letter, error) {
	now := time.Now()
	if _, err := sound(value, "the value is"); err != nil {
		return letter{}, err
	}
	switch ahead := at.Sub(now); {
	case ahead > clockSkew:
		return letter{}, invalid("observedAt is %s ahead of cusme's clock, so the age of the load is unknown: check the clocks of both", ahead.Round(time.Second))
	case ahead > 0 || at.IsZero():
		at = now
	}
	return letter{value, at, now}, nil
}

// addressee finds the load that a letter is for. r.mu is held; f may be nil.
func (f *follower) addressee(scaler, load string) (*subscription, error) {
	if f == nil {
		return nil, fmt.Errorf("%w: nothing is pushed to LoadScaler %s", ErrNotFollowed, scaler)
	}
	var found []*subscription
	for _, s := range f.subs {
		if s.pushed() && (load == "" || load == s.source.load) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("load: expected the name of one of the %d loads that are pushed to LoadScaler %s, got none", len(found), scaler)
	case load == "":
		return nil, fmt.Errorf("%w: nothing is pushed to LoadScaler %s", ErrNotFollowed, scaler)
	default:
		return nil, fmt.Errorf("%w: LoadScaler %s has no load %q that is pushed", ErrNotFollowed, scaler, load)
	}
}

func (s *subscription) pushed() bool {
	_, ok := s.source.from.(pushAddress)
	return ok
}

// drop lets go of letters whose load is pushed no more. r.mu is held.
func (f *follower) drop() {
	for load := range f.letters {
		if _, err := f.addressee("", load); err != nil {
			delete(f.letters, load)
		}
	}
}

// letter returns what was pushed last.
func (r *Readings) letter(to pushAddress) (letter, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.scalers[to.scaler]
	if f == nil {
		return letter{}, false
	}
	l, ok := f.letters[to.load]
	return l, ok
}

// A pushAddress is where an application sends one load.
type pushAddress struct {
	scaler, load string
	// patience is for how long the first letter is waited for; 0 is as long as
	// a reading is believed when nothing is said of it.
	patience time.Duration
}

const (
	// patientIntervals is the default of staleAfter, in intervals.
	patientIntervals = 3
	// wholeInterval is longer than any interval: an attempt takes no time, so it
	// may as well know all of it.
	wholeInterval = 24 * time.Hour
)

// lasting is where answers come from, without how long the first is waited for:
// another patience makes no difference to the load.
func lasting(from address) address {
	if a, ok := from.(pushAddress); ok {
		a.patience = 0
		return a
	}
	return from
}

// openPush waits for a load's first letter as long as for every later one.
func openPush(p place, load string) (Source, error) {
	a := pushAddress{scaler: p.scaler, load: load}
	for _, l := range p.loads {
		if l.Name == load && l.StaleAfter != nil {
			a.patience = l.StaleAfter.Duration
		}
	}
	return Source{from: a, timeout: wholeInterval}, nil
}

func (a pushAddress) connect(s surroundings) endpoint { return mailbox{a, s.letter, time.Now()} }

// A mailbox answers with the last letter. It is asked once per interval, like
// everything else, so that a reading that grows old is noticed.
type mailbox struct {
	pushAddress
	last  func(pushAddress) (letter, bool)
	since time.Time
}

func (m mailbox) ask(_ context.Context, interval time.Duration) (answer, error) {
	if m.last == nil {
		return answer{}, failed("a pushed load cannot be asked for: its application sends it to the controller")
	}
	if l, ok := m.last(m.pushAddress); ok {
		return answer{number: &l.value, received: l.received, at: l.at}, nil
	}
	return answer{}, m.silence(interval)
}

// silence is the fault of having no letter. At first that is no news. Then the
// application is silent, which is the same as when it stops after many letters.
func (m mailbox) silence(interval time.Duration) error {
	patience := m.patience
	if patience == 0 {
		patience = patientIntervals * interval
	}
	state := scaling.Pending
	if time.Since(m.since) >= patience {
		state = scaling.Stale
	}
	return fault{state, fmt.Errorf("nothing has been pushed yet; it is sent to POST /v1/loads/%s of the controller", m.scaler)}
}

func (mailbox) close() {}
