package scaling

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// attempt is an elastic pod that was created so long after the epoch.
func attempt(name string, after time.Duration, traits ...trait) Pod {
	p := a(name, 0, append([]trait{elastic, pending}, traits...)...)
	p.Created = epoch.Add(after)
	return p
}

func started(p *Pod) { p.Ready, p.Phase, p.ReadySince = true, PhaseRunning, p.Created.Add(time.Minute) }

// refusedPending is what virtual-kubelet's ProviderFailed looks like: the pod is there, and waits.
func refusedPending(p *Pod) { p.SoldOut, p.Broken = "NoStock", "ProviderFailed" }

// hungry are a target's readings that ask for more than there is.
func hungry(now time.Time) []Reading {
	return []Reading{{Load: "load", Value: 5, At: now}}
}

// served is a target with one old pod, and a load that asks for more.
type shop struct {
	history History
	policy  Policy
}

// at decides so long after the epoch, with these pods beside the old one.
func (s *shop) at(after time.Duration, replicas int32, pods ...Pod) Decision {
	o := Observation{Now: epoch.Add(after), Replicas: replicas, Pods: append(veterans(1), pods...), Order: OrderCost}
	o.Readings = hungry(o.Now)
	d := Decide(o, s.policy, s.history)
	s.history = s.history.After(o, d)
	if d.Replicas != replicas {
		s.history = s.history.Moved(o, d)
	}
	return d
}

func open() *shop { return &shop{policy: cautious} }

// One pod more is tried after 45 s, 3 min, and then every 10 min; each time by
// one pod, and with nothing else until it is known what became of it.
func TestRetries(t *testing.T) {
	s := open()
	now := 5 * time.Second
	if d := s.at(now, 2, attempt("first", 0, soldOut)); d.Replicas != 2 || !d.Stock.Out() {
		t.Fatalf("a refusal: %d replicas, %+v", d.Replicas, d.Stock)
	}
	failed := attempt("first", 0, soldOut)
	for i, pause := range []time.Duration{45 * time.Second, 3 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
		if d := s.at(now+pause-time.Second, 1, failed); d.Replicas != 1 {
			t.Errorf("try %d, a second before its time: %d replicas", i+1, d.Replicas)
		}
		now += pause
		if d := s.at(now, 1, failed); d.Replicas != 2 || !strings.HasSuffix(d.Why(), "trying one pod more") {
			t.Errorf("try %d: %d replicas, %q", i+1, d.Replicas, d.Why())
		}
		if d := s.at(now+time.Second, 2, failed); d.Replicas != 2 || !strings.HasSuffix(d.Why(), "waiting for the one pod that is tried") {
			t.Errorf("try %d, not seen yet: %d replicas, %q", i+1, d.Replicas, d.Why())
		}
		tried := attempt(fmt.Sprintf("try-%d", i), now+time.Second)
		if d := s.at(now+4*time.Minute, 2, failed, tried); d.Replicas != 2 || !strings.HasSuffix(d.Why(), "waiting for the one pod that is tried") {
			t.Errorf("try %d, waiting: %d replicas, %q", i+1, d.Replicas, d.Why())
		}
		failed = attempt(tried.Name, now+time.Second, soldOut)
		now += 5 * time.Minute
		if d := s.at(now, 2, failed, attempt("in its place", now-time.Second)); d.Replicas != 1 || d.Stock.Tries != i+1 {
			t.Errorf("try %d, refused: %d replicas, %+v", i+1, d.Replicas, d.Stock)
		}
	}
}

// A try is over when its pod is ready or can no longer become so; then, where stock is still out, it is time for the next.
func TestEndOfATry(t *testing.T) {
	ordinary := func(p *Pod) { p.Elastic = false }
	for name, c := range map[string]struct {
		pod      Pod
		replicas int32
	}{
		"waiting":                   {attempt("p", time.Minute), 2},
		"ready on an ordinary node": {attempt("p", time.Minute, ordinary, started), 3},
		"with a fault of its own":   {attempt("p", time.Minute, broken), 3},
	} {
		s := open()
		s.history.Stock = Stock{Failed: epoch, Seen: epoch.Add(10 * time.Second), Tried: epoch.Add(time.Minute + 700*time.Millisecond), Message: "NoStock"}
		if d := s.at(3*time.Minute, 2, c.pod); d.Replicas != c.replicas {
			t.Errorf("%s: %d replicas, want %d: %s", name, d.Replicas, c.replicas, d.Why())
		}
	}
}

