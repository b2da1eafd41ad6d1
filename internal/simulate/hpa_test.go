package simulate

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// Numbers of TestReplicaCalc…CMExternal in Kubernetes' pkg/controller/podautoscaler/replica_calculator_test.go.
func TestHPAValue(t *testing.T) {
	for _, c := range []struct {
		name            string
		replicas, ready int32
		value, target   float64
		want            int32
	}{
		{"ScaleUpCMExternal", 1, 1, 8.6, 4.4, 2},
		{"ScaleUpCMExternalIgnoresUnreadyPods", 3, 1, 8.6, 4.4, 2},
		{"ScaleDownCMExternal", 5, 5, 8.6, 14.334, 3},
		{"ToleranceCMExternal", 3, 3, 8.6, 8.888, 3},
		{"from zero, with no tolerance", 0, 0, 8.6, 8.888, 1},
		{"pods of which none is ready", 4, 0, 8.6, 4.4, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHPA(everywhere(), c.target)
			if got, _ := h.want(starting(0, c.value, c.replicas, c.replicas-c.ready)); got != c.want {
				t.Errorf("expected %d, got %d", c.want, got)
			}
		})
	}
}

// Numbers of TestReplicaCalc…PerPodCMExternal in the same file.
func TestHPAAverageValue(t *testing.T) {
	for _, c := range []struct {
		name        string
		replicas    int32
		sum, target float64
		want        int32
	}{
		{"ScaleUpPerPodCMExternal", 3, 8.6, 2.15, 4},
		{"ScaleDownPerPodCMExternal", 5, 8.6, 2.867, 3},
		{"TolerancePerPodCMExternal", 3, 8.6, 2.9, 3},
		{"from zero", 0, 8.6, 4, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := HPAAverage(c.target).New(World{Total: true}).(*hpa)
			if got, _ := h.want(sight(0, c.sum, c.replicas)); got != c.want {
				t.Errorf("expected %d, got %d", c.want, got)
			}
		})
	}
}

func TestHPAPace(t *testing.T) {
	p, w := HPA(0.65).New(everywhere()), everywhere()
	for i, c := range []struct {
		at             time.Duration
		index          float64
		replicas, want int32
	}{
		{0, 20, 1, 4},                   // at once to 4
		{15 * time.Second, 20, 4, 8},    // then to twice as many
		{30 * time.Second, 0.1, 8, 124}, // held to what was asked for 15 s ago: 4 × 20 / 0.65, no more than 16
		{5 * time.Minute, 0.1, 16, 32},
		{5*time.Minute + 15*time.Second, 0.1, 32, 5}, // which is 5 minutes ago now
	} {
		want := min(c.want, max(2*c.replicas, 4))
		if got := look(p, w, sight(c.at, c.index, c.replicas)); got != want {
			t.Fatalf("look %d: expected %d, got %d", i+1, want, got)
		}
	}
}

func TestHPABeginsWithWhatItFinds(t *testing.T) {
	p := HPA(0.65).New(everywhere())
	if got := look(p, everywhere(), sight(0, 0, 9)); got != 9 {
		t.Errorf("expected 9 to stay for the window, got %d", got)
	}
	if got := look(p, everywhere(), sight(hpaWindow, 0, 9)); got != 1 {
		t.Errorf("expected the minimum after the window, got %d", got)
	}
}

// scaling.Decide was compared with running HPAs that have a behavior. From 4 replicas up one can say what HPA does without,
// as long as all pods are ready and no more is asked for than it may have at once.
func TestHPADoesWhatDecideDoes(t *testing.T) {
	const target = 0.65
	policy := scaling.Policy{
		Min: 4, Max: 1000, StartDeadline: time.Hour,
		Loads: []scaling.Load{{Name: "load", Low: target * (1 - hpaTolerance), Target: target, High: target * (1 + hpaTolerance), StaleAfter: time.Hour}},
		Up:    scaling.Rules{Limits: []scaling.Limit{{Percent: true, Value: 100, Period: hpaSync}}},
		Down:  scaling.Rules{Window: hpaWindow},
	}
	random := rand.New(rand.NewPCG(1, 2))
	w := World{Min: policy.Min, Max: policy.Max}
	peer, replicas := HPA(target).New(w), int32(4)
	var history scaling.History
	work, moves := 5.0, 0
	for i := range 4000 {
		work = max(1, work*math.Exp(min(0.3, random.NormFloat64()*0.2))*math.Pow(20/work, 0.05))
		index := milli(work/float64(replicas)) / 1000
		if usage := index / target; whole(usage*float64(replicas)) || whole(usage*10) {
			index += 0.001 // HPA takes 56.00000000000001 for 57 and 1.1000000000000001 for beyond the tolerance, Decide does not
		}
		s := sight(time.Duration(i)*hpaSync, index, replicas)
		o := scaling.Observation{Now: s.Now, Replicas: replicas, Readings: []scaling.Reading{s.Reading}, Order: scaling.OrderCost, Pods: readyPods(s)}
		d := scaling.Decide(o, policy, history)
		got := look(peer, w, s)
		if got != d.Replicas {
			t.Fatalf("look %d, index %v on %d: HPA %d, Decide %d: %s", i, s.Reading.Value, replicas, got, d.Replicas, d.Ledger())
		}
		history = history.After(o, d)
		if d.Replicas != replicas {
			history, moves = history.Moved(o, d), moves+1
		}
		replicas = d.Replicas
	}
	if moves < 200 {
		t.Errorf("too little was compared: %d moves", moves)
	}
}

func whole(v float64) bool { return math.Abs(v-math.Round(v)) < 1e-6 }

func readyPods(s *Sight) []scaling.Pod {
	born := Epoch.Add(-time.Hour)
	pods := make([]scaling.Pod, s.Ready)
	for i := range pods {
		name := string(rune('a'+i%26)) + string(rune('a'+i/26))
		pods[i] = scaling.Pod{Name: name, UID: name, Node: "n", Phase: scaling.PhaseRunning, Ready: true, ReadySince: born, Created: born}
	}
	return pods
}
