package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

const interval = 15 * time.Second

// A backend is an endpoint in memory: it notes when it was asked, and answers
// as it is told.
type backend struct {
	mu     sync.Mutex
	asked  []time.Duration // since it was made
	made   time.Time
	says   string
	err    error
	takes  time.Duration
	closed int
}

func (b *backend) connect() endpoint { return b }

func (b *backend) ask(ctx context.Context) (answer, error) {
	b.mu.Lock()
	b.asked = append(b.asked, time.Since(b.made))
	says, err, takes := b.says, b.err, b.takes
	b.mu.Unlock()
	select {
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-time.After(takes):
	}
	return answer{body: []byte(says), received: time.Now(), at: time.Now()}, err
}

func (b *backend) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
}

func (b *backend) now(says string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.says, b.err = says, err
}

func (b *backend) times() []time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// A stage is a set of readings over backends in memory, found by host name.
type stage struct {
	*Readings
	backends map[string]*backend
	opened   atomic.Int32
}

func newStage(t *testing.T, hosts ...string) *stage {
	s := &stage{Readings: NewReadings(Options{}), backends: map[string]*backend{}}
	for _, h := range hosts {
		s.backends[h] = &backend{made: time.Now(), says: `{"load": 0.5, "other": 7}`}
	}
	open := s.open
	s.open = func(l v1alpha1.Load) (Source, error) {
		s.opened.Add(1)
		source, err := open(l)
		if err == nil {
			source.from = s.backends[strings.TrimPrefix(l.HTTP.URL, "http://")]
		}
		return source, err
	}
	t.Cleanup(s.Close)
	return s
}

func (s *stage) follow(t *testing.T, scaler string, wake func(), loads ...v1alpha1.Load) {
	t.Helper()
	if err := s.Follow(scaler, loads, interval, wake); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// expect compares a scaler's readings, written as value and problem.
func (s *stage) expect(t *testing.T, scaler string, want ...string) {
	t.Helper()
	var got []string
	for _, r := range s.Latest(scaler) {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %v %s", r.Load, r.Value, r.Problem)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s reads %q, want %q", scaler, got, want)
	}
}

func loadOf(name, host, value string) v1alpha1.Load {
	return v1alpha1.Load{Name: name, HTTP: &v1alpha1.HTTPSource{URL: "http://" + host, Value: value}}
}

func wait(d time.Duration) {
	time.Sleep(d) // the bubble's clock: no real time passes
	synctest.Wait()
}

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

// TestMissedTicksAreDropped: an endpoint slower than its interval is asked at
// the next point of its grid, never twice at a time and never in a burst.
func TestMissedTicksAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "slow")
		s.backends["slow"].takes = 2*interval + interval/2
		s.follow(t, "scaler", nil, loadOf("backend", "slow", "body.load"))
		wait(20 * interval)
		at := s.backends["slow"].times()
		for i := 2; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap != 3*interval {
				t.Errorf("asked %s after the last time, want %s", gap, 3*interval)
			}
		}
		if len(at) < 6 {
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
		s, err := Open(l, Options{})
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
	for name, change := range map[string]func(*v1alpha1.HTTPSource){
		"url":     func(h *v1alpha1.HTTPSource) { h.URL += "/x" },
		"timeout": func(h *v1alpha1.HTTPSource) { h.Timeout = httpLoad("", time.Second).HTTP.Timeout },
		"tls":     func(h *v1alpha1.HTTPSource) { h.TLS = &v1alpha1.TLS{InsecureSkipVerify: true} },
	} {
		if open(change).from == base.from {
			t.Errorf("another %s shares the address", name)
		}
	}
}

// TestOverHTTP runs the whole way once, over real connections, and leaves no
// goroutine behind (TestMain looks).
func TestOverHTTP(t *testing.T) {
	r := NewReadings(Options{})
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

type counting struct {
	url   string
	asked atomic.Int32
}

func newCounting(t *testing.T) *counting {
	c := &counting{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c.asked.Add(1)
		io.WriteString(w, `{"load": 0.5}`)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}
