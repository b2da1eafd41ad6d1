package simulate

import (
	"math"
	"math/rand/v2"
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

// Scenes of TestScale…Replicas… in KEDA's pkg/scaling/executor/scale_scaledobjects_test.go, and its defaults.
func TestKEDABetweenNoneAndOne(t *testing.T) {
	p, w := KEDA(0.65).New(fromZero()), fromZero()
	for i, c := range []struct {
		at             time.Duration
		index          float64
		replicas, want int32
	}{
		{0, 0, 10, 0},                               // never active: not even the cooldown holds it
		{15 * time.Second, 3, 0, 0},                 // between polls
		{30 * time.Second, 3, 0, 1},                 // one first, whatever the load
		{45 * time.Second, 3, 1, 4},                 // then it is HPA's
		{60 * time.Second, 3, 4, 8},                 // last active
		{90 * time.Second, 0, 8, 16},                // HPA's window, not KEDA's
		{60*time.Second + 5*time.Minute, 0, 16, 1},  // the window is over, the cooldown not
		{390*time.Second + 0*time.Second, 0, 1, 0},  // now it is
		{390*time.Second + 15*time.Second, 0, 0, 0}, // and stays
	} {
		if got := look(p, w, sight(c.at, c.index, c.replicas)); got != c.want {
			t.Fatalf("look %d: expected %d, got %d", i+1, c.want, got)
		}
	}
}

// GenerateMetricInMili in its pkg/scalers/scaler.go makes 0 of what is not a number.
func TestKEDATakesNoNumberForNothing(t *testing.T) {
	keda, hpa := KEDA(0.65).New(everywhere()), HPA(0.65).New(everywhere())
	for at := time.Duration(0); at <= hpaWindow; at += hpaSync {
		s := sight(at, 5, 9)
		s.Reading.Problem = scaling.Invalid
		if got := hpa.Decide(s).Replicas; got != 9 {
			t.Fatalf("HPA: expected to hold 9, got %d", got)
		}
		want := int32(9)
		if at == hpaWindow {
			want = 1
		}
		if got := keda.Decide(s).Replicas; got != want {
			t.Fatalf("KEDA after %s: expected %d, got %d", at, want, got)
		}
	}
}

func TestKEDAIsHPAWhereOneStays(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	w := everywhere()
	keda, hpa, replicas := KEDA(0.65).New(w), HPA(0.65).New(w), int32(2)
	for i := range 2000 {
		s := sight(time.Duration(i)*hpaSync, max(0, random.NormFloat64()+0.5), replicas)
		got, want := look(keda, w, s), look(hpa, w, s)
		if got != want {
			t.Fatalf("look %d: KEDA %d, HPA %d", i, got, want)
		}
		replicas = min(want, 50)
	}
}

// Numbers of TestReplicaCalcAbsoluteScale… in Datadog's controllers/datadoghq/replica_calculator_test.go
// at 05119ca: a high watermark of 40, a low one of 20. The tolerance does not matter to them.
func TestWatermarkCalculates(t *testing.T) {
	for _, c := range []struct {
		name            string
		replicas, ready int32
		usage           float64
		want            int32
	}{
		{"AbsoluteScaleUp", 3, 3, 270, 21},
		{"AbsoluteScaleDown", 3, 3, 12, 1},
		{"AbsoluteScaleDownLessScale", 3, 3, 15, 2},
		{"AbsoluteScaleUpPendingLessScale", 3, 2, 120, 6},
		{"AbsoluteScaleUpPendingLessScaleExtraReplica", 3, 2, 120.001, 7},
		{"AbsoluteScaleUpPendingNoScale", 3, 1, 40, 3},
		{"within the tolerance above", 3, 3, 44, 3},
		{"beyond it", 3, 3, 44.001, 4},
		{"within the tolerance below", 3, 3, 18, 3},
		{"beyond it", 3, 3, 17.999, 2},
		{"nothing is no reason", 3, 3, 0, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Watermark(40, 20).New(everywhere()).(*watermark)
			if got := p.want(starting(0, c.usage, c.replicas, c.replicas-c.ready), milli(c.usage)); got != c.want {
				t.Errorf("expected %d, got %d", c.want, got)
			}
		})
	}
}

