package load

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

var errDown = failed("http://a answered 500")

// gaps are the times between requests, the first of which stands before it.
func gaps(b *backend) []time.Duration {
	at := b.times()
	out := make([]time.Duration, len(at))
	for i := 1; i < len(at); i++ {
		out[i] = at[i] - at[i-1]
	}
	return out
}

// TestBackoff wants what fails asked at the next point of the grid, then after
// up to two intervals, then after up to four; and every interval again from its
// first answer on.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a", "fine")
		s.follow(t, "scaler", nil, loadOf("one", "a", "body.load"), loadOf("two", "fine", "body.load"))
		wait(2 * interval) // on the grid now
		good := len(s.backends["a"].times())
		s.backends["a"].now("", errDown)
		wait(40 * interval)
		got := gaps(s.backends["a"])[good:]
		for i, want := range []struct{ least, most time.Duration }{
			{interval, interval}, // the first failure
			{interval, interval}, // after one
			{interval, 2 * interval},
			{3 * interval, 4 * interval},
			{3 * interval, 4 * interval},
			{3 * interval, 4 * interval},
		} {
			if got[i] < want.least || got[i] > want.most {
				t.Errorf("failure %d: asked %s after the one before, want %s to %s", i, got[i], want.least, want.most)
			}
		}
		if got[3] == got[4] && got[4] == got[5] {
			t.Errorf("pauses of %s: want them to differ", got[3:6])
		}
		s.backends["a"].now(`{"load": 0.6}`, nil)
		wait(4 * interval)
		s.expect(t, "scaler", "one 0.6", "two 0.5")
		back := len(gaps(s.backends["a"]))
		wait(5 * interval)
		if got := gaps(s.backends["a"])[back:]; len(got) != 5 {
			t.Errorf("asked %d times in five intervals after it was back", len(got))
		}
		if n := len(s.backends["fine"].times()); n != 1+51 {
			t.Errorf("its healthy neighbour was asked %d times in 51 intervals", n)
		}
	})
}

// TestInvalidAnswersAreAnswers: an endpoint that answers is asked every interval,
// whatever it answers.
func TestInvalidAnswersAreAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		s.backends["a"].now(`{"lead": 1}`, nil)
		s.follow(t, "scaler", nil, loadOf("one", "a", "body.load"))
		wait(5 * interval)
		s.backends["a"].now("", invalid("http://a answered more than 1024 KiB"))
		wait(5 * interval)
		if n := len(s.backends["a"].times()); n != 11 {
			t.Errorf("asked %d times in ten intervals, want 11", n)
		}
	})
}

// TestRetryAfterIsObeyed: not sooner than it says, and than the backoff would
// be; but no later than four intervals, whatever it says.
func TestRetryAfterIsObeyed(t *testing.T) {
	for name, c := range map[string]struct{ wait, least, most time.Duration }{
		"shorter than the interval": {time.Second, interval, interval},
		"two and a half intervals":  {5 * interval / 2, 5 * interval / 2, 3 * interval},
		"an hour":                   {time.Hour, 4 * interval, 4 * interval},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, "a")
				s.follow(t, "scaler", nil, loadOf("one", "a", "body.load"))
				wait(2 * interval)
				before := len(s.backends["a"].times())
				s.backends["a"].now("", deferral{errDown, c.wait})
				wait(12 * interval)
				if got := gaps(s.backends["a"])[before+1]; got < c.least || got > c.most {
					t.Errorf("asked %s after its first refusal, want %s to %s", got, c.least, c.most)
				}
				s.expect(t, "scaler", "one 0.5 Failed")
			})
		})
	}
}

// TestNudgeWaitsForNothing: news of an endpoint that is left alone is followed at
// once.
func TestNudgeWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		s.backends["a"].now("", deferral{errDown, time.Hour})
		s.follow(t, "scaler", nil, loadOf("one", "a", "body.load"))
		wait(20 * interval)
		s.backends["a"].now(`{"load": 0.7}`, nil)
		before := len(s.backends["a"].times())
		s.nudge(s.backends["a"])
		synctest.Wait()
		s.expect(t, "scaler", "one 0.7")
		wait(3 * interval)
		if n := len(s.backends["a"].times()); n != before+4 {
			t.Errorf("asked %d times after the nudge, want at once and then every interval", n-before)
		}
	})
}

// TestShortestIntervalWins: whoever joins or leaves, an endpoint is asked once per
// shortest interval, and the change neither skips a turn nor doubles one.
func TestShortestIntervalWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		slow, fast := 4*interval, interval
		follow := func(scaler string, every time.Duration) {
			if err := s.Follow(scaler, []v1alpha1.Load{loadOf("one", "a", "body.load")}, every, nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		b := s.backends["a"]
		follow("slow", slow)
		wait(4 * slow)
		slowly := len(b.times())
		follow("fast", fast)
		wait(8 * fast)
		quickly := len(b.times())
		s.Forget("fast")
		wait(4 * slow)
		all := gaps(b)
		for i, gap := range all[2:] {
			if gap != fast && gap != slow && i+2 != slowly {
				t.Errorf("gap %d of %d is %s, want %s or %s", i+2, len(all), gap, slow, fast)
			}
		}
		if all[slowly] > slow || quickly-slowly < 8 || len(all)-quickly < 3 {
			t.Errorf("gaps %s, with one more eager from %d to %d", all, slowly, quickly)
		}
		for i := range 20 { // coming and going more often than anybody asks
			follow(fmt.Sprint("guest", i), fast)
			wait(fast / 2)
			s.Forget(fmt.Sprint("guest", i))
			wait(fast / 4)
		}
		for i, gap := range gaps(b)[len(all):] {
			if gap > slow || gap < fast {
				t.Errorf("with guests: gap %d is %s, want %s to %s", i, gap, fast, slow)
			}
		}
	})
}

// TestRetimedWhileLeftAlone: a more eager load does not wake what is left alone
// sooner than four of its intervals after the last time, and a patient one does
// not make it wait longer.
func TestRetimedWhileLeftAlone(t *testing.T) {
	now := noon
	r := newRhythm(time.Minute, now)
	for range 3 {
		r.after(errDown, now, now)
	}
	if r.due.Sub(now) < 3*time.Minute {
		t.Fatalf("due after %s", r.due.Sub(now))
	}
	r.retime(interval, now)
	if got := r.due.Sub(now); got != 4*interval {
		t.Errorf("due after %s, want four of the new intervals", got)
	}
	r.retime(time.Hour, now)
	if got := r.due.Sub(now); got != 4*interval {
		t.Errorf("due after %s with a longer interval, want no change", got)
	}
	r.after(nil, now, now)
	if got := r.due.Sub(now); r.failures != 0 || got > time.Hour {
		t.Errorf("due after %s and %d failures once it answers", got, r.failures)
	}
}

// TestWhatFails: only an attempt without an answer is a failure.
func TestWhatFails(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {invalid("no"), 0}, {fault{"Pending", errors.New("not yet")}, 0}, {failed("no"), 1}, {errors.New("of no kind"), 1},
		{fmt.Errorf("around: %w", deferral{failed("busy"), time.Second}), 1},
	} {
		r := newRhythm(interval, noon)
		if r.after(c.err, noon, noon); r.failures != c.want {
			t.Errorf("%v counts for %d failures, want %d", c.err, r.failures, c.want)
		}
	}
}
