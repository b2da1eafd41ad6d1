package elastic

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// A Sign is something a provider writes into the status of a pod.
type Sign struct {
	// Condition is the type of the condition it stands in. Empty stands for the
	// reason of the pod itself and of every condition.
	Condition corev1.PodConditionType
	// Status is the condition's; empty stands for any.
	Status corev1.ConditionStatus
	// Reasons are the words it is told by; none stands for any. A prefix that
	// ends in a dot does not count: NoStock is found in ContainerGroup.NoStock.
	Reasons []string
}

// anyProvider is what virtual-kubelet writes when its provider refuses a pod,
// and with it every provider built on it (node/pod.go, handleProviderError).
// The pod stays Pending. Why it was refused stands in the message only: most
// often the stock, sometimes a mistake in the pod. Either way it gets no capacity.
var anyProvider = []Sign{{Reasons: []string{"ProviderFailed"}}}

// messageLength bounds messages, in characters. Some providers pass on a whole
// HTTP answer, and Azure says only after 300 characters that it is sold out.
const messageLength = 512

// SoldOut reports whether the provider refused to run a pod on one of its
// nodes. The message is one line of at most 512 characters: the provider's own
// words, else a short sentence with the reason. Besides the provider's own
// signs and virtual-kubelet's, a pod that failed before any container started
// was refused: VCI documents no more than that.
//
// A pod that once started a container had its capacity, and is never sold out,
// whatever became of it. virtual-kubelet says ProviderFailed as well of a
// running pod whose update was refused.
func (p Provider) SoldOut(pod *corev1.Pod) (message string, ok bool) {
	if pod == nil || started(pod) {
		return "", false
	}
	for _, sign := range slices.Concat(p.Refusals, anyProvider) {
		if message, ok := sign.in(pod); ok {
			return message, true
		}
	}
	if pod.Status.Phase != corev1.PodFailed || removed(pod) {
		return "", false
	}
	return words(pod.Status.Reason, pod.Status.Message), true
}

// Reclaim reports whether the provider gave notice that the capacity of a pod on
// one of its nodes will be taken away soon. why is one line, as SoldOut's message is.
func (p Provider) Reclaim(pod *corev1.Pod) (why string, ok bool) {
	if pod == nil {
		return "", false
	}
	for _, sign := range p.Notices {
		if why, ok := sign.in(pod); ok {
			return why, true
		}
	}
	return "", false
}

// Reads reports whether SoldOut or Reclaim of any of the providers would look at
// this condition, so that a watch can drop the others. Of the pod they read
// besides: the deletion timestamp, the phase, reason and message of the status,
// and of each container and init container the restart count, whether it is
// running or terminated, and whether it was terminated before.
func (r Rules) Reads(c corev1.PodCondition) bool {
	if c.Type == corev1.DisruptionTarget {
		return true
	}
	for _, p := range r {
		for _, sign := range slices.Concat(p.Refusals, p.Notices, anyProvider) {
			if sign.matches(c) {
				return true
			}
		}
	}
	return false
}

// in returns what the pod says with this sign, if it has it.
func (s Sign) in(pod *corev1.Pod) (message string, ok bool) {
	for _, c := range pod.Status.Conditions {
		if s.matches(c) {
			return words(c.Reason, c.Message, pod.Status.Message), true
		}
	}
	if s.Condition == "" && s.tells(pod.Status.Reason) {
		return words(pod.Status.Reason, pod.Status.Message), true
	}
	return "", false
}

func (s Sign) matches(c corev1.PodCondition) bool {
	return (s.Condition == "" || s.Condition == c.Type) &&
		(s.Status == "" || s.Status == c.Status) &&
		s.tells(c.Reason)
}

func (s Sign) tells(reason string) bool {
	return len(s.Reasons) == 0 || slices.Contains(s.Reasons, lastWord(reason))
}

// lastWord drops the prefixes that end in a dot.
func lastWord(reason string) string {
	return reason[strings.LastIndex(reason, ".")+1:]
}

// started reports whether a container of the pod, an init container included, ever ran.
func started(pod *corev1.Pod) bool {
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.State.Running != nil || s.State.Terminated != nil || s.LastTerminationState.Terminated != nil || s.RestartCount > 0 {
			return true
		}
	}
	return false
}

// removed reports whether somebody took the pod away: then it failed for that,
// not for want of capacity.
func removed(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue
	})
}

// words makes one line of the first message that is not empty, else of the reason.
func words(reason string, messages ...string) string {
	for _, m := range messages {
		if line := strings.Join(strings.Fields(m), " "); line != "" {
			return cut(line)
		}
	}
	if reason == "" {
		return "no container ever started, and no reason is given"
	}
	return cut(fmt.Sprintf("the provider says %s", reason))
}

func cut(line string) string {
	runes := []rune(line)
	if len(runes) <= messageLength {
		return line
	}
	return string(runes[:messageLength-1]) + "…"
}
