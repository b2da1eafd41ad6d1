package load

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// active is busy while anything is.
var active = v1alpha1.Busy{Port: 8080, Value: "body.active > 0"}

const (
	idle    = `{"active": 0}`
	working = `{"active": 3}`
)

// newPods returns a stage whose pods are found by their address, and idle.
func newPods(t *testing.T, pods ...Candidate) *stage {
	var addresses []string
	for _, p := range pods {
		addresses = append(addresses, p.Address)
	}
	s := newStage(t, addresses...)
	for _, b := range s.backends {
		b.says = idle
	}
	s.reach = func(a httpAddress) endpoint {
		u, err := url.Parse(a.url)
		if err != nil {
			t.Error(err)
		}
		return s.backends[u.Hostname()]
	}
	return s
}

// podsOf returns pod0, pod1 and so on, at 10.0.0.1 and onwards.
func podsOf(n int) []Candidate {
	out := make([]Candidate, n)
	for i := range out {
		out[i] = Candidate{UID: fmt.Sprintf("pod%d", i), Address: fmt.Sprintf("10.0.0.%d", i+1)}
	}
	return out
}

func (s *stage) inquire(t *testing.T, scaler string, wake func(), pods ...Candidate) {
	t.Helper()
	if err := s.Ask(scaler, active, pods, wake); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func (s *stage) expectAnswers(t *testing.T, scaler string, want map[string]scaling.Busy) {
	t.Helper()
	if got := s.Answers(scaler); !maps.Equal(got, want) {
		t.Errorf("pods of %s answer %v, want %v", scaler, got, want)
	}
}

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := podsOf(3)
		s := newPods(t, pods...)
		s.backends["10.0.0.2"].now(working, nil)
		s.backends["10.0.0.3"].now("", failed("it answered 500"))
		woken := 0
		s.inquire(t, "scaler", func() { woken++ }, append(pods, Candidate{UID: "unborn"}, Candidate{UID: "named", Address: "elsewhere.test"})...)
		s.expectAnswers(t, "scaler", map[string]scaling.Busy{
			"pod0": scaling.Idle, "pod1": scaling.Working, "pod2": scaling.Working, "unborn": scaling.Working, "named": scaling.Working,
		})
		want := map[string]string{
			"pod2": "it answered 500", "unborn": "the pod has no address yet", "named": `expected the pod's address to be an IP, got "elsewhere.test"`,
		}
		if got := s.Silences("scaler"); !maps.Equal(got, want) {
			t.Errorf("silent are %v, want %v", got, want)
		}
		if woken != 1 {
			t.Errorf("woke %d times, want once", woken)
		}
		s.expectAnswers(t, "another", map[string]scaling.Busy{})
	})
}

// TestHangingPod: it delays no other pod's answer, and the end by 2 s at most.
func TestHangingPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := podsOf(2)
		s := newPods(t, pods...)
		s.backends["10.0.0.1"].takes = time.Hour
		var woken atomic.Int32
		s.inquire(t, "scaler", func() { woken.Add(1) }, pods...)
		wait(askTimeout - time.Nanosecond)
		s.expectAnswers(t, "scaler", map[string]scaling.Busy{"pod1": scaling.Idle})
		if woken.Load() != 0 {
			t.Error("woke before all had answered")
		}
		wait(time.Nanosecond)
		s.expectAnswers(t, "scaler", map[string]scaling.Busy{"pod0": scaling.Working, "pod1": scaling.Idle})
		wait(time.Hour)
		if woken.Load() != 1 {
			t.Errorf("woke %d times, want once", woken.Load())
		}
	})
}

