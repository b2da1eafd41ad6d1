package simulate

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cusme.dev/cusme/internal/scaling"
)

var within30s = scaling.Objective{Wait: 30 * time.Second, Percentile: 95}

// scores are some, of few values, so that equal ones occur.
func scores(n int) *rapid.Generator[[]Score] {
	return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) Score {
		return Score{
			Over:   float64(rapid.IntRange(0, 10).Draw(r, "over")) / 100,
			Billed: time.Duration(rapid.IntRange(30, 40).Draw(r, "billed")) * time.Hour,
		}
	}), n, n)
}

// dominates reports whether a is as good as b in both, and better in one.
func dominates(a, b Score) bool {
	return a.Over <= b.Over && a.Billed <= b.Billed && a != b
}

func TestNothingBeatsTheFront(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := scores(rapid.IntRange(0, 20).Draw(r, "n")).Draw(r, "scores")
		front := Front(all)
		for i, s := range all {
			beaten := slices.ContainsFunc(all, func(o Score) bool { return dominates(o, s) })
			twin := slices.Contains(all[:i], s)
			if on := slices.Contains(front, i); on == (beaten || twin) {
				r.Fatalf("%v: on the front %v, beaten %v, twin %v, of %v", s, on, beaten, twin, all)
			}
		}
		if !slices.IsSortedFunc(front, func(a, b int) int { return int(all[a].Billed - all[b].Billed) }) {
			r.Fatalf("not by cost: %v", front)
		}
	})
}

func TestFinalistsAreOfTheFrontAndTheCheapestThatMeet(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := scores(rapid.IntRange(0, 20).Draw(r, "n")).Draw(r, "scores")
		few := rapid.IntRange(0, 5).Draw(r, "few")
		finalists := Finalists(all, within30s, few)
		front := Front(all)
		for _, i := range front {
			alike := func(o int) bool {
				return slices.Contains(front, o) && all[o].Billed <= all[i].Billed && float64(all[i].Billed) < apart*float64(all[o].Billed)
			}
			if !slices.ContainsFunc(finalists, alike) {
				r.Fatalf("%d is on the front and neither it nor its like is a finalist: %v", i, finalists)
			}
		}
		cheapest := slices.DeleteFunc(byCost(all), func(i int) bool { return !all[i].Meets(within30s) })
		for _, i := range cheapest[:min(few, len(cheapest))] {
			if !slices.Contains(finalists, i) {
				r.Fatalf("%d meets for little and is no finalist: %v", i, finalists)
			}
		}
	})
}

// What the last part held may refuse settings; it never makes one worth taking that the first part did not.
func TestTheChoiceIsTheFirstPartsUnlessTheLastRefuses(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 15).Draw(r, "n")
		first, last := scores(n).Draw(r, "first"), scores(n).Draw(r, "last")
		c := Recommend(first, last, within30s)
		alone := Recommend(first, first, within30s)
		if !c.Meets {
			for i := range first {
				if first[i].Meets(within30s) && last[i].Meets(within30s) {
					r.Fatalf("%d meets on both parts and was not found", i)
				}
				if max(first[i].Over, last[i].Over) < max(first[c.Index].Over, last[c.Index].Over) {
					r.Fatalf("%d is nearer than %d", i, c.Index)
				}
			}
			return
		}
		if !first[c.Index].Meets(within30s) || !last[c.Index].Meets(within30s) {
			r.Fatalf("%d does not meet on both parts", c.Index)
		}
		if first[c.Index].Billed < first[alone.Index].Billed {
			r.Fatalf("the last part brought in %d, which is cheaper than %d", c.Index, alone.Index)
		}
		if c.PassedOver == 0 && c.Index != alone.Index {
			r.Fatalf("%d in place of %d, which nothing refused", c.Index, alone.Index)
		}
	})
}

func TestRecommendByHand(t *testing.T) {
	s := func(over float64, hours int) Score {
		return Score{Over: over, Billed: time.Duration(hours) * time.Hour}
	}
	first := []Score{s(0.02, 9), s(0.05, 6), s(0.04, 7), s(0.2, 3)}
	for _, c := range []struct {
		name string
		last []Score
		want Choice
	}{
		{"the cheapest that meets", []Score{s(0, 9), s(0, 6), s(0, 7), s(0, 3)}, Choice{Index: 1, Meets: true}},
		{"one refused", []Score{s(0, 9), s(0.06, 6), s(0, 7), s(0, 3)}, Choice{Index: 2, Meets: true, PassedOver: 1}},
		{"all refused: the nearest", []Score{s(0.06, 9), s(0.08, 6), s(0.07, 7), s(0.06, 3)}, Choice{Index: 0, PassedOver: 3}},
	} {
		if got := Recommend(first, c.last, within30s); got != c.want {
			t.Errorf("%s: got %+v, expected %+v", c.name, got, c.want)
		}
	}
}

