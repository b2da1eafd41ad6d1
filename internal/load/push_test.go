package load

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// pushKind is told its number, by a call of its own.
var pushKind = kind{
	tells: func(t *testing.T, number string, at time.Time) scaling.Reading {
		t.Helper()
		r := NewReadings(Options{Door: anyDoor})
		defer r.Close()
		woken := make(chan struct{}, 2)
		if err := r.Follow("shop/webui", []v1alpha1.Load{pushedLoad("backend")}, time.Hour, func() { woken <- struct{}{} }); err != nil {
			t.Fatal(err)
		}
		<-woken // nothing was pushed yet
		value, err := strconv.ParseFloat(number, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			t.Fatal(err)
		}
		if err := r.Push("shop/webui", "backend", value, at); err != nil {
			return problem("backend", err)
		}
		<-woken
		return r.Latest("shop/webui")[0]
	},
	cannot: map[string]string{
		"number/none": "there is no call without a number; internal/push refuses such a request",
		"answer":      "nothing is asked, so nothing answers",
		"status":      "nothing is asked, so nothing answers",
		"connection":  "nothing is asked, so nothing answers",
		"redirect":    "nothing is asked, so nothing answers",
		"tls":         "nothing is connected to; internal/push has a certificate of its own",
		"credentials": "nothing is connected to; internal/push reviews the sender's",
	},
}

func pushedLoad(name string) v1alpha1.Load {
	return v1alpha1.Load{Name: name, Push: &v1alpha1.PushSource{}}
}

func (s *stage) push(t *testing.T, load string, value float64, at time.Time) {
	t.Helper()
	if err := s.Push("shop/webui", load, value, at); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// TestPushWakesAtOnce: no interval passes between a push and its wake, and the
// reading keeps the time it was told.
func TestPushWakesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		var woken atomic.Int32
		s.follow(t, "shop/webui", func() { woken.Add(1) }, pushedLoad("backend"))
		begun := time.Now()
		for i, value := range []float64{0.9, 0, 0.3} {
			s.push(t, "backend", value, time.Time{})
			if got := s.Latest("shop/webui")[0]; got.Value != value || got.Problem != "" || !got.At.Equal(begun) || woken.Load() != int32(i+2) {
				t.Errorf("after a push of %v: %+v, woken %d times", value, got, woken.Load())
			}
		}
		wait(10 * interval)
		if got := s.Latest("shop/webui")[0]; got.Value != 0.3 || !got.At.Equal(begun) || woken.Load() < 12 {
			t.Errorf("without a push: %+v, woken %d times; want the same, old, and a wake per interval", got, woken.Load())
		}
	})
}

// TestPushDuringAnAttempt: the poll loop is in the middle of an earlier letter.
func TestPushDuringAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.follow(t, "shop/webui", nil, pushedLoad("backend"))
		last := s.around.letter
		held, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		s.around.letter = func(to pushAddress) (letter, bool) {
			l, ok := last(to)
			once.Do(func() { close(held); <-release })
			return l, ok
		}
		s.Forget("shop/webui")
		s.follow(t, "shop/webui", nil, pushedLoad("backend"))
		<-held
		s.push(t, "backend", 0.7, time.Time{})
		s.push(t, "backend", 0.8, time.Time{})
		close(release)
		synctest.Wait()
		s.expect(t, "shop/webui", "backend 0.8")
	})
}

func TestLateLettersReplaceNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.follow(t, "shop/webui", nil, pushedLoad("backend"))
		now := time.Now()
		s.push(t, "backend", 0.8, now.Add(-time.Second))
		s.push(t, "backend", 0.2, now.Add(-2*time.Second))
		s.expect(t, "shop/webui", "backend 0.8")
		s.push(t, "backend", 0.9, now.Add(-time.Second))
		s.expect(t, "shop/webui", "backend 0.9")
	})
}