// TestThirtyTwoAtATime: what hangs takes time from the pods behind it, and these
// are silent without having been asked.
func TestThirtyTwoAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := podsOf(200)
		s := newPods(t, pods...)
		for _, b := range s.backends {
			b.takes = askTimeout * 3 / 4
		}
		woken := 0
		s.inquire(t, "scaler", func() { woken++ }, pods...)
		asked := func() (n int) {
			for _, b := range s.backends {
				n += len(b.times())
			}
			return n
		}
		if n := asked(); n != 32 {
			t.Errorf("asked %d pods at a time, want 32", n)
		}
		wait(askTimeout)
		answers, silences := s.Answers("scaler"), s.Silences("scaler")
		if len(answers) != 200 || len(silences) != 200-32 || asked() != 64 || woken != 1 {
			t.Errorf("%d answers, %d silent, asked %d, woke %d times; want 200, 168, 64 and 1", len(answers), len(silences), asked(), woken)
		}
		if got := silences["pod199"]; got != errLate.Error() {
			t.Errorf("the last pod is silent because %q, want %q", got, errLate)
		}
		if answers["pod0"] != scaling.Idle || answers["pod199"] != scaling.Working {
			t.Errorf("the first pod is %s, the last %s; want Idle and Busy", answers["pod0"], answers["pod199"])
		}
	})
}

func TestAskDuringAnInquiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := podsOf(3)
		s := newPods(t, pods...)
		for _, b := range s.backends {
			b.takes = time.Second
		}
		var first, second, third, other int
		s.inquire(t, "scaler", func() { first++ }, pods[0], pods[1], pods[0])
		s.inquire(t, "scaler", func() { second++ }, pods...)
		s.inquire(t, "scaler", func() { third++ }, pods...)
		s.inquire(t, "other", func() { other++ }, pods[2])
		wait(time.Second)
		for address, want := range map[string]int{"10.0.0.1": 1, "10.0.0.2": 1, "10.0.0.3": 2} {
			if n := len(s.backends[address].times()); n != want {
				t.Errorf("%s was asked %d times, want %d", address, n, want)
			}
		}
		if first != 1 || second != 1 || third != 0 || other != 1 {
			t.Errorf("woke %d, %d, %d and %d times; want 1, 1, 0 and 1", first, second, third, other)
		}
		s.inquire(t, "scaler", nil, pods[0])
		wait(time.Second)
		if n := len(s.backends["10.0.0.1"].times()); n != 2 {
			t.Errorf("asked %d times, want a second time after the first answer", n)
		}
	})
}

func TestAnswersExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := podsOf(2)
		s := newPods(t, pods...)
		s.backends["10.0.0.2"].now("garbage", nil)
		s.inquire(t, "scaler", nil, pods...)
		wait(answerAge - time.Nanosecond)
		s.expectAnswers(t, "scaler", map[string]scaling.Busy{"pod0": scaling.Idle, "pod1": scaling.Working})
		s.inquire(t, "scaler", nil, pods[0])
		wait(time.Nanosecond)
		s.expectAnswers(t, "scaler", map[string]scaling.Busy{"pod0": scaling.Idle})
		if got := s.Silences("scaler"); len(got) != 0 {
			t.Errorf("silent are %v after 15 s", got)
		}
	})
}

// TestAnotherProbe: what pods answered to one question says nothing about the next.
func TestAnotherProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := podsOf(2)
		s := newPods(t, pods...)
		woken := 0
		wake := func() { woken++ }
		s.inquire(t, "scaler", wake, pods[0])
		s.backends["10.0.0.2"].takes = time.Second
		s.inquire(t, "scaler", wake, pods[1])
		another := active
		another.Value = "body.active == 0.0"
		if err := s.Ask("scaler", another, pods[1:], wake); err != nil {
			t.Fatal(err)
		}
		s.expectAnswers(t, "scaler", map[string]scaling.Busy{})
		wait(time.Second)
		s.expectAnswers(t, "scaler", map[string]scaling.Busy{"pod1": scaling.Working})
		if woken != 2 {
			t.Errorf("woke %d times; want 2, none for what was ended", woken)
		}
	})
}

