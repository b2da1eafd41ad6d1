package scaling

import (
	"reflect"
	"testing"
	"time"
)

// A ratio that is stuck says that demand grows with the pods. None of that stays.
func TestWhatIsFrozenTeachesNothing(t *testing.T) {
	o, start, at := Objective{Wait: 30 * time.Second, Percentile: 95}, time.Minute, epoch
	see := func(w Workload, value, ready float64) Workload {
		at = at.Add(15 * time.Second)
		return w.after(glimpse{at: at, value: value, all: value * ready, here: value * ready, ready: ready}, o, start)
	}
	known := recalled("load", nil)
	for i := range 40 {
		known = see(known, []float64{0.5, 0.8, 0.6, 0.9, 0.7}[i%5], 20)
	}
	stuck := known
	for i := range 20 {
		stuck = see(stuck, known.now.value, float64(20+i))
	}
	if !stuck.frozen() {
		t.Fatalf("20 alike on 20 to 39 pods: expected to be told frozen, got evidence of %v", stuck.Frozen)
	}
	learned := func(w Workload) any {
		return []any{w.Service, w.Past, w.Slack, w.Active, w.usual, w.known, w.late, w.bursts}
	}
	if !reflect.DeepEqual(learned(stuck), learned(known)) {
		t.Errorf("it taught something: got %+v, knew %+v", learned(stuck), learned(known))
	}
	thawed := see(stuck, 0.4, 39)
	if thawed.frozen() || len(thawed.Past) > 0 || thawed.Service != known.Service {
		t.Errorf("after 5 minutes of nothing: expected an empty past and the service time of before, got %v and %s", thawed.Past, thawed.Service.Typical())
	}
}

// Long jobs come and go seldom: that two of them stay for an hour is nothing odd, and neither is a sum that stays when pods come.
func TestSteadyIsNotFrozen(t *testing.T) {
	w, at := Workload{Service: newServiceTime(time.Hour)}, epoch
	for i := range 240 {
		at = at.Add(15 * time.Second)
		w = w.after(glimpse{at: at, value: 2, all: 2, here: 2, ready: float64(1 + i)}, Objective{Wait: 30 * time.Second, Percentile: 95}, time.Minute)
	}
	if w.frozen() {
		t.Errorf("2 jobs of an hour for an hour are told frozen, by evidence of %v", w.Frozen)
	}
}
