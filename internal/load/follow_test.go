package load

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

func TestFollowTheSameDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		for range 5 {
			s.follow(t, "scaler", nil, loadOf("backend", "a", "body.load"))
		}
		if n := len(s.backends["a"].times()); n != 1 || s.opened.Load() != 1 {
			t.Errorf("asked %d times, opened %d times; want 1 and 1", n, s.opened.Load())
		}
	})
}

// TestFollowSomethingElse swaps what changed, and keeps the readings and polls
// of what did not.
func TestFollowSomethingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		woken := 0
		wake := func() { woken++ }
		one, two := loadOf("one", "a", "body.load"), loadOf("two", "b", "body.load")
		s.follow(t, "scaler", wake, one, two)
		s.backends["b"].takes = time.Second

		one.Type = v1alpha1.Total // not about reading
		s.follow(t, "scaler", wake, two, one)
		s.expect(t, "scaler", "two 0.5", "one 0.5")

		two.HTTP.Value = "body.other" // same endpoint, other number
		s.follow(t, "scaler", wake, one, two)
		s.expect(t, "scaler", "one 0.5", "two 7")
		if a, b := len(s.backends["a"].times()), len(s.backends["b"].times()); a != 1 || b != 1 {
			t.Errorf("asked %d and %d times, want once each", a, b)
		}

		s.follow(t, "scaler", wake, one)
		wait(2 * interval)
		s.expect(t, "scaler", "one 0.5")
		if n := len(s.backends["b"].times()); n != 1 {
			t.Errorf("asked what nobody follows, %d times", n)
		}
	})
}

// TestNewIntervalKeepsTheReading: until the new poller has an answer, the old
// one's is still the newest there is.
func TestNewIntervalKeepsTheReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		loads := []v1alpha1.Load{loadOf("backend", "a", "body.load")}
		s.follow(t, "scaler", nil, loads...)
		s.backends["a"].takes = time.Second
		if err := s.Follow("scaler", loads, time.Minute, nil); err != nil {
			t.Fatal(err)
		}
		s.expect(t, "scaler", "backend 0.5")
		wait(10 * time.Minute)
		if n := len(s.backends["a"].times()); n < 11 || n > 12 {
			t.Errorf("asked %d times in ten minutes, want every minute", n)
		}
	})
}

func TestLoadThatCannotBeOpenedEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		good := loadOf("good", "a", "body.load")
		s.follow(t, "scaler", nil, good)
		err := s.Follow("scaler", []v1alpha1.Load{good, loadOf("bad", "a", "body."), {Name: "none"}}, interval, nil)
		for _, want := range []string{"loads[bad].http.value: ", "loads[none]: "} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want it to name %s", err, want)
			}
		}
		wait(3 * interval)
		if n := len(s.backends["a"].times()); n != 1 || s.Latest("scaler") != nil {
			t.Errorf("asked %d times, reads %v; want nothing after the error", n, s.Latest("scaler"))
		}
		if err := s.Follow("scaler", []v1alpha1.Load{good}, 0, nil); err == nil || !strings.Contains(err.Error(), "interval: expected more than 0s, got 0s") {
			t.Errorf("got %v for no interval", err)
		}
		s.follow(t, "scaler", nil, good)
		s.expect(t, "scaler", "good 0.5")
	})
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		woken := 0
		s.follow(t, "gone", func() { woken++ }, loadOf("one", "a", "body.load"), loadOf("two", "b", "body.load"))
		s.follow(t, "stays", nil, loadOf("one", "a", "body.load"))
		s.Forget("gone")
		s.Forget("never there")
		before := woken
		wait(4 * interval)
		if s.Latest("gone") != nil || woken != before {
			t.Errorf("a forgotten scaler reads %v, and woke %d times more", s.Latest("gone"), woken-before)
		}
		if a, b := len(s.backends["a"].times()), len(s.backends["b"].times()); a != 5 || b != 1 {
			t.Errorf("asked %d and %d times, want 5 and 1", a, b)
		}
		if s.backends["b"].closed != 1 {
			t.Errorf("closed the forgotten endpoint %d times", s.backends["b"].closed)
		}
	})
}

// TestForgetDuringWake: a call under way is followed by no other.
func TestForgetDuringWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		woken := 0
		s.follow(t, "scaler", func() { woken++; time.Sleep(3 * interval) }, loadOf("one", "a", "body.load"))
		wait(2 * interval) // rung again meanwhile
		s.Forget("scaler")
		wait(3 * interval)
		if woken != 1 {
			t.Errorf("woke %d times, want 1", woken)
		}
	})
}

// TestForgetInWake: a scaler may be forgotten, and followed again, by its own wake.
func TestForgetInWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		done := make(chan bool, 1)
		s.follow(t, "scaler", func() { s.Forget("scaler"); s.Latest("scaler"); done <- true }, loadOf("one", "a", "body.load"))
		<-done
		s.expect(t, "scaler")
	})
}
