package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotFollowed says that no load of that name is pushed to the scaler.
var ErrNotFollowed = errors.New("no such pushed load")

// A pushAddress is where an application sends one load.
type pushAddress struct{ scaler, load string }

// A letter is a load that was pushed.
type letter struct {
	value        float64
	at, received time.Time
}

// Push delivers a load that an application sent, as of a time; the zero time is
// now. The scaler is woken at once. The error wraps ErrNotFollowed when nobody
// waits for such a load, or says what is wrong with the value.
func (r *Readings) Push(scaler, load string, value float64, at time.Time) error {
	if _, err := sound(value, "the value is"); err != nil {
		return err
	}
	now := time.Now()
	if at.IsZero() || at.After(now) {
		at = now
	}
	to := pushAddress{scaler, load}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pollers[to]
	if p == nil {
		return fmt.Errorf("%w: LoadScaler %s has no load %s that is pushed", ErrNotFollowed, scaler, load)
	}
	r.letters[to] = letter{value, at, now}
	signal(p.nudged)
	return nil
}

// letter returns what was pushed last.
func (r *Readings) letter(to pushAddress) (letter, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.letters[to]
	return l, ok
}

func openPush(p place, load string) (Source, error) {
	return Source{from: pushAddress{p.scaler, load}}, nil
}

func (a pushAddress) connect(s surroundings) endpoint { return mailbox{a, s} }

// A mailbox answers with the last letter. It is asked once per interval, like
// everything else, so that a reading that grows old is noticed.
type mailbox struct {
	pushAddress
	surroundings
}

func (m mailbox) ask(context.Context, time.Duration) (answer, error) {
	l, ok := m.letter(m.pushAddress)
	if !ok {
		return answer{}, failed("nothing has been pushed yet")
	}
	return answer{number: &l.value, received: l.received, at: l.at}, nil
}

func (mailbox) close() {}
