package scaling

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A story is what a decision is told, turn by turn, and what it remembers of it.
type story struct {
	history History
	policy  Policy
	order   Order
	now     time.Time
}

func begin(pods ...Pod) *story {
	s := &story{policy: cautious, order: OrderCost, now: epoch}
	s.policy.MinPodAge = 2 * time.Minute
	s.see(int32(len(pods)), pods...)
	return s
}

func (s *story) observe(replicas int32, pods []Pod) Observation {
	return Observation{Now: s.now, Replicas: replicas, Pods: pods, Order: s.order, Readings: []Reading{{Load: "load", Value: 0.65, At: s.now}}}
}

// see decides a second later, and returns the decision.
func (s *story) see(replicas int32, pods ...Pod) Decision {
	s.now = s.now.Add(time.Second)
	o := s.observe(replicas, pods)
	d := Decide(o, s.policy, s.history)
	s.history = s.history.After(o, d)
	return d
}

// write is a scale-in or a scale-out by cusme, on top of what was just seen.
func (s *story) write(from, to int32, pods ...Pod) {
	o := s.observe(from, pods)
	in := &input{Observation: o, Policy: s.policy, History: s.history}
	s.history = s.history.Moved(o, Decision{Replicas: to, Lose: names(in.losing(to))})
}

// told writes departures as text: the pod, by what, and what else is true.
func told(gone []Departure) (out []string) {
	for _, g := range gone {
		says := fmt.Sprintf("%s by %s", g.Pod.Name, g.By)
		if g.Young {
			says += ", young"
		}
		if g.Missed {
			says += ", missed"
		}
		out = append(out, says)
	}
	return out
}

func without(pods []Pod, names ...string) []Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(p Pod) bool { return slices.Contains(names, p.Name) })
}

// with returns pods in which one has changed.
func with(pods []Pod, name string, traits ...trait) []Pod {
	pods = slices.Clone(pods)
	for i := range pods {
		for _, t := range traits {
			if pods[i].Name == name {
				t(&pods[i])
			}
		}
	}
	return pods
}

func leaving(p *Pod)  { p.Leaving = true }
func ended(p *Pod)    { p.Leaving, p.Ended = true, true }
func outdated(p *Pod) { p.Outdated = true }
func soldOut(p *Pod) {
	p.SoldOut, p.Broken, p.Leaving, p.Ended = "NoStock", "Failed: NoStock", true, true
}

// Who made pods go, in every way that there is.
func TestWhoMadePodsGo(t *testing.T) {
	// The oldest first: cusme's choice is a, then b.
	pods := []Pod{a("d", time.Minute), a("c", time.Hour), a("b", 2*time.Hour), a("a", 3*time.Hour)}
	for _, c := range []struct {
		name string
		to   int32 // what cusme wrote; 4 is nothing
		now  int32 // replicas seen after it
		pods []Pod
		want []string
	}{
		{"nobody", 4, 4, pods, nil},
		{"the chosen one", 3, 3, without(pods, "a"), []string{"a by cusme"}},
		{"the chosen one, on its way", 3, 3, with(pods, "a", leaving), []string{"a by cusme"}},
		{"another than the chosen one", 3, 3, without(pods, "c"), []string{"c by cusme, missed"}},
		{"another, and it was young", 3, 3, without(pods, "d"), []string{"d by cusme, young, missed"}},
		{"nothing was written", 4, 4, without(pods, "a"), []string{"a by outside"}},
		{"young, and nothing was written", 4, 4, without(pods, "d"), []string{"d by outside, young"}},
		{"one more than was written, listed before the chosen one", 3, 3, without(pods, "a", "c"), []string{"c by outside", "a by cusme"}},
		{"one instead and one more", 3, 3, without(pods, "b", "c"), []string{"c by cusme, missed", "b by outside"}},
		{"evicted", 4, 4, with(pods, "c", doomed, leaving), []string{"c by eviction"}},
		{"evicted while cusme removes another", 3, 3, without(with(pods, "c", doomed, leaving), "a"), []string{"c by eviction", "a by cusme"}},
		{"replaced by a rollout", 4, 4, with(pods, "c", outdated, leaving), []string{"c by rollout"}},
		{"chosen, and outdated", 3, 3, with(pods, "a", outdated, leaving), []string{"a by cusme"}},
		{"outdated while cusme removes another", 3, 3, without(with(pods, "c", outdated, leaving), "a"), []string{"c by rollout", "a by cusme"}},
		{"ended by itself", 4, 4, with(pods, "c", ended), []string{"c by outside"}},
		{"ended by itself while cusme removes another", 3, 3, with(pods, "c", ended), []string{"c by outside"}},
		{"refused for lack of stock: no young victim", 4, 4, with(pods, "d", soldOut), []string{"d by outside"}},
	} {
		s := begin(pods...)
		if c.to != 4 {
			s.write(4, c.to, pods...)
		}
		if got := told(s.see(c.now, c.pods...).Gone); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if got := s.see(c.now, c.pods...).Gone; got != nil {
			t.Errorf("%s: told twice, of %q", c.name, told(got))
		}
	}
}

