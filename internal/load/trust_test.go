package load

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// midday is second 0 of what is said in these tests.
var midday = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func quantity(s string) *resource.Quantity { return ptr.To(resource.MustParse(s)) }

func unchanged(d time.Duration) v1alpha1.Load {
	return v1alpha1.Load{Trust: v1alpha1.Trust{UnchangedAfter: &metav1.Duration{Duration: d}}}
}

func smooth(by string, window time.Duration) v1alpha1.Load {
	return v1alpha1.Load{Trust: v1alpha1.Trust{Aggregate: &v1alpha1.Aggregate{By: by, Window: metav1.Duration{Duration: window}}}}
}

var (
	anyZero = v1alpha1.Load{Trust: v1alpha1.Trust{ConfirmZero: ptr.To(false)}}
	jump    = v1alpha1.Load{Trust: v1alpha1.Trust{MaxJump: quantity("500m")}}
	bounded = v1alpha1.Load{Trust: v1alpha1.Trust{ValidRange: &v1alpha1.Range{Min: quantity("1"), Max: quantity("100")}, MaxJump: quantity("20")}}
	atLeast = v1alpha1.Load{Trust: v1alpha1.Trust{ValidRange: &v1alpha1.Range{Min: quantity("2")}}}
	pushed  = v1alpha1.Load{Push: &v1alpha1.PushSource{}}
	both    = v1alpha1.Load{Push: &v1alpha1.PushSource{}, Trust: v1alpha1.Trust{ConfirmZero: ptr.To(true)}}
	calm    = v1alpha1.Load{Trust: v1alpha1.Trust{MaxJump: quantity("5"), Aggregate: &v1alpha1.Aggregate{Window: metav1.Duration{Duration: time.Minute}}}}
)

