package target

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"cusme.dev/cusme/internal/elastic"
)

// Trim keeps of each watched object what cusme reads, and drops the rest: a
// pod's environment, volumes and managed fields are most of its size, and hold
// things that cusme has no business to know. It is meant as the
// DefaultTransform of a controller-runtime cache; objects of kinds that this
// package does not read lose their managed fields only.
//
// A pod, node, Deployment or metadata read from such a cache must not be
// written back, nor an object that owns the order in which pods go.
//
// Of pods it keeps what the providers of these rules write; nil stands for the
// built-in ones. Options.Elastic is to be the same.
func Trim(rules elastic.Rules) func(object any) (any, error) {
	if rules == nil {
		rules = elastic.Known()
	}
	return func(object any) (any, error) { return trim(object, rules) }
}

func trim(object any, rules elastic.Rules) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		return trimPod(o, rules), nil
	case *corev1.Node:
		return trimNode(o), nil
	case *appsv1.Deployment:
		return trimDeployment(o), nil
	case *metav1.PartialObjectMetadata:
		return &metav1.PartialObjectMetadata{TypeMeta: o.TypeMeta, ObjectMeta: trimMeta(o.ObjectMeta, revisionAnnotation)}, nil
	case *unstructured.Unstructured:
		if ownsOrder(o.GroupVersionKind().GroupKind()) {
			return trimOwner(o), nil
		}
	}
	// The watch also passes tombstones, which have no metadata.
	if o, err := meta.Accessor(object); err == nil && o.GetManagedFields() != nil {
		o.SetManagedFields(nil)
	}
	return object, nil
}

// trimMeta keeps of the annotations only those named.
func trimMeta(m metav1.ObjectMeta, annotations ...string) metav1.ObjectMeta {
	kept := metav1.ObjectMeta{
		Name:              m.Name,
		Namespace:         m.Namespace,
		UID:               m.UID,
		ResourceVersion:   m.ResourceVersion,
		Generation:        m.Generation,
		CreationTimestamp: m.CreationTimestamp,
		DeletionTimestamp: m.DeletionTimestamp,
		Labels:            m.Labels,
		OwnerReferences:   m.OwnerReferences,
	}
	for _, key := range annotations {
		if value, ok := m.Annotations[key]; ok {
			metav1.SetMetaDataAnnotation(&kept, key, value)
		}
	}
	return kept
}

func trimPod(p *corev1.Pod, rules elastic.Rules) *corev1.Pod {
	kept := &corev1.Pod{
		TypeMeta:   p.TypeMeta,
		ObjectMeta: trimMeta(p.ObjectMeta, corev1.PodDeletionCost, markAnnotation, busyAnnotation),
		Spec:       corev1.PodSpec{NodeName: p.Spec.NodeName},
		Status: corev1.PodStatus{
			Phase:                 p.Status.Phase,
			Reason:                p.Status.Reason,
			Message:               p.Status.Message,
			PodIP:                 p.Status.PodIP,
			InitContainerStatuses: trimStatuses(p.Status.InitContainerStatuses),
			ContainerStatuses:     trimStatuses(p.Status.ContainerStatuses),
		},
	}
	for _, c := range p.Spec.InitContainers {
		if sidecar(p, c.Name) {
			kept.Spec.InitContainers = append(kept.Spec.InitContainers, corev1.Container{Name: c.Name, RestartPolicy: c.RestartPolicy})
		}
	}
	for _, c := range p.Status.Conditions {
		switch {
		case rules.Reads(c):
			kept.Status.Conditions = append(kept.Status.Conditions, corev1.PodCondition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message, LastTransitionTime: c.LastTransitionTime})
		case c.Type == corev1.PodReady:
			kept.Status.Conditions = append(kept.Status.Conditions, corev1.PodCondition{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime})
		}
	}
	return kept
}

func trimStatuses(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	var kept []corev1.ContainerStatus
	for _, s := range statuses {
		status := corev1.ContainerStatus{Name: s.Name, RestartCount: s.RestartCount, State: trimState(s.State)}
		status.LastTerminationState.Terminated = trimState(s.LastTerminationState).Terminated
		kept = append(kept, status)
	}
	return kept
}

// trimState keeps which state it is, and why a container waits.
func trimState(s corev1.ContainerState) corev1.ContainerState {
	var kept corev1.ContainerState
	switch {
	case s.Waiting != nil:
		kept.Waiting = &corev1.ContainerStateWaiting{Reason: s.Waiting.Reason}
	case s.Running != nil:
		kept.Running = &corev1.ContainerStateRunning{}
	case s.Terminated != nil:
		kept.Terminated = &corev1.ContainerStateTerminated{}
	}
	return kept
}

func trimNode(n *corev1.Node) *corev1.Node {
	return &corev1.Node{
		TypeMeta:   n.TypeMeta,
		ObjectMeta: trimMeta(n.ObjectMeta),
		Spec:       corev1.NodeSpec{Taints: n.Spec.Taints},
	}
}

func trimDeployment(d *appsv1.Deployment) *appsv1.Deployment {
	return &appsv1.Deployment{
		TypeMeta:   d.TypeMeta,
		ObjectMeta: trimMeta(d.ObjectMeta, revisionAnnotation),
		Spec:       appsv1.DeploymentSpec{Replicas: d.Spec.Replicas, Selector: d.Spec.Selector},
		Status: appsv1.DeploymentStatus{
			ObservedGeneration: d.Status.ObservedGeneration,
			Replicas:           d.Status.Replicas,
			UpdatedReplicas:    d.Status.UpdatedReplicas,
		},
	}
}

func ownsOrder(kind schema.GroupKind) bool {
	return slices.ContainsFunc(elastic.Owners(), func(o elastic.Owner) bool { return o.Group == kind.Group && o.Kind == kind.Kind })
}

// trimOwner keeps what tells whose order an object owns.
func trimOwner(u *unstructured.Unstructured) *unstructured.Unstructured {
	kept := &unstructured.Unstructured{Object: map[string]any{}}
	kept.SetGroupVersionKind(u.GroupVersionKind())
	kept.SetNamespace(u.GetNamespace())
	kept.SetName(u.GetName())
	kept.SetUID(u.GetUID())
	kept.SetResourceVersion(u.GetResourceVersion())
	if spec, ok := u.Object["spec"]; ok {
		kept.Object["spec"] = spec
	}
	return kept
}
