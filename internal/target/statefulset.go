package target

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"cusme.dev/cusme/internal/scaling"
)

// +kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=statefulsets/scale,verbs=get;update

var statefulSetKind = appsv1.SchemeGroupVersion.WithKind("StatefulSet")

// setFacts is what is read of a StatefulSet, as of one generation.
type setFacts struct {
	uid        types.UID
	version    string
	generation int64
	// observed is the generation that its controller has looked at.
	observed int64
	// start is its first ordinal, spec.ordinals.start.
	start int64
	// newest is the revision of its template, status.updateRevision.
	newest string
}

// tell gives pods, which seen holds in the same order, what their set knows of
// them. Ordinals are counted from the set's first: what the set keeps are those
// below its replicas. One below 0 is of a pod that the set removes anyway.
func (s setFacts) tell(pods []*corev1.Pod, seen []scaling.Pod) {
	for i, p := range pods {
		seen[i].Ordinal = int32(ordinal(p) - s.start)
		revision := p.Labels[appsv1.StatefulSetRevisionLabel]
		seen[i].Outdated = revision != "" && s.newest != "" && revision != s.newest
	}
}

// setOf returns what a StatefulSet says of its pods. Where it begins to count
// has to be read: the pod of the lowest ordinal may be the one that is missing.
// Of the set only its metadata is watched, so it is read once for each
// generation, and again while its controller has not looked at that one. Until
// then its newest revision is the one before, and setOf fails with ErrBehind.
func (t *Targets) setOf(ctx context.Context, ref Ref, seen *metav1.PartialObjectMetadata) (setFacts, error) {
	var set setFacts
	t.remember(ref, func(m *memory) { set = m.set })
	if !set.covers(seen) {
		// Said before the set is read, so that no change after that goes unnoticed.
		t.remember(ref, func(m *memory) { m.awaited = true })
		var err error
		if set, err = t.readSet(ctx, ref); err != nil {
			return setFacts{}, err
		}
		t.remember(ref, func(m *memory) { m.set, m.awaited = set, !set.acknowledged() })
	}
	if !set.acknowledged() {
		return setFacts{}, fmt.Errorf("%w: the StatefulSet controller has seen generation %d, not yet %d", ErrBehind, set.observed, set.generation)
	}
	return set, nil
}

func (s setFacts) acknowledged() bool { return s.observed >= s.generation }

// covers reports whether reading the set again would tell nothing new.
func (s setFacts) covers(seen *metav1.PartialObjectMetadata) bool {
	if s.uid != seen.UID || s.generation < seen.Generation {
		return false
	}
	return s.acknowledged() || !older(s.version, seen.ResourceVersion)
}

func (t *Targets) readSet(ctx context.Context, ref Ref) (setFacts, error) {
	whole := parent(ref)
	err := t.client.Get(ctx, ref.key(), whole)
	switch {
	case apierrors.IsNotFound(err):
		return setFacts{}, missing(ref)
	case apierrors.IsForbidden(err):
		return setFacts{}, fmt.Errorf("%s: %w", t.missingRule(ref, "", "get"), err)
	case err != nil:
		return setFacts{}, err
	}
	var set appsv1.StatefulSet
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(whole.Object, &set); err != nil {
		return setFacts{}, err
	}
	return setFacts{
		uid:        set.UID,
		version:    set.ResourceVersion,
		generation: set.Generation,
		observed:   set.Status.ObservedGeneration,
		start:      int64(ptr.Deref(set.Spec.Ordinals, appsv1.StatefulSetOrdinals{}).Start),
		newest:     set.Status.UpdateRevision,
	}, nil
}

// ordinal reads a pod's number from its label, which StatefulSet controllers
// set since Kubernetes 1.28, or from the end of its name.
func ordinal(p *corev1.Pod) int64 {
	text, labelled := p.Labels[appsv1.PodIndexLabel]
	if !labelled {
		text = p.Name[strings.LastIndex(p.Name, "-")+1:]
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return n
}
