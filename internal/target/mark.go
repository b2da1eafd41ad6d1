package target

import (
	"encoding/json"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/internal/scaling"
)

const (
	// markAnnotation repeats the deletion cost that cusme set. A cost without
	// it, or another one, is somebody else's: it is not overwritten and not removed.
	markAnnotation = "cusme.dev/cost"
	// busyAnnotation is how an application says of each pod whether it works on a request.
	busyAnnotation = "cusme.dev/busy"
)

// markedCost is scaling.MarkedCost as an annotation.
var markedCost = strconv.Itoa(scaling.MarkedCost)

// marked reports whether a pod's deletion cost is cusme's own.
func marked(p *corev1.Pod) bool {
	cost, priced := p.Annotations[corev1.PodDeletionCost]
	mark, signed := p.Annotations[markAnnotation]
	return priced && signed && cost == mark
}

// foreignCost reports whether somebody else set a pod's deletion cost.
func foreignCost(p *corev1.Pod) bool {
	_, priced := p.Annotations[corev1.PodDeletionCost]
	return priced && !marked(p)
}

// busy reads what the application says of a pod; anything but true and false says nothing.
func busy(p *corev1.Pod) scaling.Busy {
	switch p.Annotations[busyAnnotation] {
	case "true":
		return scaling.Working
	case "false":
		return scaling.Idle
	}
	return ""
}

// A podPatch sets a pod's deletion cost and cusme's mark beside it, or with a
// nil cost removes both, on top of the very version of the pod that was seen.
type podPatch struct {
	pod  *corev1.Pod
	cost *string
}

func (p podPatch) key() types.NamespacedName {
	return types.NamespacedName{Namespace: p.pod.Namespace, Name: p.pod.Name}
}

// body is a merge patch. The version guards against every other writer, and
// the UID against another pod of the same name, which StatefulSets make.
func (p podPatch) body() ([]byte, error) {
	return json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":             p.pod.UID,
		"resourceVersion": p.pod.ResourceVersion,
		"annotations":     map[string]*string{corev1.PodDeletionCost: p.cost, markAnnotation: p.cost},
	}})
}

// unmark returns the patches that remove cusme's marks from pods. Those of
// leaving pods go with them.
func unmark(pods []*corev1.Pod) []podPatch {
	var patches []podPatch
	for _, p := range pods {
		if marked(p) && !leaving(p) {
			patches = append(patches, podPatch{pod: p})
		}
	}
	return patches
}
