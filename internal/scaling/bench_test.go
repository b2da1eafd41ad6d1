package scaling

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkDecide times one decision, with its history carried on: the cost of a quiet tick.
func BenchmarkDecide(b *testing.B) {
	for _, pods := range []int{4, 100, 1000} {
		b.Run(fmt.Sprintf("%d pods", pods), func(b *testing.B) {
			w, err := parseScenario(fmt.Sprintf("replicas %d in 1..5000\nminPodAge 10m\ndown stabilize 5m\nload 15s 0.3", pods))
			if err != nil {
				b.Fatal(err)
			}
			w.next()
			o, h := w.observe(), History{}
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
