package main

import (
	"strings"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

// A move is one change of the Deployment's replicas. That it happened is seen
// on the Deployment itself; why, is read from the LoadScaler's status.
type move struct {
	at       time.Duration
	from, to int
	reasons  []v1alpha1.Reason // none yet, or none ever when somebody else moved the replicas
}

// reasonTakes is how long a move waits for its reasons before it is told
// without any: they are written just after it.
const reasonTakes = 3 * time.Second

// due reports whether there is something to say about a move by now.
func (m move) due(now time.Duration) bool {
	return len(m.reasons) > 0 || now-m.at >= reasonTakes
}

// why says a move's reasons as one sentence.
func (m move) why(now time.Duration) string {
	switch {
	case !m.due(now):
		return "…"
	case len(m.reasons) == 0:
		return "somebody else moved it: cusme's status has no reason that fits"
	default:
		return sentence(m.reasons)
	}
}

// sentence joins a ledger: what the load asks for, but which rules temper it.
func sentence(reasons []v1alpha1.Reason) string {
	var b strings.Builder
	tempered := false
	for i, r := range reasons {
		switch {
		case i == 0:
		case r.From == r.To:
			b.WriteString("; ")
		case tempered:
			b.WriteString(", and ")
		default:
			b.WriteString(", but ")
			tempered = true
		}
		b.WriteString(r.Why)
	}
	return b.String()
}

// A logbook brings moves and their reasons together. They come from two
// watches, so either may arrive first.
type logbook struct {
	asked  int // replicas asked for at present
	known  bool
	moves  []move
	status []v1alpha1.Reason // of the newest decision
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

// decided takes the reasons of a LoadScaler's status.
func (l *logbook) decided(reasons []v1alpha1.Reason) {
	l.status = reasons
	l.match()
}

// match gives the newest move its reasons when the newest decision led exactly there.
func (l *logbook) match() {
	if len(l.moves) == 0 || len(l.status) == 0 {
		return
	}
	m := &l.moves[len(l.moves)-1]
	first, last := l.status[0], l.status[len(l.status)-1]
	if len(m.reasons) > 0 || int(first.From) != m.from || int(last.To) != m.to {
		return
	}
	m.reasons = l.status
}

// now is the newest decision's sentence.
func (l *logbook) now() string {
	if len(l.status) == 0 {
		return "waiting for the first decision"
	}
	return sentence(l.status)
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