// TestTrust tells what is made of what is said. Said are value@second, every
// 15 s where no second is given, or a problem; made of it is value@second, a
// question mark after it where it is a remark that keeps it in force, or the problem.
func TestTrust(t *testing.T) {
	for _, c := range []struct {
		name       string
		load       v1alpha1.Load
		said, made string
		remark     string // part of the last message
	}{
		{"numbers are believed", v1alpha1.Load{}, "0.5 9 0.1", "0.5@0 9@15 0.1@30", ""},
		{"a first 0 has nothing to fall from", v1alpha1.Load{}, "0 0.5", "0@0 0.5@15", ""},
		{"a fall to 0 waits", v1alpha1.Load{}, "0.83 0", "0.83@0 0.83@0?", "0 after 0.83: believed when the next reading says so too"},
		{"and is believed when it is said again", v1alpha1.Load{}, "0.83 0 0 0", "0.83@0 0.83@0? 0@30 0@45", ""},
		{"or was none", v1alpha1.Load{}, "0.83 0 0.8 0", "0.83@0 0.83@0? 0.8@30 0.8@30?", "0 after 0.8"},
		{"a failure does not confirm it", v1alpha1.Load{}, "0.83 0 Failed", "0.83@0 0.83@0? Failed", ""},
		{"nor does it clear it", v1alpha1.Load{}, "0.83 0 Failed 0", "0.83@0 0.83@0? Failed 0@45", ""},
		{"a fall after a failure waits", v1alpha1.Load{}, "0.83 Failed 0", "0.83@0 Failed 0.83@0?", ""},
		{"the same answer again is no second opinion", both, "0.83 0@20 0@20 0@20", "0.83@0 0.83@0? 0.83@0? 0.83@0?", ""},
		{"nor is one that a cache has aged", both, "0.83 0@20 0@20.9 0@20.4", "0.83@0 0.83@0? 0.83@0? 0.83@0?", ""},
		{"answers close together confirm in time", both, "0.83 0@20 0@20.5 0@21", "0.83@0 0.83@0? 0.83@0? 0@21", ""},
		{"a clock that is set back confirms nothing", v1alpha1.Load{}, "0.83@100 0@101 0@5 0@20", "0.83@100 0.83@100? 0.83@100? 0@20", ""},
		{"near 0 is not 0", v1alpha1.Load{}, "0.83 0.001", "0.83@0 0.001@15", ""},
		{"unless that is not wanted", anyZero, "0.83 0", "0.83@0 0@15", ""},
		{"a push tells once", pushed, "0.83 0", "0.83@0 0@15", ""},

		{"a jump waits", jump, "0.5 5", "0.5@0 0.5@0?", "5 after 0.5, farther than maxJump 0.5: believed when the next reading is near it"},
		{"as far as that is none", jump, "0.5 1 0.5", "0.5@0 1@15 0.5@30", ""},
		{"downwards too", jump, "5 1", "5@0 5@0?", ""},
		{"and is believed when the next is near it", jump, "0.5 5 5.4", "0.5@0 0.5@0? 5.4@30", ""},
		{"or waits anew when it is far from both", jump, "0.5 5 9 9.1", "0.5@0 0.5@0? 0.5@0? 9.1@45", ""},
		{"or was none", jump, "0.5 5 0.6 5", "0.5@0 0.5@0? 0.6@30 0.6@30?", ""},
		{"a jump to 0 needs a second 0", jump, "5 0.1 0 0", "5@0 5@0? 5@0? 0@45", ""},
		{"a jump to near 0 is confirmed by a 0's neighbour", jump, "5 0 0.1", "5@0 5@0? 0.1@30", ""},

		{"outside of the range is invalid", bounded, "50 120", "50@0 Invalid", "it is 120, and its valid range is 1..100"},
		{"on either side", bounded, "0.5", "Invalid", "0.5"},
		{"its ends belong to it", bounded, "1 100 100", "1@0 1@0? 100@30", ""},
		{"it is not remembered", bounded, "50 120 60", "50@0 Invalid 60@30", ""},
		{"it confirms nothing", bounded, "50 90 120", "50@0 50@0? Invalid", ""},
		{"one end will do", atLeast, "1", "Invalid", "its valid range is 2 or more"},

		{"a frozen value is stale", unchanged(30 * time.Second), "0.5 0.5 0.5 0.5", "0.5@0 0.5@15 Stale Stale", "it has been exactly 0.5 since 2026-05-01 12:00:00 UTC, and unchangedAfter is 30s"},
		{"until it moves", unchanged(30 * time.Second), "0.5 0.5 0.5 0.6", "0.5@0 0.5@15 Stale 0.6@45", ""},
		{"a failure moves nothing", unchanged(30 * time.Second), "0.5 Failed 0.5", "0.5@0 Failed Stale", ""},
		{"the same answer again is not time that passes", unchanged(30 * time.Second), "0.5@0 0.5@0 0.5@0", "0.5@0 0.5@0 0.5@0", ""},
		{"a doubted value moves it", unchanged(30 * time.Second), "0.5 0 0.5 0.5", "0.5@0 0.5@0? 0.5@30 0.5@45", ""},

		{"an average", smooth("", time.Minute), "1 2 3 6", "1@0 1.5@15 2@30 3@45", ""},
		{"of the window only", smooth("avg", 30*time.Second), "1 2 3 6", "1@0 1.5@15 2.5@30 4.5@45", ""},
		{"a gap leaves the window empty", smooth("avg", 30*time.Second), "1 2 9@600", "1@0 1.5@15 9@600", ""},
		{"the greatest", smooth("max", 30*time.Second), "9 2 3", "9@0 9@15 3@30", ""},
		{"nine tenths", smooth("p90", time.Hour), "10 1 2 3 4 5 6 7 8 9", "10@0 10@15 10@30 10@45 10@60 10@75 10@90 10@105 10@120 9@135", ""},
		{"the same answer again counts once", smooth("avg", time.Minute), "1@0 4@10 4@10 4@10", "1@0 2.5@10 2.5@10 2.5@10", ""},
		{"a problem is none of the values", smooth("avg", time.Minute), "1 Failed 3", "1@0 Failed 2@30", ""},
		{"a clock that is set back begins anew", smooth("max", time.Minute), "9@100 8@110 3@5 4@20", "9@100 9@110 3@5 4@20", ""},
		{"doubts are about what is said, not what it comes to", calm, "1 20 21", "1@0 1@0? 11@30", ""},
		{"a doubted value is none of the window's", calm, "1 20 1", "1@0 1@0? 1@30", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			made, message := believe(t, c.load, c.said)
			if made != c.made {
				t.Errorf("%s is made\n%s, want\n%s", c.said, made, c.made)
			}
			if !strings.Contains(message, c.remark) {
				t.Errorf("last message %q, want it to contain %q", message, c.remark)
			}
		})
	}
}

