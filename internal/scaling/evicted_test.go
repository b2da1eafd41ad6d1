package scaling

import (
	"testing"
	"time"
)

// A drain of three pods made six of them: each was made up for, and replaced as well.
func TestEvictedPodsAreNotMadeUpFor(t *testing.T) {
	evicted := func(p *Pod) { p.Doomed, p.Evicted = "being evicted", true }
	d := Decide(Observation{Now: epoch, Replicas: 2, Pods: []Pod{a("a", time.Hour), a("b", time.Hour, evicted)}}, cautious, History{})
	if d.Pods.Late != 0 || d.Pods.Ready != 2 {
		t.Errorf("%+v, want none late: the evicted one is replaced", d.Pods)
	}
}
