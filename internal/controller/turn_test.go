package controller

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"cusme.dev/cusme/api/v1alpha1"
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

// A status that was written is kept once: as the watch shows it, and not before it does.
func TestStatusesAreKeptOnce(t *testing.T) {
	written := v1alpha1.LoadScalerStatus{DesiredReplicas: 3, Reasons: []v1alpha1.Reason{{Step: "demand"}}}
	written.Conditions = conditions(nil, 1, []condition{{v1alpha1.ConditionReady, metav1.ConditionTrue, "Understood", "it is"}})
	m := &memory{status: written, unseen: true}
	m.see(v1alpha1.LoadScalerStatus{DesiredReplicas: 2})
	if m.status.DesiredReplicas != 3 {
		t.Error("an older status took the place of the one that was written")
	}
	var shown v1alpha1.LoadScalerStatus
	text, err := json.Marshal(written)
	if err != nil || json.Unmarshal(text, &shown) != nil {
		t.Fatal(err)
	}
	m.see(shown)
	if &m.status.Reasons[0] != &shown.Reasons[0] {
		t.Error("the status is kept twice")
	}
	m.see(v1alpha1.LoadScalerStatus{DesiredReplicas: 9})
	if m.status.DesiredReplicas != 3 {
		t.Error("what somebody else wrote took the place of the status written last")
	}
}
