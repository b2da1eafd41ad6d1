package controller

import (
	"errors"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
)

// memory is what is kept of one LoadScaler between turns. It belongs to the one
// reconcile of that LoadScaler that runs at a time.
type memory struct {
	uid        types.UID
	generation int64
	target     target.Ref
	targetUID  types.UID // as last seen
	history    scaling.History
	lastScale  time.Time
	recent     []v1alpha1.Move
	// conflicts counts those in a row.
	conflicts int
	// status is as last written. The watch may still show an older one, and
	// comparing with that would write the same again.
	status v1alpha1.LoadScalerStatus
	saved  time.Time
	// marked are the pods that were last logged as marked for removal.
	marked []string
	// held is the hold that was logged last.
	held struct {
		why string
		at  time.Time
	}
}

// memories are the memories of all LoadScalers.
type memories struct {
	mu  sync.Mutex
	all map[types.NamespacedName]*memory
}

// of returns the memory of a LoadScaler, fresh when it was created anew or now
// points at another target: another target's past says nothing about this one.
// Then old is the memory that was replaced, if there was one.
func (ms *memories) of(key types.NamespacedName, ls *v1alpha1.LoadScaler) (m, old *memory) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ref := refOf(ls)
	old = ms.all[key]
	if old != nil && old.uid == ls.UID && old.target == ref {
		return old, nil
	}
	m = &memory{uid: ls.UID, target: ref, status: *ls.Status.DeepCopy()}
	m.history.Account = accountFrom(ls.Status.Account)
	m.recent = m.status.Recent
	if old == nil && ls.Status.LastScaleTime != nil {
		m.lastScale = ls.Status.LastScaleTime.Time
	}
	if ms.all == nil {
		ms.all = map[types.NamespacedName]*memory{}
	}
	ms.all[key] = m
	return m, old
}

// find returns what is kept of a LoadScaler, and nil for one that never was.
func (ms *memories) find(key types.NamespacedName) *memory {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.all[key]
}

func (ms *memories) remove(key types.NamespacedName) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.all, key)
}

// recentMoves is how many moves the status tells of.
const recentMoves = 10

// moved notes a move that was written.
func (m *memory) moved(tick scaling.Tick) {
	m.lastScale = tick.Observation.Now
	all := append(slices.Clone(m.recent), v1alpha1.Move{
		At:   metav1.Time{Time: tick.Observation.Now.Truncate(time.Second)},
		From: tick.Observation.Replicas,
		To:   tick.Decision.Replicas,
		Why:  oneLine(tick.Decision.Ledger()),
	})
	m.recent = all[max(0, len(all)-recentMoves):]
}

// retry returns how soon to try again after a conflict, 0 after anything else:
// longer with each one in a row.
func (m *memory) retry(err error) time.Duration {
	if !errors.Is(err, target.ErrConflict) {
		m.conflicts = 0
		return 0
	}
	wait := min(lastRetry, firstRetry<<min(m.conflicts, 10))
	m.conflicts++
	return wait
}

func refOf(ls *v1alpha1.LoadScaler) target.Ref {
	r := ls.Spec.ScaleTargetRef
	return target.Ref{APIVersion: r.APIVersion, Kind: r.Kind, Namespace: ls.Namespace, Name: r.Name}
}
