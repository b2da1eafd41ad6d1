package scaling

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseScenario reads the upper half of a scenario:
//
//	replicas 4 in 2..20              replicas at the start, and their bounds
//	band 0.5..0.8 target 0.65        the band of the load (target: its middle)
//	total                            the load is a sum, the band is per replica
//	objective 30s 95                 a wait and a percentile, in place of the band
//	week 2x18 20x18 2x12 off 20/70   what the half hours of each day needed in four weeks, and by how much of 100 replicas
//	                                 that was off, and the load alone; and 20 starts are known, as long as the start line above says
//	step 3/1                         fixed steps up/down
//	up|down stabilize 3m limit 2 per 1m limit 50% per 1m select min|disabled
//	minPodAge 20m [from ready]
//	order rank|cost|ordinal          how pods are removed (default rank)
//	machines 4 stock 2               pods with room on ordinary nodes; more are elastic, and of these so many find stock
//	asks                             pods say whether they are busy, every second one is
//	start 4m|never [deadline 10m]    from creation to ready
//	load 1m 0.9x3 _x2 failed invalid readings a minute apart: as the index, _ for none
//	load 1m 0.9~x3                   the same, and 2 of 5 pods gave no answer
//	load 1m 1,2x30                   two values in turn, 60 readings
//	work 1m 320x3 960x3              the same, as work shared by the ready pods
//	average 4                        each reading is the mean of so many
//	also 0.5..0.8 0.9x3 _x2          a second load, read at the same times, each as the index
//	also input 0.9x3 _x2             the same, as an input
//	valid 0..10                      what the load can be
//	fallback stale|failed|invalid after 5m replicas 4 [static|current|higher|lower]
//	window work 9h..21h every 24h    open from 9 to 21 hours after the epoch, every day
//	      min 4 max 8 ramp 10m       and the bounds then (all but the times at will)
//	wakes 3                          decide so often on every reading, a second apart
//	at 5m scale 25|max 10|restart|rollout|rollout done|start 1m|unready 3|ready
//	at 5m stock 8|busy 3|idle|doom 2  of the elastic stock; of so many pods from the first
//	at 5m hang 2                     so many pods that are not ready will never be
//	speak                            print the last sentence of every line
func parseScenario(text string) (*world, error) {
	w := &world{
		delay: 3 * time.Second, policy: Policy{StartDeadline: 10 * time.Minute},
		order: OrderRank, machines: plenty, stock: plenty, refused: map[string]time.Time{}, births: map[string]time.Time{}, refusal: 5 * time.Second, kept: 3,
	}
	w.policy.Loads = []Load{{Name: "load", Low: 0.5, High: 0.8, Target: 0.65}}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if err := w.directive(f[0], f[1:]); err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", i+1, line, err)
		}
	}
	if len(w.samples) == 0 {
		return nil, errors.New("no load or work line")
	}
	w.policy.Loads[0].StaleAfter = 3 * w.every
	w.wakes = max(1, w.wakes)
	w.startWarm()
	return w, nil
}

// startWarm gives the first replicas pods that are old and ready.
func (w *world) startWarm() {
	n := w.replicas
	w.settle(epoch.Add(-24 * time.Hour))
	for i := range w.pods {
		w.pods[i].Ready, w.pods[i].ReadySince, w.pods[i].Phase = true, w.pods[i].Created, PhaseRunning
	}
	w.replicas = n
	clear(w.refused)
}

