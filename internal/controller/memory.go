package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
)

// memory is what is kept of one LoadScaler between turns. It belongs to the one
// reconcile of that LoadScaler that runs at a time.
type memory struct {
	uid       types.UID
	target    target.Ref
	history   scaling.History
	lastScale time.Time
	// status is as last written. The watch may still show an older one, and
	// comparing with that would write the same again.
	status v1alpha1.LoadScalerStatus
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
	ref := refOf(ls)
	m := ms.all[key]
	if m != nil && m.uid == ls.UID && m.target == ref {
		return m
	}
	m = &memory{uid: ls.UID, target: ref, status: *ls.Status.DeepCopy()}
	if ls.Status.LastScaleTime != nil {
		m.lastScale = ls.Status.LastScaleTime.Time
	}
	if ms.all == nil {
		ms.all = map[types.NamespacedName]*memory{}
	}
	ms.all[key] = m
	return m
}

func (ms *memories) remove(key types.NamespacedName) (*memory, bool) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m, found := ms.all[key]
	delete(ms.all, key)
	return m, found
}

func refOf(ls *v1alpha1.LoadScaler) target.Ref {
	r := ls.Spec.ScaleTargetRef
	return target.Ref{APIVersion: r.APIVersion, Kind: r.Kind, Namespace: ls.Namespace, Name: r.Name}
}
