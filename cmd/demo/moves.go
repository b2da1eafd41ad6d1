package main

import (
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// A move is one change of the Deployment's replicas. That it happened is seen
// on the Deployment itself; why, is read from the LoadScaler's status.
type move struct {
	at       time.Duration
	from, to int
	reason   string // none yet, or none ever when somebody else moved the replicas
}

// reasonTakes is how long a move waits for its reason before it is told without
// one: it is written just after the move, or once the pods have gone.
const reasonTakes = 3 * time.Second

// due reports whether there is something to say about a move by now.
func (m move) due(now time.Duration) bool {
	return m.reason != "" || now-m.at >= reasonTakes
}

func (m move) why(now time.Duration) string {
	switch {
	case !m.due(now):
		return "…"
	case m.reason == "":
		return "somebody else moved it: cusme's status has no such move"
	default:
		return m.reason
	}
}

// A logbook brings moves and their reasons together. They come from two
// watches, so either may arrive first.
type logbook struct {
	asked  int // replicas asked for at present
	known  bool
	moves  []move
	status v1alpha1.LoadScalerStatus // the newest
}

// replicas takes the number a Deployment asks for.
func (l *logbook) replicas(at time.Duration, n int) {
	if !l.known {
		l.asked, l.known = n, true
		return
	}
	if n == l.asked {
		return
	}
	l.moves = append(l.moves, move{at: at, from: l.asked, to: n})
	l.asked = n
	l.match()
}

// decided takes a LoadScaler's status.
func (l *logbook) decided(status v1alpha1.LoadScalerStatus) {
	l.status = status
	l.match()
}

// match gives the newest move its reason when the newest move in the status is that one.
func (l *logbook) match() {
	if len(l.moves) == 0 || len(l.status.Recent) == 0 {
		return
	}
	m, told := &l.moves[len(l.moves)-1], l.status.Recent[len(l.status.Recent)-1]
	if m.reason == "" && int(told.From) == m.from && int(told.To) == m.to {
		m.reason = told.Why
	}
}

// now is the newest decision's sentence.
func (l *logbook) now() string {
	if len(l.status.Reasons) == 0 {
		return "waiting for the first decision"
	}
	var d scaling.Decision
	for _, r := range l.status.Reasons {
		d.Reasons = append(d.Reasons, scaling.Reason{From: r.From, To: r.To, Why: r.Why})
	}
	return d.Ledger()
}

// directions counts moves up and down, and the most replicas ever asked for.
func (l *logbook) directions() (up, down, peak int) {
	peak = l.asked
	for _, m := range l.moves {
		if m.to > m.from {
			up++
		} else {
			down++
		}
		peak = max(peak, m.from, m.to)
	}
	return up, down, peak
}
