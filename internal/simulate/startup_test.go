package simulate

import (
	"strings"
	"testing"
	"time"
)

// Of three pods two start as it was recorded, and one as the world's pods do.
func TestRecordedStarts(t *testing.T) {
	w := plain(0, 0)
	w.Starts = []time.Duration{10 * sec, 20 * sec}
	got, err := w.Run(t.Context(), given(Request{0, 200 * sec}), Fixed(3))
	if err != nil {
		t.Fatal(err)
	}
	if got.Starting != 90*sec || got.Waits.Max != 25*sec {
		t.Errorf("expected 90s of start-ups, and a request that waits for 25s, got %s and %s", got.Starting, got.Waits.Max)
	}
	w.Starts = []time.Duration{10 * sec, 0}
	if _, err := w.Run(t.Context(), given(), Fixed(3)); err == nil || !strings.Contains(err.Error(), "the world's Starts: expected times above 0, got [10s 0s]") {
		t.Errorf("got %v of a start that takes no time", err)
	}
}
