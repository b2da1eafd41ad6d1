package simulate

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A Score is what one setting made of a part of a demand.
type Score struct {
	// Over is the share of requests that waited longer than the world's Limit, 0 to 1.
	Over float64
	// Wait is what the share of an objective did not wait longer than.
	Wait time.Duration
	// Billed and Offered are as in Result.
	Billed, Offered time.Duration
}

// Ratio is Result.Ratio.
func (s Score) Ratio() float64 { return Result{Offered: s.Offered, Billed: s.Billed}.Ratio() }

// Meets reports whether no more requests waited too long than an objective lets.
func (s Score) Meets(o scaling.Objective) bool { return 100*s.Over <= 100-o.Percentile }

// ScoreOf sums blocks up, for an objective's percentile.
func ScoreOf(blocks []Block, percentile float64) Score {
	var s Score
	var requests, over int64
	waits := newCoarse()
	for _, b := range blocks {
		requests, over = requests+b.Requests, over+b.Over
		s.Billed, s.Offered = s.Billed+b.Billed, s.Offered+b.Offered
		if b.waits != nil {
			waits.Merge(b.waits)
		}
	}
	if requests == 0 {
		return s
	}
	s.Over = float64(over) / float64(requests)
	some := waits.TotalCount()
	if rank := percentile/100*float64(requests) - float64(requests-some); rank > 0 {
		s.Wait = time.Duration(waits.ValueAtQuantile(100*rank/float64(some))) * time.Millisecond
	}
	return s
}

// Front returns which scores are the best of their cost, the cheapest first: no
// other one is as good in both Over and Billed, and better in one. Of equal
// ones it is the first.
func Front(scores []Score) []int {
	all := byCost(scores)
	var front []int
	for _, i := range all {
		if n := len(front); n == 0 || scores[i].Over < scores[front[n-1]].Over {
			front = append(front, i)
		}
	}
	return front
}

// byCost orders scores by what they cost, and those of one cost by Over.
func byCost(scores []Score) []int {
	all := make([]int, len(scores))
	for i := range all {
		all[i] = i
	}
	slices.SortStableFunc(all, func(a, b int) int {
		return cmp.Or(cmp.Compare(scores[a].Billed, scores[b].Billed), cmp.Compare(scores[a].Over, scores[b].Over))
	})
	return all
}

// apart is by how much the cost of two settings differs, at least, for both to be worth a look.
const apart = 1.05

// Finalists returns which scores are worth another look, the cheapest first: the
// front, of settings that cost about the same the first, and the cheapest few
// that meet an objective.
func Finalists(scores []Score, o scaling.Objective, few int) []int {
	front := Front(scores)
	var all []int
	shown := 0.0
	for _, i := range byCost(scores) {
		billed := float64(scores[i].Billed)
		likely := scores[i].Meets(o) && few > 0
		if likely {
			few--
		}
		if !likely && (billed < apart*shown || !slices.Contains(front, i)) {
			continue
		}
		if slices.Contains(front, i) {
			shown = billed
		}
		all = append(all, i)
	}
	return all
}

// A Choice is which of several settings to take.
type Choice struct {
	// Index is that of the setting.
	Index int
	// Meets says that it meets the objective on both parts; otherwise none does, and it is the nearest to it.
	Meets bool
	// PassedOver counts the settings that met it on the first part for less, and missed it on the last.
	PassedOver int
}

// Recommend chooses by the scores of the first part of a demand: the cheapest
// setting that meets the objective. What the last part held can refuse it, and
// then it is the next one's turn, but never brings a cheaper one in.
func Recommend(first, last []Score, o scaling.Objective) Choice {
	var c Choice
	for _, i := range byCost(first) {
		switch {
		case !first[i].Meets(o):
		case !last[i].Meets(o):
			c.PassedOver++
		default:
			c.Index, c.Meets = i, true
			return c
		}
	}
	worse := func(i int) float64 { return max(first[i].Over, last[i].Over) }
	for i := range first {
		if worse(i) < worse(c.Index) || worse(i) == worse(c.Index) && first[i].Billed < first[c.Index].Billed {
			c.Index = i
		}
	}
	return c
}

// An Interval is within what a number is, in 90 of 100 draws.
type Interval[N cmp.Ordered] struct{ Low, High N }

// A Spread is how far the figures of a setting depend on which blocks a history happens to hold.
type Spread struct {
	Over, Ratio Interval[float64]
	Wait        Interval[time.Duration]
}

// draws is how many histories Bootstrap makes up: the ends of an Interval then have twenty beyond them.
const draws = 400

// Bootstrap makes up histories as long as the one that was replayed, of blocks
// drawn from it anew, with replacement, and tells how far their scores spread.
// Worlds holds the blocks of each world that it was replayed in; a block is
// drawn from any of them.
func Bootstrap(worlds [][]Block, percentile float64, seed uint64) Spread {
	random := rand.New(rand.NewPCG(seed, 0x74756e65))
	var over, ratio []float64
	var wait []time.Duration
	history := make([]Block, len(worlds[0]))
	for range draws {
		for i := range history {
			history[i] = worlds[random.IntN(len(worlds))][random.IntN(len(history))]
		}
		s := ScoreOf(history, percentile)
		over, ratio, wait = append(over, s.Over), append(ratio, s.Ratio()), append(wait, s.Wait)
	}
	return Spread{Over: middle(over), Ratio: middle(ratio), Wait: middle(wait)}
}

// middle is the range without the lowest and the highest twentieth.
func middle[N cmp.Ordered](all []N) Interval[N] {
	slices.Sort(all)
	beyond := len(all) / 20
	return Interval[N]{all[beyond], all[len(all)-1-beyond]}
}