// A pod that went before it was due, and could not serve, is no young victim, and nobody's mistake.
func TestBrokenPodsAreNoVictims(t *testing.T) {
	pods := []Pod{a("old", time.Hour), a("ill", time.Minute, broken)}
	s := begin(pods...)
	s.write(2, 1, pods[1], pods[0])
	s.history.Removing.Chosen = []string{"uid-old"}
	if got := told(s.see(1, pods[0]).Gone); !slices.Equal(got, []string{"ill by cusme"}) {
		t.Errorf("got %q", got)
	}
}

// Where cusme did not choose, nothing that its scale-in took was a mistake.
func TestNothingIsMissedWhereNothingWasChosen(t *testing.T) {
	for order, want := range map[Order]string{OrderRank: "b by cusme", OrderUnknown: "b by cusme", OrderOrdinal: "b by cusme, missed"} {
		pods := []Pod{a("a", time.Hour, ordinal(1)), a("b", time.Hour)}
		s := begin(pods...)
		s.order = order
		s.write(2, 1, pods...)
		s.history.Removing.Chosen = []string{"uid-a"}
		if got := told(s.see(1, pods[0]).Gone); !slices.Equal(got, []string{want}) {
			t.Errorf("order %q: got %q, want %q", order, got, want)
		}
	}
}

// A second scale-in, or a scale-out, before the pods of the first have gone.
func TestOverlappingMoves(t *testing.T) {
	pods := []Pod{a("d", time.Hour), a("c", 2*time.Hour), a("b", 3*time.Hour), a("a", 4*time.Hour)}
	s := begin(pods...)
	s.write(4, 3, pods...)
	s.see(3, pods...)
	s.write(3, 2, pods...)
	if got := told(s.see(2, without(pods, "a")...).Gone); !slices.Equal(got, []string{"a by cusme"}) {
		t.Errorf("the first of two scale-ins: got %q", got)
	}
	if got := told(s.see(2, without(pods, "a", "b")...).Gone); !slices.Equal(got, []string{"b by cusme"}) {
		t.Errorf("the second of two scale-ins: got %q", got)
	}
	if got := told(s.see(2, without(pods, "a", "b", "c")...).Gone); !slices.Equal(got, []string{"c by outside"}) {
		t.Errorf("after two scale-ins: got %q", got)
	}

	s = begin(pods...)
	s.write(4, 2, pods...)
	s.see(2, pods...)
	s.write(2, 3, pods...)
	if got := told(s.see(3, without(pods, "a")...).Gone); !slices.Equal(got, []string{"a by cusme"}) {
		t.Errorf("a scale-in that was half taken back: got %q", got)
	}
	if got := told(s.see(3, without(pods, "a", "b")...).Gone); !slices.Equal(got, []string{"b by outside"}) {
		t.Errorf("after it: got %q", got)
	}

	s = begin(pods...)
	s.write(4, 2, pods...)
	s.see(2, pods...)
	s.write(2, 4, pods...)
	if got := told(s.see(4, without(pods, "c")...).Gone); !slices.Equal(got, []string{"c by outside"}) {
		t.Errorf("a scale-in that was taken back whole: got %q", got)
	}
}

// A scale-out takes nothing, even beside a rollout's extra pods.
func TestScaleOutRemovesNothing(t *testing.T) {
	pods := []Pod{a("a", time.Hour), a("b", time.Hour), a("surge", time.Hour)}
	s := begin(pods...)
	s.write(1, 2, pods...)
	if got := told(s.see(2, without(pods, "a")...).Gone); !slices.Equal(got, []string{"a by outside"}) {
		t.Errorf("got %q", got)
	}
}

// Another number written by somebody else ends what cusme's scale-in can account for.
func TestForeignWriteVoidsAScaleIn(t *testing.T) {
	pods := []Pod{a("c", time.Hour), a("b", 2*time.Hour), a("a", 3*time.Hour)}
	s := begin(pods...)
	s.write(3, 2, pods...)
	s.see(1, pods...)
	if got := told(s.see(1, without(pods, "a")...).Gone); !slices.Equal(got, []string{"a by outside"}) {
		t.Errorf("got %q", got)
	}
}

// Pods that come while a scale-in is under way, as in a rollout, add nothing to what it may take.
func TestExtraPodsAddNothingToAScaleIn(t *testing.T) {
	pods := []Pod{a("d", time.Hour), a("c", time.Hour), a("b", 2*time.Hour), a("a", 3*time.Hour)}
	s := begin(pods...)
	s.write(4, 3, pods...)
	more := append(pods, a("new-1", 0), a("new-2", 0))
	s.see(3, more...)
	if got := told(s.see(3, without(more, "a", "b")...).Gone); !slices.Equal(got, []string{"b by outside", "a by cusme"}) {
		t.Errorf("got %q", got)
	}
}
