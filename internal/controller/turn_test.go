package controller

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Who has news and no turn is woken at its turn, without asking for a second one.
func TestStatusesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
		defer queue.ShutDown()
		c := &controller{now: time.Now, tellings: rate.NewLimiter(1, 1)}
		c.queue.Store(&queue)
		began, names := time.Now(), []string{"a", "b", "c"}
		memories := map[string]*memory{}
		for _, name := range names {
			memories[name] = &memory{}
		}
		if !c.hasTurn(types.NamespacedName{Name: "a"}, memories["a"]) {
			t.Error("a is not told, though nobody was before")
		}
		for _, name := range []string{"b", "b", "c", "b"} {
			if c.hasTurn(types.NamespacedName{Name: name}, memories[name]) {
				t.Errorf("%s is told before its turn", name)
			}
		}
		for i, want := range names[1:] {
			got, _ := queue.Get()
			if got.Name != want || time.Since(began) != time.Duration(i+1)*time.Second {
				t.Errorf("after %s %s is woken, expected %s after %ds", time.Since(began), got.Name, want, i+1)
			}
			if !c.hasTurn(got.NamespacedName, memories[got.Name]) {
				t.Errorf("%s is not told at its turn", got.Name)
			}
			queue.Done(got)
		}
	})
}