// believe says one after the other, and returns what is made of them, and the last message.
func believe(t *testing.T, l v1alpha1.Load, said string) (made, message string) {
	t.Helper()
	trust, d := trustOf(l), doubts{}
	var out []string
	for i, word := range strings.Fields(said) {
		var got scaling.Reading
		newest := utter(t, word, time.Duration(i)*15*time.Second)
		d, got = d.after(trust, newest, newest.At)
		message = got.Message
		switch {
		case got.Problem != "":
			out = append(out, string(got.Problem))
		case got.Message != "":
			out = append(out, fmt.Sprintf("%v@%v?", got.Value, got.At.Sub(midday).Seconds()))
		default:
			out = append(out, fmt.Sprintf("%v@%v", got.Value, got.At.Sub(midday).Seconds()))
		}
	}
	return strings.Join(out, " "), message
}

func utter(t *testing.T, word string, at time.Duration) scaling.Reading {
	t.Helper()
	value, second, given := strings.Cut(word, "@")
	f, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return scaling.Reading{Load: "backend", Problem: scaling.State(word)}
	}
	if given {
		if at, err = time.ParseDuration(second + "s"); err != nil {
			t.Fatal(err)
		}
	}
	return scaling.Reading{Load: "backend", Value: f, At: midday.Add(at)}
}

// TestDrift: what is made of several values says how far the newest is from it.
func TestDrift(t *testing.T) {
	var d doubts
	var got scaling.Reading
	for i, c := range []struct{ said, drift float64 }{{2, 0}, {4, 1}, {0.5, -5.0 / 3}} {
		at := midday.Add(time.Duration(i) * 15 * time.Second)
		d, got = d.after(trustOf(smooth("avg", time.Minute)), scaling.Reading{Value: c.said, At: at}, at)
		if math.Abs(got.Drift-c.drift) > 1e-9 {
			t.Errorf("after %v: value %v, drift %v, want %v", c.said, got.Value, got.Drift, c.drift)
		}
	}
}

// TestPartialWindow: an aggregate leaves something out as long as one of its values does.
func TestPartialWindow(t *testing.T) {
	trust, d := trustOf(smooth("avg", 30*time.Second)), doubts{}
	for i, want := range []string{"1 of 2 pods", "1 of 2 pods", ""} {
		newest := scaling.Reading{Value: 1, At: midday.Add(time.Duration(i) * 15 * time.Second)}
		if i == 0 {
			newest.Partial = want
		}
		var got scaling.Reading
		if d, got = d.after(trust, newest, newest.At); got.Partial != want {
			t.Errorf("reading %d leaves out %q, want %q", i, got.Partial, want)
		}
	}
}

// TestDoubtsAreAValue: judging twice from one state gives the same twice.
func TestDoubtsAreAValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trust := trustOf(smooth(rapid.SampledFrom([]string{"avg", "max", "p90"}).Draw(t, "by"), time.Minute))
		d, at := doubts{}, midday
		for range rapid.IntRange(1, 30).Draw(t, "readings") {
			at = at.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "later")) * time.Millisecond)
			newest := scaling.Reading{Value: rapid.SampledFrom([]float64{0, 1, 5, 9}).Draw(t, "value"), At: at}
			other := newest
			other.Value = 7
			d.after(trust, other, other.At)
			next, first := d.after(trust, newest, at)
			d.after(trust, other, other.At)
			if _, again := d.after(trust, newest, at); again != first {
				t.Fatalf("judged %+v, and then %+v", first, again)
			}
			d = next
		}
	})
}

