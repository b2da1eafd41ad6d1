package target

import (
	"context"
	"errors"
	"fmt"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Scale asks for a number of replicas, on top of the state that was observed
// and no other. It fails with ErrConflict when the target is not in that state
// any more, with ErrNotFound when it is gone, and otherwise with what the API
// server said. After it succeeded, Observe fails with ErrBehind until it sees the change.
func (t *Targets) Scale(ctx context.Context, s State, replicas int32) error {
	if err := t.scale(ctx, s, replicas); err != nil {
		return fmt.Errorf("scale %s to %d: %w", s.Ref, replicas, err)
	}
	return nil
}

func (t *Targets) scale(ctx context.Context, s State, replicas int32) error {
	if s.UID == "" || s.ResourceVersion == "" {
		return errors.New("a state without UID and resource version cannot be written on top of; observe the target first")
	}
	if replicas < 0 {
		return errors.New("replicas cannot be negative")
	}
	wanted := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Ref.Namespace, Name: s.Ref.Name, UID: s.UID, ResourceVersion: s.ResourceVersion},
		Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
	}
	written, err := t.putScale(ctx, s.Ref, wanted)
	if err != nil {
		return err
	}
	t.remember(s.Ref, func(m *memory) {
		m.uid, m.written = written.UID, written.ResourceVersion
		m.scale, m.seen = written, written.ResourceVersion
	})
	return nil
}

func (t *Targets) getScale(ctx context.Context, ref Ref) (*autoscalingv1.Scale, error) {
	answer := &unstructured.Unstructured{}
	err := t.client.SubResource("scale").Get(ctx, parent(ref), answer)
	if apierrors.IsNotFound(err) {
		// The watch shows the target itself; should it be gone by now, the watch soon says so.
		return nil, fmt.Errorf("%w: kind %s has no scale subresource: %w", ErrNoScale, ref.Kind, err)
	}
	if err != nil {
		return nil, t.refused(ref, "get", err)
	}
	return typed(answer)
}

func (t *Targets) putScale(ctx context.Context, ref Ref, wanted *autoscalingv1.Scale) (*autoscalingv1.Scale, error) {
	body, err := untyped(wanted)
	if err != nil {
		return nil, err
	}
	err = t.client.SubResource("scale").Update(ctx, parent(ref), client.WithSubResourceBody(body))
	if err != nil {
		return nil, t.refused(ref, "update", err)
	}
	return typed(body)
}

// parent names the target without a Go type, so that one path serves every kind.
func parent(ref Ref) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(ref.gvk())
	u.SetNamespace(ref.Namespace)
	u.SetName(ref.Name)
	return u
}

func untyped(scale *autoscalingv1.Scale) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(scale)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("Scale"))
	return u, nil
}

func typed(u *unstructured.Unstructured) (*autoscalingv1.Scale, error) {
	scale := &autoscalingv1.Scale{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, scale); err != nil {
		return nil, fmt.Errorf("%w: expected an autoscaling/v1 Scale, got %s %s: %w", ErrNoScale, u.GetAPIVersion(), u.GetKind(), err)
	}
	return scale, nil
}

// refused says what an answer of the API server means for the caller.
func (t *Targets) refused(ref Ref, verb string, err error) error {
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("%w: %w", ErrConflict, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %w", t.missingRule(ref, "/scale", verb), err)
	}
	return err
}

// missingRule spells out the rule that cusme's role lacks. A cusme that serves
// the whole cluster collects such rules from every ClusterRole with the label.
func (t *Targets) missingRule(ref Ref, subresource string, verbs ...string) string {
	resource := strings.ToLower(ref.Kind) + "s"
	gvk := ref.gvk()
	if mapping, err := t.client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); err == nil {
		resource = mapping.Resource.Resource
	}
	return fmt.Sprintf(
		`cusme lacks the rule {apiGroups: [%q], resources: [%q], verbs: ["%s"]} in namespace %s; grant it by a Role and RoleBinding there, or by a ClusterRole with the label cusme.dev/aggregate-to-controller: "true"`,
		gvk.Group, resource+subresource, strings.Join(verbs, `", "`), ref.Namespace)
}
