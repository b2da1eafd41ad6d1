package scaling

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkDecide times one decision, with its history carried on: a quiet tick, and one that chooses half of the pods to go.
func BenchmarkDecide(b *testing.B) {
	for _, pods := range []int{20, 1000} {
		for name, load := range map[string]string{"quiet": "0.6", "shrinking": "0.3"} {
			b.Run(fmt.Sprintf("%s with %d pods", name, pods), func(b *testing.B) {
				w, err := parseScenario(fmt.Sprintf("replicas %d in 1..5000\norder cost\nmachines %d\nminPodAge 10m\nload 15s %s", pods, pods/2, load))
				if err != nil {
					b.Fatal(err)
				}
				w.next()
				o, h := w.observe(), History{}
				h = h.After(o, Decide(o, w.policy, h))
				b.ReportAllocs()
				for b.Loop() {
					o.Now = o.Now.Add(15 * time.Second)
					o.Readings[0].At = o.Now
					d := Decide(o, w.policy, h)
					h = h.After(o, d)
				}
			})
		}
	}
}
