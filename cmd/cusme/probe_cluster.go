package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/secrets"
)

// clusterTimeout bounds one question to the API server.
const clusterTimeout = 10 * time.Second

// A probedCluster is where Secrets and the target are looked up, each once and
// with the user's own rights. Without a config there is none.
type probedCluster struct {
	config *rest.Config
	client client.Client
}

// newProbedCluster finds the cluster, if one is named or this is a pod of one.
func newProbedCluster(kubeconfig string, getenv func(string) string) (*probedCluster, error) {
	if kubeconfig == "" && getenv("KUBECONFIG") == "" && getenv("KUBERNETES_SERVICE_HOST") == "" {
		return &probedCluster{}, nil
	}
	config, err := restConfig(kubeconfig, "pass --kubeconfig, or set KUBECONFIG", getenv)
	if err != nil {
		return nil, err
	}
	config.Timeout = clusterTimeout
	c, err := client.New(config, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("the cluster cannot be asked: %w", err)
	}
	return &probedCluster{config, c}, nil
}

func (c *probedCluster) reachable() bool { return c.client != nil }

// Value reads a key of a Secret, as transport.Secrets wants.
func (c *probedCluster) Value(ctx context.Context, namespace, name, key string) (string, error) {
	if !c.reachable() {
		return "", fmt.Errorf("there is no cluster to read Secret %s/%s from: pass --kubeconfig, or set KUBECONFIG", namespace, name)
	}
	secret := &corev1.Secret{}
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret); err != nil {
		return "", err
	}
	value, ok := secret.Data[key]
	if !ok {
		return "", secrets.NoKeyError{Namespace: namespace, Name: name, Key: key}
	}
	return string(value), nil
}

// A view is a target, as far as a probe looks at it.
type view struct {
	observation scaling.Observation
	addresses   []load.Pod // nil when they are not known
}

// see asks for the target's scale and its pods.
func (c *probedCluster) see(ctx context.Context, s *v1alpha1.LoadScaler) (view, error) {
	ref := s.Spec.ScaleTargetRef
	target := &unstructured.Unstructured{}
	target.SetAPIVersion(ref.APIVersion)
	target.SetKind(ref.Kind)
	target.SetNamespace(s.Namespace)
	target.SetName(ref.Name)
	scale, err := c.scale(ctx, target)
	if err != nil {
		return view{observation: asIf(1)}, fmt.Errorf("the target %s %s cannot be seen: %w", ref.Kind, ref.Name, err)
	}
	seen := view{observation: scaling.Observation{Replicas: scale.Spec.Replicas, Order: scaling.OrderCost}}
	selector, err := labels.Parse(scale.Status.Selector)
	if err != nil || scale.Status.Selector == "" {
		return seen, fmt.Errorf("the target %s %s has no selector in its scale subresource that pods could be found by", ref.Kind, ref.Name)
	}
	pods := &corev1.PodList{}
	if err := c.client.List(ctx, pods, client.InNamespace(s.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return seen, fmt.Errorf("the pods of %s %s cannot be seen: %w", ref.Kind, ref.Name, err)
	}
	seen.addresses = []load.Pod{}
	for _, pod := range pods.Items {
		p := podOf(pod)
		seen.observation.Pods = append(seen.observation.Pods, p)
		seen.addresses = append(seen.addresses, load.Pod{Name: p.Name, Address: pod.Status.PodIP, Ready: p.Ready && !p.Leaving})
	}
	return seen, nil
}

// scale asks for a target's scale; what is asked without a type is answered without one.
func (c *probedCluster) scale(ctx context.Context, target *unstructured.Unstructured) (*autoscalingv1.Scale, error) {
	answer, scale := &unstructured.Unstructured{}, &autoscalingv1.Scale{}
	if err := c.client.SubResource("scale").Get(ctx, target, answer); err != nil {
		return nil, err
	}
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(answer.Object, scale)
	return scale, err
}

// podOf is a pod, as far as a probe looks at it.
func podOf(pod corev1.Pod) scaling.Pod {
	p := scaling.Pod{
		Name: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName, Phase: scaling.Phase(pod.Status.Phase), Created: pod.CreationTimestamp.Time,
		Leaving: pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed,
	}
	ready := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	if ready >= 0 && pod.Status.Conditions[ready].Status == corev1.ConditionTrue {
		p.Ready, p.ReadySince = true, pod.Status.Conditions[ready].LastTransitionTime.Time
	}
	return p
}

// asIf is a target with so many replicas, all of which have been ready for a day.
func asIf(replicas int32) scaling.Observation {
	o := scaling.Observation{Replicas: replicas, Order: scaling.OrderCost}
	yesterday := time.Now().Add(-24 * time.Hour)
	for i := range replicas {
		name := fmt.Sprintf("replica-%d", i+1)
		o.Pods = append(o.Pods, scaling.Pod{Name: name, UID: name, Node: "node", Phase: scaling.PhaseRunning, Ready: true, Created: yesterday, ReadySince: yesterday})
	}
	return o
}
