package target

import (
	"fmt"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// memory is what is kept of a target between two looks at it. Nothing in it
// outlives the target: all of it can be had again for one request.
type memory struct {
	uid types.UID
	// selector finds the target's pods; nil until it was first observed.
	selector labels.Selector
	// written is the version our last write made; empty once the watches show it.
	written string
	// scale is the last answer of the scale subresource, and seen the version
	// the watch showed when it was asked. Not used for Deployments.
	scale *autoscalingv1.Scale
	seen  string
	// set is what was read of a StatefulSet, and awaited says that its
	// controller had not looked at its newest spec then.
	set     setFacts
	awaited bool
	// patched are our patches of its pods that the watch may not show yet.
	patched []podVersion
	// marks are the UIDs of its marked pods, and marksSince when they were first
	// seen to be these; zero while there was none.
	marks      string
	marksSince time.Time
	// veto is the last there was, in force or over.
	veto veto
}

// remember lets f look at, and change, what is kept of ref.
func (t *Targets) remember(ref Ref, f func(*memory)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	refs := t.known[ref.Namespace]
	if refs == nil {
		refs = map[Ref]*memory{}
		t.known[ref.Namespace] = refs
	}
	m := refs[ref]
	if m == nil {
		m = &memory{}
		refs[ref] = m
	}
	f(m)
}

// familyOf returns how the pods of a target are found; false until it was first observed.
func (t *Targets) familyOf(ref Ref) (f family, observed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.known[ref.Namespace][ref]
	if m == nil || m.selector == nil {
		return family{}, false
	}
	return family{ref: ref, uid: m.uid, selector: m.selector}, true
}

// Forget ends the calls of OnChange for a target that nobody scales any more. It
// leaves the pods as they are; Release does not.
func (t *Targets) Forget(ref Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known[ref.Namespace], ref)
	if len(t.known[ref.Namespace]) == 0 {
		delete(t.known, ref.Namespace)
	}
}

// caughtUp fails with ErrBehind while o, as watched, predates our own last
// write. Deciding on it would repeat the decision that was just carried out.
func (t *Targets) caughtUp(ref Ref, o metav1.Object) (err error) {
	t.remember(ref, func(m *memory) {
		if m.uid == o.GetUID() && older(o.GetResourceVersion(), m.written) {
			err = fmt.Errorf("%w: version %s was written, version %s is seen", ErrBehind, m.written, o.GetResourceVersion())
			return
		}
		m.uid, m.written = o.GetUID(), ""
	})
	return err
}

// older reports whether version a came before version b of the same object.
// API servers that do not number their versions are outside of what
// Kubernetes promises; with them a stale look ends in ErrConflict instead.
func older(a, b string) bool {
	c, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && c < 0
}
