package dashboard

import (
	"testing"
	"time"
)

// wave is a fortnight of looks, one every 15 s, with a move every hour, one peak of the queue and one dip of the load.
func wave(t *Track) (moves int) {
	at := int32(1)
	for i := range 14 * 24 * 240 {
		m := Moment{At: time.Duration(i) * 15 * time.Second, Load: 0.6, From: at, To: at, Ready: at}
		if i%240 == 100 {
			m.To, moves = 1+at%7, moves+1
		}
		at = m.To
		switch i {
		case 33_333:
			m.Queued, m.Waiting = 777, time.Hour
		case 44_444:
			m.Load = 0.01
		case 55_555:
			m.Load = 99
		}
		t.Add(m)
	}
	return moves
}

func TestATrackKeepsWhatShows(t *testing.T) {
	track := NewTrack(3)
	want := wave(track)
	moments := track.Moments()
	if len(moments) > mostMoments/3 {
		t.Errorf("expected at most %d moments, got %d", mostMoments/3, len(moments))
	}
	var moves, queued int
	lowest, highest, last := 1.0, 0.0, time.Duration(-1)
	for _, m := range moments {
		if m.moves() {
			moves++
		}
		queued = max(queued, m.Queued)
		lowest, highest = min(lowest, m.Load), max(highest, m.Load)
		if m.At <= last {
			t.Fatalf("expected moments by time, got %s after %s", m.At, last)
		}
		last = m.At
	}
	if moves != want || track.Hidden != 0 {
		t.Errorf("expected all %d moves, got %d, and %d hidden", want, moves, track.Hidden)
	}
	if queued != 777 || lowest != 0.01 || highest != 99 {
		t.Errorf("expected the highest queue 777, and loads from 0.01 to 99; got %d, and %v to %v", queued, lowest, highest)
	}
}

func TestMoreMovesThanThereIsRoomFor(t *testing.T) {
	track := NewTrack(1000)
	const looks = 20 * fewestMoments
	moves := 0
	for i := range looks {
		m := Moment{At: time.Duration(i) * time.Second, From: int32(i % 2), To: int32((i + 1) % 2)}
		if i == looks/3 {
			m.To = 50 // the one that must not be lost
		}
		if m.moves() {
			moves++
		}
		track.Add(m)
	}
	moments := track.Moments()
	kept, largest := 0, int32(0)
	for _, m := range moments {
		if m.moves() {
			kept++
		}
		largest = max(largest, m.step())
	}
	if len(moments) > fewestMoments {
		t.Errorf("expected at most %d moments, got %d", fewestMoments, len(moments))
	}
	if kept+track.Hidden != moves {
		t.Errorf("expected each of %d moves shown or counted as hidden, got %d and %d", moves, kept, track.Hidden)
	}
	if largest < 49 {
		t.Errorf("expected the largest move to stay, got one of %d", largest)
	}
}
