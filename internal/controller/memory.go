package controller

import (
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
)

// memory is what is kept of one LoadScaler between turns. It belongs to the one
// reconcile of that LoadScaler that runs at a time.
type memory struct {
	uid        types.UID
	generation int64
	since      time.Time // when that generation was first seen
	target     target.Ref
	targetUID  types.UID // as last seen
	history    scaling.History
	with       scaling.History // what the last decision was made with
	lastScale  time.Time
	recent     []v1alpha1.Move
	// left are targets scaled before, with marks that are still to be taken back.
	left []target.Ref
	// counts says that the account has been seen to grow since the start.
	counts bool
	// unaskable says why pods cannot be asked whether they are busy, as of the generation checked.
	unaskable error
	checked   int64
	// conflicts counts those in a row.
	conflicts int
	// status is as last written. The watch may still show an older one, and
	// comparing with that would write the same again.
	status v1alpha1.LoadScalerStatus
	saved  time.Time
	// unseen says that the watch has not shown the status yet.
	unseen bool
	// turn is when the status may be written that has news; zero while none has to wait.
	turn time.Time
	// logged are sentences that were logged last, by what they are about: each is logged when it changes.
	logged map[string]string
	// noted is of the last tick that was worth keeping: when it was, and its newest reading's time.
	noted struct{ at, reading time.Time }
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
func (ms *memories) of(key types.NamespacedName, ls *v1alpha1.LoadScaler) *memory {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	old := ms.all[key]
	if old != nil && old.uid == ls.UID && old.target == refOf(ls) {
		return old
	}
	if ms.all == nil {
		ms.all = map[types.NamespacedName]*memory{}
	}
	ms.all[key] = newMemory(ls, old)
	return ms.all[key]
}

// newMemory is the memory of a LoadScaler that points at this target for the
// first time. What it kept of another target before, it has to let go of; what
// it has on its account stays there.
func newMemory(ls *v1alpha1.LoadScaler, old *memory) *memory {
	m := &memory{uid: ls.UID, target: refOf(ls), status: ls.Status}
	switch {
	case old == nil:
		m.recent, m.history.Account = m.status.Recent, accountFrom(m.status.Account)
		if at := m.status.LastScaleTime; at != nil {
			m.lastScale = at.Time
		}
	case old.uid == ls.UID:
		m.recent, m.history.Account, m.counts = old.recent, old.history.Account, true
		m.history.Account.Until = time.Time{}
	}
	if old != nil {
		m.left = append(slices.Clone(old.left), old.target)
	}
	return m
}

// see lets go of a status that was written once the watch shows the same: two of
// each, of ten thousand LoadScalers, are 30 MB more than one.
//
// Who removes what was learned from the status has it forgotten. A status from
// before it was written is told apart by its account, which has another time.
func (m *memory) see(status v1alpha1.LoadScalerStatus) {
	removed := status.Learned.IsZero() && !m.status.Learned.IsZero()
	if removed {
		status.Learned = m.status.Learned
	}
	if m.unseen && equality.Semantic.DeepEqual(m.status, status) {
		m.status, m.unseen = status, false
	}
	if removed && !m.unseen {
		m.status.Learned, m.history.Learned = v1alpha1.Learned{}, scaling.Learned{}
	}
}

// count adds to the metrics what the account grew by since it was as before.
// The first growth after a start is the time in which another cusme counted.
func (m *memory) count(key types.NamespacedName, before scaling.Account) {
	if m.counts {
		countAccount(key, before, m.history.Account)
	}
	m.counts = true
}

// checkBusy checks once how pods are to be asked, as it compiles an expression.
func (m *memory) checkBusy(ls *v1alpha1.LoadScaler) error {
	if m.checked != ls.Generation {
		m.checked, m.unaskable = ls.Generation, nil
		if ls.Spec.Busy != nil {
			m.unaskable = load.CheckBusy(*ls.Spec.Busy)
		}
	}
	return m.unaskable
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

// isNew reports whether a sentence about something differs from the last one about it.
func (m *memory) isNew(about, sentence string) bool {
	if m.logged[about] == sentence {
		return false
	}
	if m.logged == nil {
		m.logged = map[string]string{}
	}
	m.logged[about] = sentence
	return sentence != ""
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
