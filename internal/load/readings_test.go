package load

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

const interval = 15 * time.Second

func TestFiftyScalersShareOnePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		var woken atomic.Int32
		for i := range 50 {
			value := []string{"body.load", "body.other"}[i%2]
			s.follow(t, fmt.Sprint("scaler", i), func() { woken.Add(1) }, loadOf("backend", "a", value))
		}
		wait(10 * interval)
		if n := len(s.backends["a"].times()); n != 11 {
			t.Errorf("asked %d times in ten intervals, want 11", n)
		}
		if n := woken.Load(); n != 50*11 {
			t.Errorf("woke %d times, want %d", n, 50*11)
		}
		s.expect(t, "scaler8", "backend 0.5")
		s.expect(t, "scaler9", "backend 7")
	})
}

// TestGrid wants the first poll at once, the second within an interval, and
// exactly one interval between all others.
func TestGrid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := make([]string, 40)
		for i := range hosts {
			hosts[i] = fmt.Sprint("h", i)
		}
		s := newStage(t, hosts...)
		for _, h := range hosts {
			s.follow(t, h, nil, loadOf("backend", h, "body.load"))
		}
		wait(5*interval + time.Nanosecond)
		phases := map[time.Duration]bool{}
		for _, h := range hosts {
			at := s.backends[h].times()
			if at[0] != 0 || at[1] < 0 || at[1] >= interval {
				t.Errorf("%s: first asked at %s and %s", h, at[0], at[1])
			}
			for i := 2; i < len(at); i++ {
				if gap := at[i] - at[i-1]; gap != interval {
					t.Errorf("%s: asked %s after the last time", h, gap)
				}
			}
			phases[at[1].Truncate(interval/4)] = true
		}
		if len(phases) < 4 { // all but certain with forty hosts: 4 × (3/4)^40 = 0.00004 misses a quarter
			t.Errorf("phases of forty endpoints fall into %v only", phases)
		}
	})
}

// TestSlowEndpointIsGivenUp: an attempt ends with the interval at the latest,
// and the next begins later, never at the same time.
func TestSlowEndpointIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "slow")
		s.backends["slow"].takes = 2*interval + interval/2
		slow := loadOf("backend", "slow", "body.load")
		slow.HTTP.Timeout = httpLoad("", 10*interval).HTTP.Timeout
		s.follow(t, "scaler", nil, slow)
		wait(interval + time.Nanosecond)
		s.expect(t, "scaler", "backend 0 Failed")
		wait(40 * interval)
		at := s.backends["slow"].times()
		for i := 2; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap <= interval || gap > longestPause*interval {
				t.Errorf("asked %s after the last time, want more than the interval it took", gap)
			}
		}
		if len(at) < 10 {
			t.Errorf("asked %d times only", len(at))
		}
	})
}

func TestHangingEndpointDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "hangs", "fine")
		s.backends["hangs"].takes = 1000 * time.Hour
		s.follow(t, "scaler", nil, loadOf("one", "hangs", "body.load"), loadOf("two", "fine", "body.load"))
		s.expect(t, "scaler", "one 0 Pending", "two 0.5")
		wait(10 * interval)
		if n := len(s.backends["fine"].times()); n != 11 {
			t.Errorf("the fine endpoint was asked %d times, want 11", n)
		}
		if r := s.Latest("scaler")[0]; r.Message == "" || !r.At.IsZero() {
			t.Errorf("got %+v, want a pending reading with a sentence", r)
		}
	})
}

// TestHangingWakeDelaysNoPoll: news during a slow wake become one more call.
func TestHangingWakeDelaysNoPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		var slow, quick atomic.Int32
		s.follow(t, "slow", func() { slow.Add(1); time.Sleep(4*interval + interval/2) }, loadOf("backend", "a", "body.load"))
		s.follow(t, "quick", func() { quick.Add(1) }, loadOf("backend", "a", "body.load"))
		wait(4 * interval)
		if slow.Load() != 1 || quick.Load() != 5 {
			t.Errorf("woke the slow %d times, the quick %d times; want 1 and 5", slow.Load(), quick.Load())
		}
		wait(interval)
		if slow.Load() != 2 {
			t.Errorf("woke the slow %d times, want 2: news came during its call", slow.Load())
		}
	})
}

func TestProblemKeepsTheLastGoodValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		woken := 0
		s.follow(t, "scaler", func() { woken++ }, loadOf("backend", "a", "body.load"))
		good := s.Latest("scaler")[0]
		s.backends["a"].now("", failed("http://a answered 500"))
		wait(interval)
		s.expect(t, "scaler", "backend 0.5 Failed")
		s.backends["a"].now("{}", nil)
		wait(interval)
		s.expect(t, "scaler", "backend 0.5 Invalid")
		bad := s.Latest("scaler")[0]
		if !bad.At.Equal(good.At) || bad.Message == "" {
			t.Errorf("got %+v, want the time of %+v and a message", bad, good)
		}
		s.backends["a"].now("", errors.New("of no declared kind"))
		wait(interval)
		s.expect(t, "scaler", "backend 0.5 Failed")
		s.backends["a"].now(`{"load": 0.6}`, nil)
		wait(interval)
		s.expect(t, "scaler", "backend 0.6")
		if last := s.Latest("scaler")[0]; last.Message != "" || !last.At.After(good.At) {
			t.Errorf("got %+v after recovery", last)
		}
		if woken != 5 {
			t.Errorf("woke %d times for five attempts", woken)
		}
	})
}

func TestJoinerGetsTheLatestAnswerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		s.follow(t, "first", nil, loadOf("backend", "a", "body.load"))
		woken := 0
		s.follow(t, "second", func() { woken++ }, loadOf("backend", "a", "body.other"))
		s.expect(t, "second", "backend 7")
		if n := len(s.backends["a"].times()); n != 1 || woken != 1 {
			t.Errorf("asked %d times, woke %d times; want 1 and 1", n, woken)
		}
	})
}

// TestOlderAttemptChangesNothing: a joiner that catches up with one attempt
// while the next already arrives must end with the next.
func TestOlderAttemptChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		woken := 0
		s.follow(t, "scaler", func() { woken++ }, loadOf("backend", "a", "body.load"))
		wait(interval)
		s.settle(s.scalers["scaler"].subs[0], 1, scaling.Reading{Load: "backend", Value: 9, At: time.Now()})
		synctest.Wait()
		s.expect(t, "scaler", "backend 0.5")
		if woken != 2 {
			t.Errorf("woke %d times for two attempts", woken)
		}
	})
}

// TestClose ends every goroutine, even during an answer that never comes; the
// bubble fails should one be left.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "hangs", "fine")
		s.backends["hangs"].takes = 1000 * time.Hour
		woken := 0
		loads := []v1alpha1.Load{loadOf("one", "hangs", "body.load"), loadOf("two", "fine", "body.load")}
		s.follow(t, "scaler", func() { woken++ }, loads...)
		s.Close()
		s.Close()
		wait(5 * interval)
		s.expect(t, "scaler", "one 0 Pending", "two 0.5") // cancelling is no failure of the endpoint
		if woken != 1 || s.backends["hangs"].closed != 1 {
			t.Errorf("woke %d times, closed the hanging endpoint %d times; want 1 and 1", woken, s.backends["hangs"].closed)
		}
		if err := s.Follow("late", loads, interval, nil); err == nil {
			t.Error("following after Close gave no error")
		}
		if s.Latest("late") != nil {
			t.Error("something is read after Close")
		}
	})
}

// TestEverythingAtOnce is for the race detector.
func TestEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				name := fmt.Sprint("scaler", i%4)
				for n := range 20 {
					host, value := []string{"a", "b"}[n%2], []string{"body.load", "body.other"}[n/2%2]
					if err := s.Follow(name, []v1alpha1.Load{loadOf("one", host, value)}, interval, func() { s.Latest(name) }); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Duration(i+n) * time.Second)
					if n%5 == 0 {
						s.Forget(name)
					}
				}
			})
		}
		all.Wait()
		for i := range 4 {
			s.Forget(fmt.Sprint("scaler", i))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.pollers) != 0 || len(s.scalers) != 0 {
			t.Errorf("%d pollers and %d scalers are left", len(s.pollers), len(s.scalers))
		}
	})
}

// TestAddressesApart: what makes a difference to the answer makes another poll.
func TestAddressesApart(t *testing.T) {
	open := func(change func(*v1alpha1.HTTPSource)) Source {
		l := loadOf("backend", "a", "body.load")
		change(l.HTTP)
		s, err := openOne(l, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	base := open(func(*v1alpha1.HTTPSource) {})
	if !base.same(open(func(*v1alpha1.HTTPSource) {})) {
		t.Error("opened twice, a load is not the same")
	}
	if s := open(func(h *v1alpha1.HTTPSource) { h.Value = "body.other" }); s.from != base.from || s.same(base) {
		t.Error("another value must share the address, and be another source")
	}
	if s := open(func(h *v1alpha1.HTTPSource) { h.Timeout = httpLoad("", time.Second).HTTP.Timeout }); s.from != base.from {
		t.Error("another timeout must share the address")
	}
	for name, change := range map[string]func(*v1alpha1.HTTPSource){
		"url":    func(h *v1alpha1.HTTPSource) { h.URL += "/x" },
		"method": func(h *v1alpha1.HTTPSource) { h.Method = "POST" },
		"body":   func(h *v1alpha1.HTTPSource) { h.Body = "{}"; h.Method = "POST" },
		"format": func(h *v1alpha1.HTTPSource) { h.Format = v1alpha1.XML },
		"header": func(h *v1alpha1.HTTPSource) { h.Headers = []v1alpha1.Header{{Name: "X-Scope-OrgID", Value: "a"}} },
		"tls":    func(h *v1alpha1.HTTPSource) { h.TLS = &v1alpha1.TLS{InsecureSkipVerify: true} },
	} {
		if open(change).from == base.from {
			t.Errorf("another %s shares the address", name)
		}
	}
}

// TestOverHTTP runs the whole way once, over real connections, and leaves no
// goroutine behind (TestMain looks).
func TestOverHTTP(t *testing.T) {
	r := NewReadings(Options{Door: anyDoor})
	defer r.Close()
	server := newCounting(t)
	woken := make(chan bool, 100)
	for i := range 50 {
		if err := r.Follow(fmt.Sprint(i), []v1alpha1.Load{httpLoad(server.url, 5*time.Second)}, time.Hour, func() { woken <- true }); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		select {
		case <-woken:
		case <-time.After(10 * time.Second):
			t.Fatal("not every scaler was woken")
		}
	}
	got := r.Latest("49")
	if len(got) != 1 || got[0].Value != 0.5 || got[0].Problem != scaling.State("") {
		t.Errorf("got %+v", got)
	}
	if n := server.asked.Load(); n != 1 {
		t.Errorf("asked %d times for fifty scalers, want 1", n)
	}
}
