package simulate

import (
	"math"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// sight is what a peer sees some time after the beginning: an index with all replicas ready.
func sight(at time.Duration, index float64, replicas int32) *Sight {
	now := Epoch.Add(at)
	return &Sight{
		Now: now, Reading: scaling.Reading{Load: "load", Value: index, At: now},
		Replicas: replicas, Ready: replicas,
		Pods: func() []scaling.Pod { return nil },
	}
}

// starting is a sight in which some of the replicas are not ready yet.
func starting(at time.Duration, index float64, replicas, notReady int32) *Sight {
	s := sight(at, index, replicas)
	s.Ready, s.Starting = replicas-notReady, notReady
	return s
}

// everywhere is a world whose bounds limit nothing.
func everywhere() World { return World{Min: 1, Max: 1000} }

func fromZero() World { return World{Min: 0, Max: 1000} }

// look asks a policy and lets its bounds hold, as the world does.
func look(p Policy, w World, s *Sight) int32 {
	return min(max(p.Decide(s).Replicas, w.Min), w.Max)
}

func TestNoPeerMovesWithoutANumber(t *testing.T) {
	bad := map[string]scaling.Reading{
		"failed":   {Load: "load", Value: 5, Problem: scaling.Failed},
		"NaN":      {Load: "load", Value: math.NaN()},
		"infinite": {Load: "load", Value: math.Inf(1)},
		"negative": {Load: "load", Value: -1},
	}
	for name, reading := range bad {
		for _, c := range append(Peers(), HPAAverage(0.65)) {
			p := c.New(everywhere())
			s := sight(0, 0, 7)
			s.Reading = reading
			if got := p.Decide(s).Replicas; got != 7 {
				t.Errorf("%s: a reading that is %s: expected to hold 7 replicas, got %d", c.Name, name, got)
			}
		}
	}
}

// A total of the requests is the same news as their ratio to the ready pods.
func TestPeersReadTotals(t *testing.T) {
	sums := everywhere()
	sums.Total = true
	for _, c := range append(Peers(), HPAAverage(0.65)) {
		ratio, total := c.New(everywhere()), c.New(sums)
		replicas := int32(4)
		for i, index := range []float64{0.5, 0.75, 2, 1, 0.25, 0.25, 0.25} {
			at := time.Duration(i) * 5 * time.Minute
			told := sight(at, index*float64(replicas), replicas)
			got, want := total.Decide(told).Replicas, ratio.Decide(sight(at, index, replicas)).Replicas
			if got != want {
				t.Fatalf("%s: on a total of %v it wants %d, on an index of %v %d", c.Name, told.Reading.Value, got, index, want)
			}
			replicas = want
		}
	}
}

func TestQuietLooksAllocateNothing(t *testing.T) {
	for _, c := range Peers() {
		p, at, s := c.New(everywhere()), time.Duration(0), sight(0, 0.65, 10)
		tick := func() {
			at += max(c.Every, time.Second)
			s.Now = Epoch.Add(at)
			p.Decide(s)
		}
		for range 1000 {
			tick()
		}
		if n := testing.AllocsPerRun(1000, tick); n > 0 {
			t.Errorf("%s: %v allocations in a quiet look", c.Name, n)
		}
	}
}

func TestFixed(t *testing.T) {
	if got := Fixed(3).New(everywhere()).Decide(sight(0, 9, 1)).Replicas; got != 3 {
		t.Errorf("expected 3 replicas, got %d", got)
	}
}

// The band, the steps and the guard are those of the original's source.
func TestOriginal(t *testing.T) {
	for _, c := range []struct {
		name     string
		index    float64
		youngest time.Duration
		want     int32
	}{
		{"above the band", 0.81, time.Hour, 13},
		{"on its upper end", 0.8, time.Hour, 10},
		{"within it", 0.6, time.Hour, 10},
		{"on its lower end", 0.5, time.Hour, 10},
		{"below it", 0.49, time.Hour, 9},
		{"below it, and the youngest pod is of age", 0.49, 10 * time.Minute, 9},
		{"below it, with a young pod", 0.49, 10*time.Minute - time.Second, 10},
		{"above it, with a young pod", 0.81, time.Second, 13},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Original(time.Minute, scaling.FixedStep{Up: 3, Down: 1}, 10*time.Minute).New(everywhere())
			s := sight(0, c.index, 10)
			s.Pods = func() []scaling.Pod {
				return []scaling.Pod{{Created: s.Now.Add(-48 * time.Hour)}, {Created: s.Now.Add(-c.youngest)}}
			}
			if got := p.Decide(s).Replicas; got != c.want {
				t.Errorf("expected %d, got %d", c.want, got)
			}
		})
	}
}

func TestOriginalStopsAtZero(t *testing.T) {
	p := Original(time.Minute, scaling.FixedStep{Up: 3, Down: 5}, 0).New(fromZero())
	if got := p.Decide(sight(0, 0, 2)).Replicas; got != 0 {
		t.Errorf("expected 0 replicas, got %d", got)
	}
}
