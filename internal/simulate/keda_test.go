package simulate

import (
	"math/rand/v2"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

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