// A shortage is over when an elastic pod is ready that was created after the
// newest one refused, and stays over when that pod has gone again.
func TestShortageEnds(t *testing.T) {
	failed := attempt("failed", time.Minute, soldOut)
	for name, c := range map[string]struct {
		pod  Pod
		over bool
	}{
		"created later":              {attempt("p", time.Minute+time.Second, started), true},
		"created in the same second": {attempt("p", time.Minute, started), false},
		"created before":             {attempt("p", 0, started), false},
		"not ready":                  {attempt("p", 2*time.Minute), false},
		"on an ordinary node":        {attempt("p", 2*time.Minute, started, func(p *Pod) { p.Elastic = false }), false},
	} {
		s := open()
		s.at(70*time.Second, 1, failed)
		d := s.at(3*time.Minute, 2, failed, c.pod, attempt("elder", 0, started))
		if d.Stock.Out() == c.over {
			t.Errorf("%s: out is %t", name, d.Stock.Out())
		}
		if d = s.at(4*time.Minute, 1, failed); d.Stock.Out() == c.over {
			t.Errorf("%s, a minute after it went: out is %t", name, d.Stock.Out())
		}
	}
}

// A pod asked for together with the one refused may have found the last of the
// stock. What was created in the place of a pod that ended has not; and where
// none ended, nothing was.
func TestSiblingsAreTrusted(t *testing.T) {
	ended, waits := attempt("no", 10*time.Second, soldOut), attempt("no", 10*time.Second, refusedPending)
	for _, c := range []struct {
		name     string
		refused  Pod
		other    Pod
		hopeless bool
	}{
		{"a sibling", ended, attempt("p", 10*time.Second), false},
		{"an elder one", ended, attempt("p", 9*time.Second), false},
		{"a replacement", ended, attempt("p", 15*time.Second), true},
		{"a replacement on an ordinary node", ended, attempt("p", 15*time.Second, func(p *Pod) { p.Elastic = false }), false},
		{"a replacement that runs", ended, attempt("p", 15*time.Second, func(p *Pod) { p.Phase = PhaseRunning }), false},
		{"one that is ready, whatever was said of it", ended, attempt("p", 15*time.Second, started, func(p *Pod) { p.SoldOut = "NoStock" }), false},
		{"a later one, when the refused one still waits", waits, attempt("p", 15*time.Second), false},
	} {
		s := open()
		s.history.Stock = Stock{Failed: epoch.Add(10 * time.Second), Seen: epoch.Add(15 * time.Second), Replaced: c.refused.Ended, Message: "NoStock"}
		in := &input{Observation: Observation{Now: epoch.Add(20 * time.Second), Pods: []Pod{c.refused, c.other}}, Policy: s.policy, History: s.history}
		if got := in.hopeless(c.other); got != c.hopeless {
			t.Errorf("%s: hopeless is %t", c.name, got)
		}
	}
}

// A provider that keeps the pod and lets it wait: the pod itself is given up.
func TestProviderFailed(t *testing.T) {
	s := open()
	d := s.at(10*time.Second, 3, attempt("no", 0, refusedPending), attempt("sibling", 0))
	if d.Replicas != 2 || sentence(d.Lose) != "no" || d.Pods.Late != 1 || d.Pods.Starting != 1 {
		t.Errorf("%d replicas, %v go, %+v", d.Replicas, d.Lose, d.Pods)
	}
	if d := s.at(11*time.Second, 2, attempt("sibling", 0)); d.Replicas != 2 || !d.Stock.Out() {
		t.Errorf("when it has gone: %d replicas, %+v", d.Replicas, d.Stock)
	}
	if d := s.at(58*time.Second, 3, attempt("another", time.Second, refusedPending), attempt("sibling", 0)); d.Replicas != 2 {
		t.Errorf("while one more waits, at the time of the next try: %d replicas", d.Replicas)
	}
}

// What was given up is not given up again before it has gone, and a rollout's
// pod beyond the replicas asked for is nothing to give up.
func TestPodsBeyondTheReplicasAreNotGivenUpAgain(t *testing.T) {
	s := open()
	no, surge := attempt("no", 0, soldOut), attempt("in its place", 5*time.Second)
	if d := s.at(10*time.Second, 2, no, surge); d.Replicas != 1 {
		t.Fatalf("a replacement: %d replicas", d.Replicas)
	}
	if d := s.at(11*time.Second, 1, no, surge); d.Replicas != 1 {
		t.Errorf("before it has gone: %d replicas", d.Replicas)
	}
}