// inBlocks replays a day under HPA, which is quick.
func inBlocks(t *testing.T, trace Trace) (World, []Block) {
	t.Helper()
	w := plain(1, 1)
	blocks, err := w.RunInBlocks(context.Background(), trace, HPA(0.65), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return w, blocks
}

func TestBlocksAddUpToTheWhole(t *testing.T) {
	w, blocks := inBlocks(t, Day())
	whole, err := w.Run(t.Context(), Day(), HPA(0.65))
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) != 24 {
		t.Fatalf("got %d blocks, expected 24", len(blocks))
	}
	var requests int64
	for _, b := range blocks {
		requests += b.Requests
	}
	s := ScoreOf(blocks, 95)
	if requests != whole.Requests || s.Over != whole.Waits.Over || s.Billed != whole.Billed || s.Offered != whole.Offered {
		t.Errorf("got %d requests, %+v, expected %d, %+v", requests, s, whole.Requests, whole)
	}
	if off := (s.Wait - whole.Waits.P95).Abs(); off > whole.Waits.P95/100 {
		t.Errorf("p95: got %s, expected %s", s.Wait, whole.Waits.P95)
	}
}

// A quiet block has a cost too.
func TestBlocksWithoutRequestsAreBilled(t *testing.T) {
	trace := given(Request{At: 0, Service: sec}, Request{At: 3*time.Hour + time.Minute, Service: sec})
	trace.Span = 4 * time.Hour
	_, blocks := inBlocks(t, trace)
	if b := blocks[1]; b.Requests != 0 || b.Billed != time.Hour {
		t.Errorf("got %+v, expected no request and one pod's hour", b)
	}
}

func TestBlocksNeedASpan(t *testing.T) {
	_, err := plain(1, 1).RunInBlocks(t.Context(), given(Request{}), HPA(0.65), time.Hour)
	if err == nil || err.Error() != "blocks of given: expected a length and a span above 0s, got 1h0m0s and 0s" {
		t.Errorf("got %v", err)
	}
}

// What is held out is not read: a search on the beginning cannot know it.
func TestUntilReadsNoFurther(t *testing.T) {
	other := given(Request{At: 10 * sec, Service: sec}, Request{At: 20 * sec, Service: sec}, Request{At: 30 * sec, Service: time.Hour})
	other.Span = time.Minute
	part := other.Until(20 * sec)
	if got := all(t, part, 1); len(got) != 1 || part.Span != 20*sec {
		t.Errorf("got %v within %s, expected the first one within 20s", got, part.Span)
	}
}

func TestFromBeginsAnew(t *testing.T) {
	whole := given(Request{At: 10 * sec, Service: sec}, Request{At: 20 * sec, Service: sec}, Request{At: 30 * sec, Service: sec})
	whole.Span, whole.Begin = time.Minute, Epoch
	part := whole.From(20 * sec)
	if got := all(t, part, 1); len(got) != 2 || got[0].At != 0 || part.Span != 40*sec || !part.Begin.Equal(Epoch.Add(20*sec)) {
		t.Errorf("got %v within %s from %s", got, part.Span, part.Begin)
	}
}

func TestSpreadOfBlocksThatAreAlikeIsNone(t *testing.T) {
	alike := slices.Repeat([]Block{{Requests: 100, Over: 3, Offered: time.Hour, Billed: 2 * time.Hour}}, 10)
	s := Bootstrap([][]Block{alike, alike}, 95, 1)
	if s.Over != (Interval[float64]{0.03, 0.03}) || s.Ratio != (Interval[float64]{2, 2}) {
		t.Errorf("got %+v, expected 3 %% and a ratio of 2 only", s)
	}
}

// Ten blocks of which one is bad: a history drawn from them holds none of it in 35 of 100 cases, and four or more in 1.
func TestSpreadHoldsWhatIsLikely(t *testing.T) {
	blocks := slices.Repeat([]Block{{Requests: 100, Offered: time.Hour, Billed: time.Hour}}, 10)
	blocks[3].Over = 50
	s := Bootstrap([][]Block{blocks}, 95, 1)
	if s.Over.Low != 0 || s.Over.High < 0.1 || s.Over.High > 0.15 {
		t.Errorf("got %+v, expected 0 to 10 or 15 %%", s.Over)
	}
	if again := Bootstrap([][]Block{blocks}, 95, 1); again != s {
		t.Errorf("the same seed gave %+v and %+v", s, again)
	}
}

func TestTheMiddleLeavesATwentiethOutOnBothSides(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[len(hundred)-1-i] = float64(i)
	}
	if got := middle(hundred); got != (Interval[float64]{5, 94}) {
		t.Errorf("got %v, expected 5 to 94", got)
	}
}
