package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// +kubebuilder:rbac:groups="",resources=pods,verbs=patch

// patchesAtOnce bounds how many pods are patched at a time. A scale-in rarely
// takes more pods than this, and a hundred at once would crowd out whoever
// shares the API server's priority level.
const patchesAtOnce = 16

var podKind = corev1.SchemeGroupVersion.WithKind("Pod")

// Steer sees to it that of the pods in s exactly those named in mark carry
// cusme's mark, a deletion cost below that of all others, so that a scale-in
// takes them first. It costs one request for each pod whose mark is not as
// wanted, and none when all are. Pods that are leaving are let alone.
//
// The wait is how long to hold back the scale-in that the marks are for: the
// ReplicaSet controller sees marks through a watch of its own, and nothing
// says when it has. After a patch the wait is all of Options.Settle. Once all
// is as wanted it is what is left since an Observe first saw it so, at last 0;
// without marks it is 0 from the start.
//
// A cost that is not cusme's own is never overwritten: Steer then patches
// nothing, and the error names the pod. It fails with ErrConflict when a pod
// changed since it was observed, and otherwise with what the API server said;
// a part of the marks may be set then. After any patch, Observe fails with
// ErrBehind until it sees all of them.
//
// Where the API server refuses marks, by its rights or its admission, Steer
// says so once. For ten minutes Observe then finds that the ReplicaSet
// controller chooses, and Steer without marks leaves alone those that there are.
func (t *Targets) Steer(ctx context.Context, s State, mark []string) (wait time.Duration, err error) {
	if wait, err = t.steer(ctx, s, mark); err != nil {
		return 0, fmt.Errorf("steer %s: %w", s.Ref, err)
	}
	return wait, nil
}

func (t *Targets) steer(ctx context.Context, s State, mark []string) (time.Duration, error) {
	if !t.steers && len(mark) == 0 {
		return 0, nil
	}
	if len(mark) == 0 && t.vetoed(s.Ref) != "" {
		return t.unsettled(s.Ref, len(unmark(s.pods))), nil // A part of them may be new.
	}
	if !t.steers {
		return 0, errors.New(t.missingRule(podsOfNamespace(s.Ref.Namespace), "", "patch"))
	}
	patches, err := s.patches(mark)
	if err != nil {
		return 0, err
	}
	if len(patches) == 0 {
		return t.unsettled(s.Ref, len(mark)), nil
	}
	written, err := t.patchPods(ctx, patches)
	t.remember(s.Ref, func(m *memory) { m.patched = append(m.patched, written...) })
	t.noteVeto(s.Ref, err)
	return t.settle, err
}

// patches returns what leads from the marks that were seen to those wanted.
func (s State) patches(mark []string) ([]podPatch, error) {
	byName := map[string]*corev1.Pod{}
	for _, p := range s.pods {
		byName[p.Name] = p
	}
	var patches []podPatch
	for _, name := range mark {
		p := byName[name]
		switch {
		case p == nil:
			return nil, fmt.Errorf("pod %s is not among the pods that were observed; observe the target again", name)
		case leaving(p):
		case foreignCost(p):
			return nil, fmt.Errorf("pod %s has a deletion cost of %s that is not cusme's own; remove its annotation %s, or let its owner choose", name, p.Annotations[corev1.PodDeletionCost], corev1.PodDeletionCost)
		case p.Annotations[corev1.PodDeletionCost] != markedCost:
			patches = append(patches, podPatch{pod: p, cost: &markedCost})
		}
	}
	others := slices.DeleteFunc(slices.Clone(s.pods), func(p *corev1.Pod) bool { return slices.Contains(mark, p.Name) })
	return append(patches, unmark(others)...), nil
}

// patchPods sends patches side by side, and returns the versions of those that
// were made. Of several errors it returns one; a conflict only when there is no other.
func (t *Targets) patchPods(ctx context.Context, patches []podPatch) (written []podVersion, err error) {
	var (
		sending sync.WaitGroup
		mu      sync.Mutex
		slots   = make(chan struct{}, patchesAtOnce)
	)
	for _, p := range patches {
		slots <- struct{}{}
		sending.Go(func() {
			defer func() { <-slots }()
			v, failed := t.patchPod(ctx, p)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case failed == nil:
				written = append(written, v)
			case err == nil || !errors.Is(failed, ErrConflict):
				err = failed
			}
		})
	}
	sending.Wait()
	return written, err
}

// patchPod sends one patch. That its pod is gone is as good as success.
func (t *Targets) patchPod(ctx context.Context, p podPatch) (podVersion, error) {
	body, err := p.body()
	if err != nil {
		return podVersion{}, err
	}
	pod := partial(podKind) // so that the answer is no whole pod either
	pod.Namespace, pod.Name = p.pod.Namespace, p.pod.Name
	err = t.client.Patch(ctx, pod, client.RawPatch(types.MergePatchType, body))
	switch {
	case apierrors.IsNotFound(err):
		return podVersion{key: p.key(), uid: p.pod.UID, version: p.pod.ResourceVersion}, nil
	case apierrors.IsConflict(err):
		return podVersion{}, fmt.Errorf("%w: pod %s: %w", ErrConflict, p.pod.Name, err)
	case apierrors.IsForbidden(err):
		return podVersion{}, fmt.Errorf("%s: %w", t.missingRule(podsOfNamespace(p.pod.Namespace), "", "patch"), err)
	case err != nil:
		return podVersion{}, fmt.Errorf("patch pod %s: %w", p.pod.Name, err)
	}
	return podVersion{key: p.key(), uid: pod.UID, version: pod.ResourceVersion}, nil
}

// podsOfNamespace names no pod, but is enough to say which right is missing.
func podsOfNamespace(namespace string) Ref {
	return Ref{APIVersion: podKind.GroupVersion().String(), Kind: podKind.Kind, Namespace: namespace}
}

// A podVersion is the version that a patch of ours made of a pod.
type podVersion struct {
	key     types.NamespacedName
	uid     types.UID
	version string
}

// patchesSeen fails with ErrBehind while the watch shows a pod from before our
// last patch of it. Deciding on it would count marks that are not the newest.
func (t *Targets) patchesSeen(ctx context.Context, ref Ref) error {
	var patched []podVersion
	t.remember(ref, func(m *memory) { patched = m.patched })
	for _, v := range patched {
		var pod corev1.Pod
		err := t.cache.Get(ctx, v.key, &pod, client.UnsafeDisableDeepCopy)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil && pod.UID == v.uid && older(pod.ResourceVersion, v.version) {
			return fmt.Errorf("%w: version %s of pod %s was written, version %s is seen", ErrBehind, v.version, v.key.Name, pod.ResourceVersion)
		}
	}
	t.remember(ref, func(m *memory) { m.patched = nil })
	return nil
}

// noteMarks notes since when the pods that carry marks are those of s.
func (t *Targets) noteMarks(s State) {
	var uids []string
	for _, p := range unmark(s.pods) {
		uids = append(uids, string(p.pod.UID))
	}
	slices.Sort(uids)
	marks := strings.Join(uids, " ")
	t.remember(s.Ref, func(m *memory) {
		if m.marks != marks {
			m.marks, m.marksSince = marks, t.now()
		}
	})
}

// unsettled is how long the ReplicaSet controller may not yet have seen the marks.
func (t *Targets) unsettled(ref Ref, marks int) (wait time.Duration) {
	if marks == 0 {
		return 0
	}
	t.remember(ref, func(m *memory) { wait = m.marksSince.Add(t.settle).Sub(t.now()) })
	return max(wait, 0)
}
