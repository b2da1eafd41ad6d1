package dashboard

import (
	"cmp"
	"slices"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A Moment is what is shown of one look of a policy.
type Moment struct {
	// At is the time since the beginning.
	At time.Duration
	// Load is the value that was read last; Unread says that the newest attempt brought none.
	Load   float64
	Unread bool
	// From and To are the replicas asked for before and after.
	From, To int32
	// Ready and Starting count the pods that stay, Leaving those that are being removed and still work.
	Ready, Starting, Leaving int32
	// Queued and Running count requests.
	Queued, Running int
	// Waiting is how long the oldest of those queued has waited.
	Waiting time.Duration
	// Billed is the time of all pods so far.
	Billed time.Duration
	// Reasons is the ledger of the decision; none of a policy that gives none.
	Reasons []scaling.Reason
}

// moves reports whether the policy changed the replicas.
func (m *Moment) moves() bool { return m.From != m.To }

const (
	// mostMoments is what a page holds in all: about 3 MB with their ledgers.
	mostMoments = 120_000
	// fewestMoments of one replay still make a curve.
	fewestMoments = 1_500
	// aspects of a bucket that are kept, each by one moment: see thin.
	aspects = 6
)

// A Track is what happened in one replay, over time. It keeps so many moments
// that a page can hold them, each as it was, and lets go of those between which
// nothing shows: lowest and highest values stay, and moves as far as there is room.
type Track struct {
	limit   int
	moments []Moment
	// Hidden counts the moves that there was no room for.
	Hidden int
}

// NewTrack returns an empty track, for a page that will hold so many.
func NewTrack(tracks int) *Track {
	return &Track{limit: max(fewestMoments, mostMoments/max(1, tracks))}
}

// Add appends a moment; they come by time. The reasons are copied.
func (t *Track) Add(m Moment) {
	m.Reasons = slices.Clone(m.Reasons)
	t.moments = append(t.moments, m)
	if len(t.moments) >= 2*t.limit {
		t.thin()
	}
}

// Moments returns what was kept, by time.
func (t *Track) Moments() []Moment {
	if len(t.moments) > t.limit {
		t.thin()
	}
	return t.moments
}

// thin brings the moments down to the limit. Time is cut into equal buckets, and of each stay the first moment and those
// of the lowest and highest values; what was kept once is the lowest or highest again in a wider bucket. Moves stay besides,
// unless they alone would take half of the room: then the largest do.
func (t *Track) thin() {
	least := t.leastMove()
	buckets := max(1, t.limit/2/aspects)
	first, last := t.moments[0].At, t.moments[len(t.moments)-1].At
	width := max(1, (last-first)/time.Duration(buckets)+1)
	var kept []Moment
	for from := 0; from < len(t.moments); {
		to, end := from, first+((t.moments[from].At-first)/width+1)*width
		for to < len(t.moments) && t.moments[to].At < end {
			to++
		}
		kept = t.keep(kept, t.moments[from:to], least)
		from = to
	}
	t.moments = kept
}

// keep appends what stays of one bucket.
func (t *Track) keep(kept, bucket []Moment, least int32) []Moment {
	stay := map[int]bool{0: true}
	for _, i := range []int{
		extreme(bucket, 1, func(m *Moment) float64 { return m.Load }),
		extreme(bucket, -1, func(m *Moment) float64 { return m.Load }),
		extreme(bucket, 1, func(m *Moment) float64 { return float64(m.Queued) }),
		extreme(bucket, 1, func(m *Moment) float64 { return float64(m.Waiting) }),
		extreme(bucket, 1, func(m *Moment) float64 { return float64(m.To) }),
	} {
		stay[i] = true
	}
	for i := range bucket {
		m := &bucket[i]
		switch {
		case stay[i] || m.moves() && m.step() >= least:
			kept = append(kept, *m)
		case m.moves():
			t.Hidden++
		}
	}
	return kept
}

// extreme is the index of the moment with the highest value, or the lowest with sign -1.
func extreme(moments []Moment, sign float64, value func(*Moment) float64) int {
	best := 0
	for i := range moments {
		if sign*value(&moments[i]) > sign*value(&moments[best]) {
			best = i
		}
	}
	return best
}

// step is by how many replicas a moment moves.
func (m *Moment) step() int32 { return max(m.From-m.To, m.To-m.From) }

// leastMove is the smallest step that stays: 1 while there is room for all moves.
func (t *Track) leastMove() int32 {
	var steps []int32
	for i := range t.moments {
		if t.moments[i].moves() {
			steps = append(steps, t.moments[i].step())
		}
	}
	if len(steps) <= t.limit/2 {
		return 1
	}
	slices.SortFunc(steps, func(a, b int32) int { return cmp.Compare(b, a) })
	return steps[t.limit/2] + 1
}