func (w *world) directive(verb string, args []string) (err error) {
	l := &w.policy.Loads[0]
	a := &arguments{left: args}
	switch verb {
	case "replicas":
		w.replicas = a.int()
		a.word("in")
		w.policy.Min, w.policy.Max = a.span()
	case "band":
		l.Low, l.High = a.band()
		l.Target = (l.Low + l.High) / 2
		if a.is("target") {
			l.Target = a.float(a.next())
		}
	case "total":
		l.Total = true
	case "objective":
		w.policy.Objective = &Objective{Wait: a.duration(), Percentile: a.float(a.next())}
	case "week":
		w.remember(a)
	case "step":
		up, down, _ := strings.Cut(a.next(), "/")
		w.policy.Step = &FixedStep{Up: int32(a.float(up)), Down: int32(a.float(down))}
	case "up":
		w.policy.Up = a.rules()
	case "down":
		w.policy.Down = a.rules()
	case "minPodAge":
		w.policy.MinPodAge = a.duration()
		w.policy.AgeFromReady = a.is("from") && a.is("ready")
	case "order":
		w.order = Order(a.next())
	case "asks":
		w.policy.AskBusy = true
	case "machines":
		w.machines = int(a.int())
		if a.is("stock") {
			w.stock = int(a.int())
		}
	case "start":
		if w.start = -1; !a.is("never") {
			w.start = a.duration()
		}
		if a.is("deadline") {
			w.policy.StartDeadline = a.duration()
		}
	case "load", "work":
		w.work, w.every = verb == "work", a.duration()
		w.samples = a.samples()
	case "also":
		second := Load{Name: "second", StaleAfter: 3 * w.every, Input: a.is("input")}
		if !second.Input {
			second.Low, second.High = a.band()
			second.Target = (second.Low + second.High) / 2
		}
		w.policy.Loads, w.second = append(w.policy.Loads, second), a.samples()
	case "valid":
		l.ValidRange = &Range{}
		l.ValidRange.Min, l.ValidRange.Max = a.band()
	case "fallback":
		w.fallback(a)
	case "window":
		w.policy.Schedules = append(w.policy.Schedules, a.window())
	case "average":
		w.average = int(a.int())
	case "wakes":
		w.wakes = int(a.int())
	case "at":
		w.events = append(w.events, a.event())
	case "speak":
		w.speaks = true
	default:
		return errors.New("no such directive")
	}
	return a.done()
}

// remember reads what weeks before the epoch taught.
func (w *world) remember(a *arguments) {
	p := Profile{Began: epoch.Add(-4 * week)}
	for a.err == nil && len(p.Needs) < SlotsADay {
		need, times, _ := strings.Cut(a.next(), "x")
		p.Needs = append(p.Needs, slices.Repeat([]float64{a.float(need)}, int(a.float(times)))...)
	}
	p.Needs = slices.Repeat(p.Needs, 7)
	a.word("off")
	off, waiting, _ := strings.Cut(a.next(), "/")
	p.Ever = Score{Rises: 10, Foretold: 100, Off: a.float(off), Waiting: a.float(waiting)}
	w.policy.Objective.Zone = time.UTC
	w.teach(Learned{Profile: p, Ordinary: NewStarts(slices.Repeat([]time.Duration{w.start}, 20))})
}

// teach lets the world begin with what was learned before it.
func (w *world) teach(l Learned) {
	w.history.Learned, w.taught = l, l.Ordinary.Seen+l.Elastic.Seen
}

// fallback reads the rule for one state.
func (w *world) fallback(a *arguments) {
	states := map[string]State{"stale": Stale, "failed": Failed, "invalid": Invalid}
	state, f := states[a.next()], Fallback{}
	a.word("after")
	f.After = a.duration()
	a.word("replicas")
	f.Replicas = a.int()
	for word, b := range map[string]FallbackBehavior{"static": FallbackStatic, "current": FallbackCurrent, "higher": FallbackHigher, "lower": FallbackLower} {
		if a.is(word) {
			f.Behavior = b
		}
	}
	if w.policy.Fallbacks == nil {
		w.policy.Fallbacks = map[State]Fallback{}
	}
	w.policy.Fallbacks[state] = f
}

// arguments reads the words of one line; the first thing wrong is kept.
type arguments struct {
	left []string
	err  error
}

func (a *arguments) done() error {
	if a.err == nil && len(a.left) > 0 {
		a.err = fmt.Errorf("do not understand %q", a.left[0])
	}
	return a.err
}

func (a *arguments) next() string {
	if len(a.left) == 0 {
		a.err = errors.Join(a.err, errors.New("a word is missing at the end"))
		return ""
	}
	word := a.left[0]
	a.left = a.left[1:]
	return word
}

func (a *arguments) is(word string) bool {
	if len(a.left) == 0 || a.left[0] != word {
		return false
	}
	a.left = a.left[1:]
	return true
}

