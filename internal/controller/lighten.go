package controller

import (
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"cusme.dev/cusme/api/v1alpha1"
)

// mostWords bounds what words keeps. Types, reasons and the usual sentences of
// conditions are about fifty.
const mostWords = 1000

// words keeps equal strings once.
type words struct {
	mu   sync.Mutex
	kept map[string]string
}

// once returns a string equal to s that everybody shares, as long as there is room.
func (w *words) once(s string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.kept[s]; ok {
		return known
	}
	if len(w.kept) < mostWords {
		w.kept[s] = s
	}
	return s
}

// lighten makes watched LoadScalers small: ten thousand of them with the same
// words in their conditions, and kubectl's copy of each manifest, are a good
// part of cusme's memory. Everything else is trimmed.
func lighten(trim toolscache.TransformFunc) toolscache.TransformFunc {
	w := &words{kept: map[string]string{}}
	return func(object any) (any, error) {
		ls, ok := object.(*v1alpha1.LoadScaler)
		if !ok {
			return trim(object)
		}
		ls.ManagedFields = nil
		delete(ls.Annotations, corev1.LastAppliedConfigAnnotation)
		ls.Status.Conditions = slices.Clip(slices.Clone(ls.Status.Conditions))
		for i := range ls.Status.Conditions {
			c := &ls.Status.Conditions[i]
			c.Type, c.Reason, c.Message = w.once(c.Type), w.once(c.Reason), w.once(c.Message)
		}
		return ls, nil
	}
}
