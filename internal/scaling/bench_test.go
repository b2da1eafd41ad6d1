package scaling

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkDecide times one decision, with a history of four hours: a quiet tick, and those that order pods or choose half of
// them to go. The objective's load moves, as one that does not is frozen.
func BenchmarkDecide(b *testing.B) {
	for _, c := range []struct {
		name, policy string
		loads        [2]float64
	}{
		{"band, quiet", "minPodAge 10m\nload 15s 0.6", [2]float64{0.6, 0.6}},
		{"band, shrinking", "minPodAge 10m\nload 15s 0.3", [2]float64{0.3, 0.3}},
		{"objective, growing", "objective 30s 95\nload 15s 0.6", [2]float64{3, 3.1}},
		{"objective, shrinking", "minPodAge 10m\nobjective 30s 95\nload 15s 0.3", [2]float64{0.2, 0.21}},
	} {
		for _, pods := range []int{20, 200, 2000} {
			b.Run(fmt.Sprintf("%s with %d pods", c.name, pods), func(b *testing.B) {
				w, err := parseScenario(fmt.Sprintf("replicas %d in 1..5000\norder cost\nmachines %d\n%s", pods, pods/2, c.policy))
				if err != nil {
					b.Fatal(err)
				}
				w.next()
				o, h, n := w.observe(), History{}, 0
				decide := func() {
					o.Now = o.Now.Add(15 * time.Second)
					o.Readings[0].At, o.Readings[0].Value = o.Now, c.loads[n%2]
					h = h.After(o, Decide(o, w.policy, h))
					n++
				}
				for range 4 * time.Hour / (15 * time.Second) {
					decide()
				}
				b.ReportAllocs()
				for b.Loop() {
					decide()
				}
			})
		}
	}
}
