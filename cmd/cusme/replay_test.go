package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/simulate"
)

// The hour that is replayed has all its times sixteen times shorter, also those
// of the policies: polls of 22 s, pods that take 78 s to start, requests of
// 35 s, a wait of half a minute, a window of three minutes, marks that settle within 3 s.
// The start-up and the marks put what happens to pods in the middle between two polls, and
// the window ends between two: a machine that is busy may be half a second late.
const (
	shortHour  = time.Hour / 16
	shortPoll  = 1400 * time.Millisecond
	shortStart = "4.9s"
	shortMarks = 200 * time.Millisecond
	warmPods   = 1
)

// replayedPolicies are lines of a LoadScaler's spec.
var replayedPolicies = map[string]string{
	"bands":     "behavior: {scaleUp: {policies: [{type: Percent, value: 100, periodSeconds: 1}]}, scaleDown: {stabilizationWindowSeconds: 12}}",
	"objective": "objective: {wait: 2s}",
}

// TestTheModelMovesAsTheControllerDoes: one demand, replayed through the
// controller on a real control plane and through the model, gives the same
// moves, and the log shows both. The model is told by how much the cluster was late;
// models that are wrong must be seen to be.
func TestTheModelMovesAsTheControllerDoes(t *testing.T) {
	t.Parallel()
	for name, how := range replayedPolicies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t, 0, startupAnnotation+": "+shortStart)
			s := newStudio(t, d, shortDemand())
			d.scale(t, warmPods)
			d.isReady(t, warmPods)
			file := s.scaledBy(t, how)
			startController(t, d, "--settle-time", shortMarks.String())
			s.isOver(t)
			judge(t, s, s.rerun(t, file))
		})
	}
}

// judge compares what happened with the model, and with models that are wrong: one
// that agreed as well would mean that the comparison sees nothing.
func judge(t testing.TB, s *studio, right rerun) {
	t.Helper()
	really, rehearsed := s.timeline(), right.rehearse(t)
	a := agreementOf(really, rehearsed)
	t.Logf("%s\n%s", a, sideBySide(really, rehearsed))
	if err := a.err(); err != nil {
		t.Error(err)
	}
	t.Logf("told of nothing but how long pods usually take: %s", agreementOf(really, right.untold(t)))
	for how, wrong := range right.spoiled() {
		a := agreementOf(really, wrong.rehearse(t))
		t.Logf("a model that %s: %s", how, a)
		if a.err() == nil {
			t.Errorf("expected a model that %s to move otherwise", how)
		}
	}
}

// shortDemand is a demand with three humps and a burst, Poisson's. At its height it keeps 12 pods at work.
func shortDemand() (all []simulate.Request) {
	const most = 7 // requests per second
	random := rand.New(rand.NewPCG(1, 0))
	for at := 0.0; ; {
		at += random.ExpFloat64() / most
		part := at / shortHour.Seconds()
		if part >= 1 {
			return all
		}
		rate := 1 + 4*hump(part, 0.15, 0.05) + 3*hump(part, 0.4, 0.07) + 2*hump(part, 0.85, 0.04)
		if part > 0.6 {
			rate += 4 * math.Exp(-(part-0.6)/0.03)
		}
		if random.Float64()*most < rate {
			seconds := 2.2 * math.Exp(0.5*random.NormFloat64())
			all = append(all, simulate.Request{At: clock(at), Service: clock(seconds)})
		}
	}
}

func hump(at, middle, width float64) float64 { return math.Exp(-math.Pow((at-middle)/width, 2)) }

func clock(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Truncate(time.Millisecond)
}

// A timeline is what became of the replicas.
type timeline struct {
	reads []level // of the load
	sizes []level // each change
}

type level struct {
	at    time.Duration
	value float64
}

// levelAt is the value at a moment.
func levelAt(all []level, when time.Duration) float64 {
	value := 0.0
	for _, m := range all {
		if m.at <= when {
			value = m.value
		}
	}
	return value
}

// moves counts the changes within its span.
func (l timeline) moves() (n int) {
	for _, m := range l.sizes {
		if m.at > 0 && m.at < shortHour {
			n++
		}
	}
	return n
}

// agreement says how far two timelines are alike.
type agreement struct {
	// same and apart are the parts of the time in which replicas were the same, and more than one apart, in percent.
	same, apart float64
	// really and model are their moves, pods and rehearsed their mean replicas.
	really, model   int
	pods, rehearsed float64
}

func agreementOf(really, model timeline) agreement {
	const step = 100 * time.Millisecond
	a := agreement{really: really.moves(), model: model.moves()}
	share := 100 * float64(step) / float64(shortHour)
	for now := time.Duration(0); now < shortHour; now += step {
		is, would := levelAt(really.sizes, now), levelAt(model.sizes, now)
		a.pods, a.rehearsed = a.pods+is*share/100, a.rehearsed+would*share/100
		switch off := math.Abs(is - would); {
		case off > 1:
			a.apart += share
		case off == 0:
			a.same += share
		}
	}
	return a
}

func (a agreement) String() string {
	return fmt.Sprintf("the same replicas for %.1f %% of the time, more than 1 apart for %.1f %%; %d moves really, %d in the model; on average %.2f and %.2f replicas", a.same, a.apart, a.really, a.model, a.pods, a.rehearsed)
}

// err is what is wrong with replicas that are more than one apart for over a
// twentieth of the time, or with a number of moves that differs by more than a tenth and one.
func (a agreement) err() error {
	if a.apart > 5 {
		return fmt.Errorf("expected replicas to be more than 1 apart for 5 %% of the time at most, got %.1f %%", a.apart)
	}
	if off := math.Abs(float64(a.really - a.model)); off > max(1, 0.1*float64(a.really)) {
		return fmt.Errorf("expected as many moves within a tenth, or within 1: %d really, %d in the model", a.really, a.model)
	}
	return nil
}

// sideBySide is a table of both timelines, a row for each read of the load.
func sideBySide(really, model timeline) string {
	var b strings.Builder
	b.WriteString("    at   load  model   replicas  model\n")
	for _, r := range really.reads {
		fmt.Fprintf(&b, "%7.3f %6.3f %6.3f %8.0f %6.0f\n", r.at.Seconds(), r.value, levelAt(model.reads, r.at), levelAt(really.sizes, r.at), levelAt(model.sizes, r.at))
	}
	return b.String()
}