// TestTrustNeverInvents: whatever is said, what is believed lies between the
// values said within the window, is a number, is of a time when something was
// said, and is 0 only when 0 was said twice in a row or from the beginning.
func TestTrustNeverInvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := time.Duration(rapid.IntRange(1, 120).Draw(t, "window")) * time.Second
		l := smooth(rapid.SampledFrom([]string{"", "avg", "max", "p90"}).Draw(t, "by"), window)
		jumps := rapid.Bool().Draw(t, "jumps are doubted")
		if jumps {
			l.MaxJump = quantity("2")
		}
		trust, d, at := trustOf(l), doubts{}, midday
		var said []scaling.Reading
		zeros, begun := 0, false
		for range rapid.IntRange(1, 60).Draw(t, "readings") {
			at = at.Add(time.Duration(rapid.IntRange(1_000, 60_000).Draw(t, "later")) * time.Millisecond)
			newest := scaling.Reading{Load: "backend", At: at, Value: rapid.OneOf(
				rapid.SampledFrom([]float64{0, 0, 1, math.MaxFloat64, 0x1p-1022}), rapid.Float64Range(0, 5)).Draw(t, "value")}
			said = append(said, newest)
			zeros++
			if newest.Value > 0 {
				zeros, begun = 0, begun || !jumps // a doubted jump from 0 and back is no fall
			}
			var got scaling.Reading
			d, got = d.after(trust, newest, at)
			checkNotInvented(t, got, said, window)
			if got.Value == 0 && begun && zeros < 2 && got.At.Equal(at) {
				t.Fatalf("0 is believed at once, after %v", said)
			}
		}
	})
}

func checkNotInvented(t *rapid.T, got scaling.Reading, said []scaling.Reading, window time.Duration) {
	least, most, known := math.Inf(1), math.Inf(-1), false
	for _, s := range said {
		known = known || s.At.Equal(got.At)
		if age := got.At.Sub(s.At); 0 <= age && age < window {
			least, most = min(least, s.Value), max(most, s.Value)
		}
	}
	if !known || !(least <= got.Value && got.Value <= most) {
		t.Fatalf("%v of %s was not said within %s: %v", got.Value, got.At, window, said)
	}
}

// TestPushedWithoutPause: however often a load is pushed, what is remembered is bounded.
func TestPushedWithoutPause(t *testing.T) {
	l := smooth("max", time.Hour)
	l.Push = &v1alpha1.PushSource{}
	trust, d := trustOf(l), doubts{}
	for i := range 20_000 {
		newest := scaling.Reading{Value: float64(i % 7), At: midday.Add(time.Duration(i) * 250 * time.Millisecond)}
		d, newest = d.after(trust, newest, newest.At)
		if newest.Value != float64(min(i, 6)) {
			t.Fatalf("the greatest of 0..6 is %v, after %d", newest.Value, i)
		}
	}
	if n := len(d.samples); n > grains+1 || n < grains/2 {
		t.Errorf("%d values are remembered, want about %d", n, grains)
	}
}

func TestCombine(t *testing.T) {
	for _, c := range []struct {
		by     string
		values []float64
		want   float64
	}{
		{"", []float64{3, 1, 2}, 2},
		{"avg", []float64{0.1, 0.1, 0.1}, 0.1},
		{"avg", []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, 10.5},
		{"avg", []float64{math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64},
		{"max", []float64{3, 1, 2}, 3},
		{"sum", []float64{3, 1, 2}, 6},
		{"p90", []float64{7}, 7},
		{"p90", []float64{2, 1}, 2},
		{"p90", []float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 9},
		{"p90", []float64{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 10},
	} {
		before := slices.Clone(c.values)
		if got := combine(c.by, c.values); got != c.want {
			t.Errorf("%s of %v is %v, want %v", c.by, c.values, got, c.want)
		}
		if !slices.Equal(before, c.values) {
			t.Errorf("%s changed %v to %v", c.by, before, c.values)
		}
	}
}

// TestDoubtsOutliveAChange: another trust of the same source remembers what was
// said, so that no edit makes a fall to zero the first word.
func TestDoubtsOutliveAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		l := loadOf("backend", "a", "body.load")
		s.follow(t, "scaler", nil, l)
		s.expect(t, "scaler", "backend 0.5")
		s.backends["a"].now(`{"load": 0}`, nil)
		wait(interval)
		s.expect(t, "scaler", "backend 0.5")
		l.MaxJump = quantity("10")
		s.follow(t, "scaler", nil, l)
		s.expect(t, "scaler", "backend 0.5")
		wait(interval)
		s.expect(t, "scaler", "backend 0")
	})
}
