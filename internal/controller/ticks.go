package controller

import (
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/journal"
	"cusme.dev/cusme/internal/scaling"
)

// tickPause is after how long a tick without news is kept all the same: silence in a log of ticks means that no cusme ran.
const tickPause = time.Minute

// noteworthy reports whether a tick is worth keeping: replicas were written, or a
// load was read since the last one that was. Several loads that are
// read by turns make no more than two in an interval. Turns that pods or marks bring
// about are not, and there are many of them.
func (m *memory) noteworthy(t scaling.Tick, interval time.Duration) bool {
	newest := m.noted.reading
	for _, v := range t.Decision.Loads {
		if v.State == scaling.Fresh && v.At.After(newest) {
			newest = v.At
		}
	}
	since := t.Observation.Now.Sub(m.noted.at)
	news := newest.After(m.noted.reading) && since >= interval/2
	if !t.Outcome.Wrote && !news && since < max(tickPause, interval) {
		return false
	}
	m.noted.at, m.noted.reading = t.Observation.Now, newest
	return true
}

// tell gives a turn to whoever follows, and its tick to whoever keeps them.
func (c *controller) tell(ls *v1alpha1.LoadScaler, m *memory, t scaling.Tick, status v1alpha1.LoadScalerStatus) {
	news := m.noteworthy(t, IntervalOf(ls.Spec))
	if c.ticks != nil && news {
		c.ticks(t)
	}
	for _, f := range c.followers {
		f.Turned(journal.Turn{Scaler: ls, Status: status, Tick: &t, History: m.with, News: news})
	}
}