// Fewer replicas would take a StatefulSet's highest ordinals: one that waits below them is not given up for one that serves.
func TestOnlyTheHighestOrdinalsAreGivenUp(t *testing.T) {
	in := &input{Policy: cautious, Observation: Observation{Now: epoch.Add(time.Hour), Replicas: 3, Order: OrderOrdinal}}
	in.History.Stock = Stock{Failed: epoch, Seen: in.Now, Message: "NoStock"}
	for name, c := range map[string]struct {
		waits int32
		able  int32
	}{"below": {1, 3}, "highest": {2, 2}} {
		in.going, in.Pods = nil, nil
		for n := range int32(3) {
			p := a(fmt.Sprint("s-", n), time.Hour, elastic, ordinal(n))
			if n == c.waits {
				refusedPending(&p)
				pending(&p)
			}
			in.Pods = append(in.Pods, p)
		}
		if got := in.obtainable(); got != c.able {
			t.Errorf("%s: %d replicas can be had, want %d", name, got, c.able)
		}
	}
}

// Not every provider says no. A pod that waits for too long stands for a
// shortage, and keeps its place: it may only have a large image to pull.
func TestPendingTooLongIsAShortage(t *testing.T) {
	for name, c := range map[string]struct {
		pod Pod
		out bool
	}{
		"elastic and pending":        {attempt("p", 0), true},
		"on an ordinary node":        {attempt("p", 0, func(p *Pod) { p.Elastic = false }), false},
		"running":                    {attempt("p", 0, func(p *Pod) { p.Phase = PhaseRunning }), false},
		"with a fault of its own":    {attempt("p", 0, func(p *Pod) { p.Broken = "ImagePullBackOff" }), false},
		"leaving":                    {attempt("p", 0, leaving), false},
		"unready only since a while": {attempt("p", 0, func(p *Pod) { p.UnreadySince = epoch.Add(time.Minute) }), false},
	} {
		s := open()
		if d := s.at(s.policy.StartDeadline, 2, c.pod); d.Stock.Out() {
			t.Errorf("%s, at the deadline: out, %q", name, d.Stock.Why())
		}
		d := s.at(s.policy.StartDeadline+time.Second, 2, c.pod)
		if d.Stock.Out() != c.out {
			t.Errorf("%s, after the deadline: out is %t, %q", name, d.Stock.Out(), d.Stock.Why())
		}
		if want := "p did not start within 10m"; c.out && (d.Stock.Why() != want || d.Replicas < 2) {
			t.Errorf("%s: %q, %d replicas; want %q, and none given up", name, d.Stock.Why(), d.Replicas, want)
		}
	}
}

// A shortage that nobody tries any more is forgotten after a quarter of an hour, and so are the pods that failed then.
func TestShortageIsForgotten(t *testing.T) {
	for _, kept := range [][]Pod{nil, {attempt("no", 0, soldOut)}} {
		s := open()
		s.policy.Max = 1
		s.at(5*time.Second, 1, attempt("no", 0, soldOut))
		if d := s.at(15*time.Minute-time.Second, 1, kept...); !d.Stock.Out() {
			t.Errorf("%d pods kept: forgotten too early", len(kept))
		}
		if d := s.at(15*time.Minute+6*time.Second, 1, kept...); d.Stock.Out() || d.Stock.Tries != 0 {
			t.Errorf("%d pods kept: remembered for too long: %+v", len(kept), d.Stock)
		}
	}
}

// It is not while a pod waits for stock, nor soon after a try.
func TestShortageIsNotForgottenTooSoon(t *testing.T) {
	s := open()
	s.at(5*time.Second, 1, attempt("no", 0, refusedPending))
	if d := s.at(16*time.Minute, 1, attempt("no", 0, refusedPending)); !d.Stock.Out() {
		t.Errorf("while a pod waits: %+v", d.Stock)
	}
	s = open()
	s.history.Stock = Stock{Failed: epoch, Seen: epoch.Add(5 * time.Second), Tried: epoch.Add(10 * time.Minute), Message: "NoStock"}
	if d := s.at(20*time.Minute, 1); !d.Stock.Out() {
		t.Errorf("ten minutes after a try: %+v", d.Stock)
	}
}

// A pod that serves is capacity, whatever one of its containers is said to have.
func TestReadyPodsAreNotLate(t *testing.T) {
	d := Decide(Observation{Now: epoch, Replicas: 2, Pods: []Pod{a("a", time.Hour, broken), a("b", time.Hour, doomed)}}, cautious, History{})
	if d.Pods.Ready != 2 || d.Pods.Late != 1 {
		t.Errorf("%+v, want 2 ready and only the doomed one late", d.Pods)
	}
}

