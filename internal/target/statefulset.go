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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/internal/scaling"
)

// +kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=statefulsets/scale,verbs=get;update

var statefulSetKind = appsv1.SchemeGroupVersion.WithKind("StatefulSet")

// firstOrdinal is a StatefulSet's spec.ordinals.start, as of one generation.
type firstOrdinal struct {
	uid        types.UID
	generation int64
	start      int64
}

// number gives a StatefulSet's pods their ordinals, counted from the set's
// first: what the set keeps are those below its replicas. seen are the pods in
// the same order. An ordinal below 0 is of a pod that the set removes anyway.
func (t *Targets) number(ctx context.Context, ref Ref, set *metav1.PartialObjectMetadata, pods []*corev1.Pod, seen []scaling.Pod) error {
	start, err := t.startOf(ctx, ref, set)
	if err != nil {
		return err
	}
	for i, p := range pods {
		seen[i].Ordinal = int32(ordinal(p) - start)
	}
	return nil
}

// startOf returns where a StatefulSet begins to count. The lowest ordinal there
// is would not do: that pod may be the one that is missing. Of the set only its
// metadata is watched, so it is read once for each generation.
func (t *Targets) startOf(ctx context.Context, ref Ref, set *metav1.PartialObjectMetadata) (int64, error) {
	var first firstOrdinal
	t.remember(ref, func(m *memory) { first = m.first })
	if first.uid == set.UID && first.generation >= set.Generation {
		return first.start, nil
	}
	whole := parent(ref)
	err := t.client.Get(ctx, ref.key(), whole)
	switch {
	case apierrors.IsNotFound(err):
		return 0, missing(ref)
	case apierrors.IsForbidden(err):
		return 0, fmt.Errorf("%s: %w", t.missingRule(ref, "", "get"), err)
	case err != nil:
		return 0, err
	}
	start, _, err := unstructured.NestedInt64(whole.Object, "spec", "ordinals", "start")
	if err != nil {
		return 0, err
	}
	t.remember(ref, func(m *memory) {
		m.first = firstOrdinal{uid: whole.GetUID(), generation: whole.GetGeneration(), start: start}
	})
	return start, nil
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