// Numbers of TestConvertDesiredReplicasWithRules and of the tests of both limits in
// Datadog's controllers/datadoghq/watermarkpodautoscaler_controller_test.go at 599c553.
func TestWatermarkCaps(t *testing.T) {
	if got := 423 - most(73, 423); got != 115 {
		t.Errorf("73 %% off 423: expected 115, got %d", got)
	}
	if got := 50 - most(10, 50); got != 45 {
		t.Errorf("10 %% off 50: expected 45, got %d", got)
	}
	p := Watermark(0.8, 0.5).New(everywhere()).(*watermark)
	for _, c := range []struct {
		name                  string
		replicas, ready, want int32
		capped                int32
	}{
		{"half as many more", 10, 10, 40, 15},
		{"one more at least", 1, 1, 40, 2},
		{"a fifth less", 10, 10, 1, 8},
		{"one less at least", 3, 3, 1, 2},
		{"not below what is ready", 10, 5, 1, 10},
		{"never below the minimum", 1, 1, 0, 1},
	} {
		if got := p.normal(starting(0, 0, c.replicas, c.replicas-c.ready), c.want); got != c.capped {
			t.Errorf("%s: expected %d, got %d", c.name, c.capped, got)
		}
	}
}

func TestWatermarkPauses(t *testing.T) {
	p, w := Watermark(0.8, 0.5).New(everywhere()), everywhere()
	for i, c := range []struct {
		at             time.Duration
		index          float64
		replicas, want int32
	}{
		{0, 2, 4, 6},
		{45 * time.Second, 2, 6, 6},
		{60 * time.Second, 2, 6, 9},
		{5 * time.Minute, 0.1, 9, 9},
		{6 * time.Minute, 0.1, 9, 8},
		{7 * time.Minute, 2, 8, 12}, // up again a minute later
		{20 * time.Minute, 0, 12, 12},
	} {
		if got := look(p, w, sight(c.at, c.index, c.replicas)); got != c.want {
			t.Fatalf("look %d: expected %d, got %d", i+1, c.want, got)
		}
	}
}

// Numbers of TestAutoscaler… in Knative's pkg/autoscaler/scaling/autoscaler_test.go at 3ec30c4, where the rates
// do not matter to them, or with ours of 1000 and 2.
func TestKnative(t *testing.T) {
	type turn struct {
		at             time.Duration
		ready          int32
		stable, recent float64
		want           int32
	}
	for _, c := range []struct {
		name   string
		target float64
		turns  []turn
	}{
		{"StableModeIncrease", 10, []turn{{0, 1, 50, 10, 5}, {0, 1, 100, 10, 10}}},
		{"StableModeDecrease", 10, []turn{{0, 8, 100, 100, 10}, {61 * time.Second, 8, 50, 50, 5}}},
		{"StableModeNoTrafficScaleToZero", 10, []turn{{0, 1, 1, 0, 1}, {0, 1, 0, 0, 0}}},
		{"UnpanicAfterSlowIncrease", 1, []turn{{0, 10, 11, 25, 25}, {30 * time.Second, 40, 30, 41, 41}, {62 * time.Second, 55, 50, 56, 50}}},
		{"ExtendPanicWindow", 1, []turn{{0, 10, 11, 25, 25}, {30 * time.Second, 40, 30, 80, 80}, {62 * time.Second, 80, 50, 50, 80}}},
		{"PanicModeExponentialTrackAndStabilize", 1, []turn{
			{0, 1, 6, 6, 6}, {0, 6, 36, 36, 36}, {time.Second, 36, 216, 216, 216}, {time.Second, 216, 1296, 1296, 1296}, {2 * time.Second, 1296, 1296, 1296, 1296},
		}},
		{"PanicThenUnPanicScaleDown", 10, []turn{
			{0, 1, 100, 100, 10}, {0, 10, 100, 1000, 100}, {30 * time.Second, 10, 1, 1, 100}, {61 * time.Second, 10, 1, 1, 5},
		}},
		{"RateLimitScaleDown", 10, []turn{{0, 1, 1, 1, 1}, {0, 100, 1, 1, 50}}},
		{"PanicStableLargerThanPanic", 1, []turn{{0, 5, 30, 30, 30}, {5 * time.Second, 5, 50, 30, 50}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := Knative(c.target).New(fromZero()).(*knative)
			for i, turn := range c.turns {
				if got := k.want(sight(turn.at, 0, turn.ready), turn.stable, turn.recent); got != turn.want {
					t.Fatalf("turn %d: expected %d, got %d", i+1, turn.want, got)
				}
			}
		})
	}
}