// While a deadline is longer than that memory, a pod that is late by it is a refusal all the same.
func TestLongDeadlines(t *testing.T) {
	s := open()
	s.policy.StartDeadline = time.Hour
	if d := s.at(time.Hour+time.Second, 2, attempt("p", 0)); !d.Stock.Out() {
		t.Errorf("a pod that was pending for an hour is no shortage: %+v", d.Stock)
	}
}

// After a restart the pods that failed are all there is to know the shortage
// by. The newest counts, however many there are, and none from long ago.
func TestFailedPodsAfterARestart(t *testing.T) {
	var piled []Pod
	for i := range 500 {
		piled = append(piled, attempt(fmt.Sprint("no-", i), time.Duration(i)*time.Second, soldOut))
	}
	newest := epoch.Add(499 * time.Second)
	s := open()
	if d := s.at(10*time.Minute, 1, piled...); d.Replicas != 1 || !d.Stock.Failed.Equal(newest) {
		t.Errorf("the newest of many was created at %s, want %s; %d replicas", d.Stock.Failed, newest, d.Replicas)
	}
	s = open()
	if d := s.at(500*time.Second+stockMemory, 1, piled...); d.Stock.Out() || d.Replicas == 1 {
		t.Errorf("from long ago: %+v, %d replicas", d.Stock, d.Replicas)
	}
	s = open()
	if d := s.at(10*time.Minute, 2, append(piled, attempt("got", 9*time.Minute, started))...); d.Stock.Out() {
		t.Errorf("a younger pod is ready: %+v", d.Stock)
	}
}

// The very first decision after a restart knows of the shortage, a window that begins or not.
func TestFirstDecisionKnowsTheShortage(t *testing.T) {
	d := open().at(10*time.Second, 2, attempt("no", 0, soldOut), attempt("in its place", 5*time.Second))
	if !d.Began || !d.Stock.Out() || d.Replicas != 1 {
		t.Errorf("began is %t, %+v, %d replicas", d.Began, d.Stock, d.Replicas)
	}
}

// Without stock a ReplicaSet makes pods as fast as they fail. In the ten minutes
// after the first was asked for fewer than ten come beside those asked for,
// however often cusme looks; and a provider that refuses at once makes no more
// than what comes between two looks.
func TestPodsBornWithoutStockAreFew(t *testing.T) {
	for _, c := range []struct {
		every, refusal time.Duration
		most           int // beside those asked for
	}{
		{time.Second, 5 * time.Second, 9},
		{5 * time.Second, 5 * time.Second, 9},
		{15 * time.Second, 15 * time.Second, 9},
		{15 * time.Second, 5 * time.Second, 12},
		{time.Second, 500 * time.Millisecond, 30},
		{time.Second, 100 * time.Millisecond, 150},
	} {
		for _, offset := range []time.Duration{0, 600 * time.Millisecond} {
			beside, w := famine(t, c.every, c.refusal, offset)
			if beside > c.most || w.replicas > 5 {
				t.Errorf("read every %s, refused within %s, %s after the second: %d pods came beside those asked for, want at most %d; %d replicas", c.every, c.refusal, offset, beside, c.most, w.replicas)
			}
		}
	}
}

// famine plays ten minutes without stock, and returns how many pods came that nobody had asked for.
func famine(t *testing.T, every, refusal, offset time.Duration) (beside int, w *world) {
	t.Helper()
	w, err := parseScenario(fmt.Sprintf("replicas 4 in 2..20\norder cost\nmachines 4 stock 0\nstart 1m\nminPodAge 10m\nwork %s 5x%d", every, 10*time.Minute/every))
	if err != nil {
		t.Fatal(err)
	}
	w.refusal, w.offset = refusal, offset
	born, asked := w.born, int32(0)
	for w.next() {
		o := w.observe()
		d := Decide(o, w.policy, w.history)
		checkInvariants(t, w, o, d)
		w.history = w.history.After(o, d)
		asked += max(0, d.Replicas-o.Replicas)
		w.apply(t, d)
	}
	return w.born - born - int(asked), w
}

// A scale-in tries nothing.
func TestOnlyGrowingIsATry(t *testing.T) {
	for to, tried := range map[int32]bool{4: false, 6: true} {
		h := History{}.Moved(Observation{Now: epoch, Replicas: 5}, Decision{Replicas: to})
		if got := !h.Stock.Tried.IsZero(); got != tried {
			t.Errorf("5 to %d: a try is %t", to, got)
		}
	}
}
