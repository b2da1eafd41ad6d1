package controller

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Statuses written per second, and in a burst. When ten thousand LoadScalers
// have news at once, because an endpoint that all of them read has failed, to
// write all of it takes minutes. Moves are not to wait behind that.
const (
	tellingsPerSecond = 100
	tellingsInBurst   = 200
)

// hasTurn reports whether a LoadScaler's status may be written now. Otherwise it
// draws a number, which has it decided, and so told, again when its turn has come:
// no worker waits meanwhile.
func (c *controller) hasTurn(key types.NamespacedName, m *memory) bool {
	now := c.now()
	if m.turn.IsZero() {
		wait := c.tellings.ReserveN(now, 1).DelayFrom(now)
		m.turn = now.Add(wait)
		if wait > 0 {
			c.wakeAfter(key, wait)
		}
	}
	if now.Before(m.turn) {
		return false
	}
	m.turn = time.Time{}
	return true
}