// TestNothingPushedYet: silence is no news at first, and after as long as a
// reading would be believed it is told. A new cusme must not take an application
// that sends every minute for a dead one.
func TestNothingPushedYet(t *testing.T) {
	for name, c := range map[string]struct {
		staleAfter *metav1.Duration
		patience   time.Duration
	}{
		"by default three intervals": {nil, 3 * interval},
		"as long as staleAfter says": {&metav1.Duration{Duration: 20 * interval}, 20 * interval},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := newStage(t), pushedLoad("backend")
				l.StaleAfter = c.staleAfter
				s.follow(t, "shop/webui", nil, l)
				wait(c.patience - time.Millisecond)
				s.expect(t, "shop/webui", "backend 0 Pending")
				wait(interval)
				s.expect(t, "shop/webui", "backend 0 Stale")
				if got := s.Latest("shop/webui")[0].Message; !strings.Contains(got, "nothing has been pushed yet; it is sent to POST /v1/loads/shop/webui") {
					t.Errorf("says %q", got)
				}
			})
		})
	}
}

func TestPushIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		s.follow(t, "shop/webui", nil, pushedLoad("one"), pushedLoad("two"), loadOf("read", "a", "body.load"))
		for name, c := range map[string]struct {
			scaler, load string
			value        float64
			ahead        time.Duration
			unknown      bool
			says         string
		}{
			"another scaler":   {scaler: "shop/none", load: "one", unknown: true, says: "nothing is pushed to LoadScaler shop/none"},
			"another load":     {scaler: "shop/webui", load: "three", unknown: true, says: `LoadScaler shop/webui has no load "three" that is pushed`},
			"one that is read": {scaler: "shop/webui", load: "read", unknown: true, says: `no load "read" that is pushed`},
			"which of two":     {scaler: "shop/webui", says: "expected the name of one of the 2 loads"},
			"negative":         {scaler: "shop/webui", load: "one", value: -1, says: "the value is -1, expected 0 or more"},
			"NaN":              {scaler: "shop/webui", load: "one", value: math.NaN(), says: "the value is NaN"},
			"infinite":         {scaler: "shop/webui", load: "one", value: math.Inf(1), says: "without bounds"},
			"far ahead":        {scaler: "shop/webui", load: "one", ahead: 2 * clockSkew, says: "observedAt is 2m0s ahead of cusme's clock"},
		} {
			err := s.Push(c.scaler, c.load, c.value, time.Now().Add(c.ahead))
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, ErrNotFollowed) != c.unknown {
				t.Errorf("%s: got %v, want %q", name, err, c.says)
			}
		}
		s.expect(t, "shop/webui", "one 0 Pending", "two 0 Pending", "read 0.5")
		s.follow(t, "shop/webui", nil, pushedLoad("two"))
		s.push(t, "", 0.4, time.Time{})
		s.expect(t, "shop/webui", "two 0.4")
	})
}

// TestLettersAreKept while somebody follows, and no longer.
func TestLettersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, one := newStage(t), pushedLoad("one")
		s.follow(t, "shop/webui", nil, one, pushedLoad("two"))
		s.push(t, "one", 0.1, time.Time{})
		s.push(t, "two", 0.2, time.Time{})

		one.StaleAfter = &metav1.Duration{Duration: time.Hour}
		s.follow(t, "shop/webui", nil, one)
		s.expect(t, "shop/webui", "one 0.1")
		s.follow(t, "shop/webui", nil, one, pushedLoad("two"))
		s.expect(t, "shop/webui", "one 0.1", "two 0 Pending")

		s.Forget("shop/webui")
		if err := s.Push("shop/webui", "one", 0.1, time.Time{}); !errors.Is(err, ErrNotFollowed) {
			t.Errorf("got %v for a push that nobody waits for", err)
		}
		s.follow(t, "shop/webui", nil, one)
		s.expect(t, "shop/webui", "one 0 Pending")
	})
}

// TestPushedLoadsCannotBeAsked: a probe has nobody to ask.
func TestPushedLoadsCannotBeAsked(t *testing.T) {
	source, err := openOne(pushedLoad("backend"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := source.Read(context.Background(), Options{}); got.Problem != scaling.Failed || !strings.Contains(got.Message, "its application sends it") {
		t.Errorf("got %+v", got)
	}
}
