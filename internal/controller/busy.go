package controller

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
)

// answered fills in what pods said when they were asked whether they are busy.
// What a pod's own annotation says goes first.
func (c *controller) answered(key types.NamespacedName, m *memory, pods []scaling.Pod) {
	answers := c.readings.Answers(key.String())
	if len(answers) > 0 {
		c.logSilent(key, m)
	}
	for i := range pods {
		if pods[i].Busy == "" {
			pods[i].Busy = answers[pods[i].UID]
		}
	}
}

// ask has the pods asked that a decision wants to hear from, the likeliest to
// go first. Their answers wake the scaler.
func (c *controller) ask(key types.NamespacedName, probe *v1alpha1.Busy, s target.State, names []string) error {
	if len(names) == 0 {
		return nil
	}
	var asked []load.Candidate
	addresses := s.Addresses()
	for _, name := range names {
		i := slices.IndexFunc(s.Pods, func(p scaling.Pod) bool { return p.Name == name })
		asked = append(asked, load.Candidate{UID: s.Pods[i].UID, Address: addresses[s.Pods[i].UID]})
	}
	return c.readings.Ask(key.String(), *probe, asked, func() { c.wake(key) })
}

// logSilent logs why pods that were asked count as busy, when the reasons
// change: a wrong path looks like a fleet that never rests.
func (c *controller) logSilent(key types.NamespacedName, m *memory) {
	silent := c.readings.Silences(key.String())
	reasons := slices.Compact(slices.Sorted(maps.Values(silent)))
	if m.isNew("silence", strings.Join(reasons, "; ")) {
		c.log.Info("pods did not say whether they are busy, and count as busy", "scaler", key.String(), "pods", len(silent), "reasons", reasons)
	}
}
