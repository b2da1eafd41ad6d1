package scaling

import (
	"fmt"
	"testing"
	"time"
)

func TestX(t *testing.T) {
	for _, every := range []string{"1s", "5s", "15s"} {
		for _, refusal := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 20 * time.Second} {
			for _, stock := range []int{0, 2} {
				e, _ := time.ParseDuration(every)
				w, err := parseScenario(fmt.Sprintf("replicas 4 in 2..20\nband 0.5..0.8\norder cost\nmachines 4 stock %d\nstart 1m\nminPodAge 10m\nwork %s 5x%d", stock, every, int(10*time.Minute/e)))
				if err != nil {
					t.Fatal(err)
				}
				w.refusal, w.offset = refusal, 600*time.Millisecond
				born, asked := w.born, int32(0)
				for w.next() {
					o := w.observe()
					d := Decide(o, w.policy, w.history)
					checkInvariants(t, w, o, d)
					w.history = w.history.After(o, d)
					if d.Replicas > o.Replicas {
						asked += d.Replicas - o.Replicas
					}
					w.apply(t, d)
				}
				fmt.Printf("every %s refusal %s stock %d: born %d asked %d replicas %d\n", every, refusal, stock, w.born-born, asked, w.replicas)
			}
		}
	}
}