// TestStartInPanicMode in the same file: with more than one pod it begins in panic, and shrinks nothing for a minute.
func TestKnativeBeginsInPanic(t *testing.T) {
	k := Knative(0.65).New(everywhere())
	for at := time.Duration(0); at <= 2*time.Minute; at += knativeTick {
		want := int32(8)
		if at > time.Minute {
			want = 4
		}
		if got := k.Decide(sight(at, 0, 8)).Replicas; got != want {
			t.Fatalf("after %s: expected %d replicas, got %d", at, want, got)
		}
	}
}

func TestKnativeToZeroAndBack(t *testing.T) {
	w := fromZero()
	k, replicas := Knative(0.65).New(w), int32(1)
	begin := 10 * time.Minute
	for at := time.Duration(0); at <= begin+10*time.Minute; at += knativeTick {
		index := 0.0
		if at <= begin || at >= begin+5*time.Minute {
			index = 0.5
		}
		switch replicas = look(k, w, sight(at, index, replicas)); {
		case at == begin+88*time.Second && replicas != 1:
			t.Fatalf("%s after the last request it has %d replicas; expected one for a window and the grace time", at-begin, replicas)
		case at == begin+94*time.Second && replicas != 0:
			t.Fatalf("%s after the last request it has %d replicas; expected none", at-begin, replicas)
		case at == begin+5*time.Minute && replicas != 1:
			t.Fatalf("with a request it has %d replicas; expected one at once", replicas)
		}
	}
}

// Numbers of TestAPAAlgorithm_ComputeTargetReplicas in AIBrix' pkg/controller/podautoscaler/algorithm/apa_test.go at 2aff67a.
func TestAIBrixCalculates(t *testing.T) {
	for _, c := range []struct {
		name     string
		replicas int32
		usage    float64
		want     int32
	}{
		{"basic_scale_up", 2, 45, 3},
		{"scale_up_upto_ceiling", 2, 35, 3},
		{"scale_up_upto_max_scale_up", 2, 90, 4},
		{"basic_scale_down", 6, 20, 4},
		{"scale_down_upto_ceiling", 6, 18, 4},
		{"scale_down_upto_max_scale_down", 6, 10, 3},
		{"no_scaling_as_within_up_tolerance", 2, 33, 2},
		{"no_scaling_as_within_down_tolerance", 2, 27, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := AIBrix(30).New(everywhere()).(*aibrix)
			if got := a.want(c.replicas, c.usage); got != c.want {
				t.Errorf("expected %d, got %d", c.want, got)
			}
		})
	}
}

// What was lowest within five minutes is gone back to at the next reason to shrink.
func TestAIBrixRemembersTheDeepestDip(t *testing.T) {
	a := AIBrix(1).New(everywhere()).(*aibrix)
	a.indexes.span = aibrixTick // no average: the asked ones are the point
	for i, c := range []struct {
		index float64
		want  int32
	}{
		{1, 10}, {1, 10}, {0.3, 5}, {0.89, 5}, {0.8, 5},
	} {
		if got := a.Decide(sight(time.Duration(i)*aibrixTick, c.index, 10)).Replicas; got != c.want {
			t.Fatalf("look %d: expected %d, got %d", i+1, c.want, got)
		}
	}
}