// TestForgetDuringAnInquiry, and Close: neither answers nor wakes, and nothing
// goes on; the bubble fails should a goroutine be left.
func TestForgetDuringAnInquiry(t *testing.T) {
	for name, end := range map[string]func(*stage){
		"Forget": func(s *stage) { s.Forget("scaler") },
		"Close":  func(s *stage) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pods := podsOf(100)
				s := newPods(t, pods...)
				s.backends["10.0.0.1"].takes = time.Second
				s.backends["10.0.0.2"].takes = time.Hour
				woken := 0
				s.inquire(t, "scaler", func() { woken++ }, pods...)
				end(s)
				begun := time.Now()
				s.running.Wait()
				if took := time.Since(begun); took != 0 {
					t.Errorf("went on for %s", took)
				}
				wait(askTimeout)
				s.expectAnswers(t, "scaler", map[string]scaling.Busy{})
				if woken != 0 {
					t.Errorf("woke %d times, want 0", woken)
				}
			})
		})
	}
}

func TestAskAfterClose(t *testing.T) {
	s := newPods(t)
	s.Close()
	if err := s.Ask("scaler", active, podsOf(1), nil); err != errClosed {
		t.Errorf("got %v, want %v", err, errClosed)
	}
}

func TestAskWhatCannotBeUnderstood(t *testing.T) {
	s := newPods(t)
	err := s.Ask("scaler", v1alpha1.Busy{Port: 8080, Value: "body."}, podsOf(1), func() { t.Error("woke") })
	if err == nil || !strings.Contains(err.Error(), "busy.value: ") {
		t.Errorf("got %v, want it to name busy.value", err)
	}
}

// TestWakeCallsBack: all but Close may be called in a wake, so no lock is held.
func TestWakeCallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := podsOf(1)
		s := newPods(t, pods...)
		again := make(chan bool, 1)
		s.inquire(t, "scaler", func() {
			s.expectAnswers(t, "scaler", map[string]scaling.Busy{"pod0": scaling.Idle})
			if err := s.Ask("scaler", active, pods, func() { again <- true }); err != nil {
				t.Error(err)
			}
		}, pods...)
		<-again
		s.Forget("scaler")
		s.expectAnswers(t, "scaler", map[string]scaling.Busy{})
	})
}

// TestAnswerUnderstoodTooLate: an answer that came in time but waited for others
// to be understood is no answer.
func TestAnswerUnderstoodTooLate(t *testing.T) {
	p, err := openProbe(active)
	if err != nil {
		t.Fatal(err)
	}
	in := &inquirer{probe: p}
	ctx, cancel := context.WithCancel(context.Background())
	s := echo{answer: answer{body: []byte(idle)}}
	if got := in.judge(ctx, s); got.busy != scaling.Idle || got.silence != "" {
		t.Errorf("in time: %+v", got)
	}
	cancel()
	if got := in.judge(ctx, s); got.busy != scaling.Working || got.silence != errLate.Error() {
		t.Errorf("too late: %+v", got)
	}
}

// TestAskingAtOnce is for the race detector.
func TestAskingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods := podsOf(50)
		s := newPods(t, pods...)
		for i, p := range pods {
			s.backends[p.Address].takes = time.Duration(i) * 100 * time.Millisecond
		}
		var all sync.WaitGroup
		var woken atomic.Int32
		for i := range 8 {
			all.Go(func() {
				name := fmt.Sprint("scaler", i%3)
				for n := range 20 {
					probe := active
					probe.Path = []string{"", "/busy"}[n/10]
					if err := s.Ask(name, probe, pods[n:n+20], func() { woken.Add(1); s.Silences(name) }); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Duration(i+n) * 100 * time.Millisecond)
					if n%7 == 6 {
						s.Forget(name)
					}
					s.Answers(name)
				}
			})
		}
		all.Wait()
		wait(askTimeout)
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, in := range s.inquirers {
			if len(in.asking) != 0 {
				t.Errorf("%s is still asking %v", name, in.asking)
			}
		}
		if woken.Load() == 0 {
			t.Error("nobody was woken")
		}
	})
}
