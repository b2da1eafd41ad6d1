package target

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/elastic"
	"cusme.dev/cusme/internal/scaling"
)

// +kubebuilder:rbac:groups="",resources=pods;nodes,verbs=get;list;watch

// faults are the reasons for which the kubelet keeps a container waiting and
// which time alone does not cure. ContainerCreating and PodInitializing are
// not among them: every pod passes through these.
var faults = []string{
	"CrashLoopBackOff",
	"ImagePullBackOff",
	"ErrImagePull",
	"ErrImageNeverPull",
	"InvalidImageName",
	"ImageInspectError",
	"CreateContainerConfigError",
	"CreateContainerError",
	"RunContainerError",
}

// providerFailed is the reason virtual-kubelet gives a pod that its provider
// refused to run, most often because the instance type was sold out. The phase stays Pending.
const providerFailed = "ProviderFailed"

// scalingPods returns what scaling needs to know of pods.
func (t *Targets) scalingPods(ctx context.Context, pods []*corev1.Pod) []scaling.Pod {
	hosts := map[string]host{}
	seen := make([]scaling.Pod, 0, len(pods))
	for _, p := range pods {
		node := p.Spec.NodeName
		if _, asked := hosts[node]; !asked {
			hosts[node] = t.host(ctx, node)
		}
		seen = append(seen, podOf(p, hosts[node]))
	}
	return seen
}

// host is what is known of a pod's node. The zero value is an ordinary one.
type host struct {
	elastic bool
	// provider is whose elastic node it is.
	provider elastic.Provider
}

// host returns what is known of a node. One that is gone, or may not be read,
// is taken for an ordinary one.
func (t *Targets) host(ctx context.Context, name string) host {
	if !t.nodes || name == "" {
		return host{}
	}
	var node corev1.Node
	if err := t.cache.Get(ctx, client.ObjectKey{Name: name}, &node, client.UnsafeDisableDeepCopy); err != nil {
		return host{}
	}
	provider, ok := t.rules.Of(&node)
	return host{elastic: ok, provider: provider}
}

// podOf returns what scaling needs to know of a pod on a node, but for what
// only its owners know: Ordinal and Outdated.
func podOf(p *corev1.Pod, on host) scaling.Pod {
	pod := scaling.Pod{
		Name:            p.Name,
		UID:             string(p.UID),
		Node:            p.Spec.NodeName,
		Phase:           phaseOf(p),
		Created:         p.CreationTimestamp.Time,
		Restarts:        restarts(p.Status.ContainerStatuses, func(string) bool { return true }),
		SidecarRestarts: restarts(p.Status.InitContainerStatuses, func(name string) bool { return sidecar(p, name) }),
		Cost:            cost(p),
		Marked:          marked(p),
		Busy:            busy(p),
		Broken:          broken(p),
		SoldOut:         soldOut(p, on),
		Doomed:          doomed(p, on),
		Evicted:         evicted(p) != "",
		Elastic:         on.elastic,
		Leaving:         leaving(p),
		Ended:           ended(p),
	}
	for _, c := range p.Status.Conditions {
		switch {
		case c.Type != corev1.PodReady:
		case c.Status == corev1.ConditionTrue:
			pod.Ready, pod.ReadySince = true, c.LastTransitionTime.Time
		default:
			pod.UnreadySince = c.LastTransitionTime.Time
		}
	}
	return pod
}

func phaseOf(p *corev1.Pod) scaling.Phase {
	switch p.Status.Phase {
	case corev1.PodPending:
		return scaling.PhasePending
	case corev1.PodRunning:
		return scaling.PhaseRunning
	}
	return scaling.PhaseUnknown
}

// leaving is the opposite of what ReplicaSet controllers call active.
func leaving(p *corev1.Pod) bool {
	return p.DeletionTimestamp != nil || ended(p)
}

// ended reports whether all containers have stopped for good.
func ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func restarts(statuses []corev1.ContainerStatus, counts func(name string) bool) int32 {
	var most int32
	for _, s := range statuses {
		if counts(s.Name) {
			most = max(most, s.RestartCount)
		}
	}
	return most
}

// sidecar reports whether an init container is restartable, and so lives as long as the pod.
func sidecar(p *corev1.Pod, name string) bool {
	return slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool {
		return c.Name == name && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	})
}

// cost reads the deletion cost as ReplicaSet controllers do: a missing or
// unreadable one is 0, and a plus sign or a leading zero makes it unreadable.
func cost(p *corev1.Pod) int32 {
	text := p.Annotations[corev1.PodDeletionCost]
	if text != "0" && (text == "" || text[0] == '+' || text[0] == '0') {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

// soldOut is what the provider of an elastic node said when it had nothing left for a pod.
func soldOut(p *corev1.Pod, on host) string {
	if !on.elastic {
		return ""
	}
	message, _ := on.provider.SoldOut(p)
	return message
}

// doomed says what takes a pod away: its provider, which gives notice of
// minutes, or a preemption, a drain or a taint. It still says so of a pod that
// is leaving: that one was not chosen by a scale-in.
func doomed(p *corev1.Pod, on host) string {
	if on.elastic {
		if why, ok := on.provider.Reclaim(p); ok {
			return why
		}
	}
	return evicted(p)
}

// evicted says by what a pod is being evicted. The condition is set in the
// moment in which the pod is deleted.
func evicted(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return fmt.Sprintf("being evicted (%s)", c.Reason)
		}
	}
	return ""
}

// broken says why a pod cannot serve. It leaves out messages that count
// attempts or seconds, because each of their changes would wake its scaler.
func broken(p *corev1.Pod) string {
	switch {
	case p.Status.Phase == corev1.PodFailed && p.Status.Reason != "":
		return "Failed: " + p.Status.Reason
	case p.Status.Phase == corev1.PodFailed:
		return "Failed"
	case p.Status.Reason == providerFailed:
		return providerFailed
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if w := s.State.Waiting; w != nil && slices.Contains(faults, w.Reason) {
			return fmt.Sprintf("%s in container %s", w.Reason, s.Name)
		}
	}
	return ""
}