func (a *arguments) word(want string) {
	if got := a.next(); got != want {
		a.err = errors.Join(a.err, fmt.Errorf("expected %q, got %q", want, got))
	}
}

func (a *arguments) float(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	a.err = errors.Join(a.err, err)
	return v
}

func (a *arguments) int() int32 { return int32(a.float(a.next())) }

func (a *arguments) span() (int32, int32) {
	low, high, _ := strings.Cut(a.next(), "..")
	return int32(a.float(low)), int32(a.float(high))
}

func (a *arguments) band() (float64, float64) {
	low, high, _ := strings.Cut(a.next(), "..")
	return a.float(low), a.float(high)
}

func (a *arguments) duration() time.Duration {
	d, err := time.ParseDuration(a.next())
	a.err = errors.Join(a.err, err)
	return d
}

func (a *arguments) times() (from, to time.Duration) {
	first, second, _ := strings.Cut(a.next(), "..")
	for word, d := range map[string]*time.Duration{first: &from, second: &to} {
		parsed, err := time.ParseDuration(word)
		*d, a.err = parsed, errors.Join(a.err, err)
	}
	return from, to
}

func (a *arguments) rules() (r Rules) {
	for len(a.left) > 0 && a.err == nil {
		switch verb := a.next(); verb {
		case "stabilize":
			r.Window = a.duration()
		case "limit":
			value := a.next()
			a.word("per")
			r.Limits = append(r.Limits, Limit{
				Percent: strings.HasSuffix(value, "%"),
				Value:   int32(a.float(strings.TrimSuffix(value, "%"))),
				Period:  a.duration(),
			})
		case "select":
			r.Select = map[string]Select{"min": SelectMin, "max": SelectMax, "disabled": SelectDisabled}[a.next()]
		default:
			a.err = fmt.Errorf("do not understand %q", verb)
		}
	}
	return r
}

func (a *arguments) samples() (out []sample) {
	for len(a.left) > 0 && a.err == nil {
		word, times, many := strings.Cut(a.next(), "x")
		n := 1
		if many {
			n = int(a.float(times))
		}
		var turns []sample
		for word := range strings.SplitSeq(word, ",") {
			turns = append(turns, a.sample(word))
		}
		out = append(out, slices.Repeat(turns, n)...)
	}
	return out
}

func (a *arguments) sample(word string) (s sample) {
	word, s.partial = strings.CutSuffix(word, "~")
	switch word {
	case "_":
		s.problem = Stale
	case "failed":
		s.problem = Failed
	case "invalid":
		s.problem = Invalid
	default:
		s.value = a.float(word)
	}
	return s
}

func (a *arguments) event() event {
	e := event{at: a.duration()}
	switch verb := a.next(); verb {
	case "scale":
		n := a.int()
		e.do = func(w *world) { w.replicas = n }
	case "max":
		n := a.int()
		e.do = func(w *world) { w.policy.Max = n }
	case "restart":
		e.do = (*world).restart
	case "rollout":
		blocked := "a rollout with two live ReplicaSets"
		if a.is("done") {
			blocked = ""
		}
		e.do = func(w *world) { w.blocked = blocked }
	case "start":
		d := a.duration()
		e.do = func(w *world) { w.start = d }
	case "unready":
		n := a.int()
		e.do = func(w *world) { w.blink(int(n)) }
	case "stock":
		n := int(a.int())
		e.do = func(w *world) { w.stock = n }
	case "hang":
		n := a.int()
		e.do = func(w *world) { w.hang(n) }
	case "busy", "idle", "doom":
		e.do = a.touch(verb)
	case "ready":
		e.do = func(w *world) { w.blink(0) }
	default:
		a.err = fmt.Errorf("no such event %q", verb)
	}
	return e
}

// touch does something to the first pods.
func (a *arguments) touch(verb string) func(*world) {
	n := plenty
	if verb != "idle" {
		n = int(a.int())
	}
	return func(w *world) {
		for i := range w.pods[:min(n, len(w.pods))] {
			switch verb {
			case "busy":
				w.pods[i].Busy = Working
			case "idle":
				w.pods[i].Busy = Idle
			case "doom":
				w.pods[i].Doomed = "a spot reclaim"
			}
		}
	}
}
