package controller

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
)

// answered fills in what pods said when they were asked whether they are busy.
// What a pod's own annotation says goes first.
func (c *controller) answered(key types.NamespacedName, pods []scaling.Pod) {
	answers := c.readings.Answers(key.String())
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
	for _, name := range names {
		i := slices.IndexFunc(s.Pods, func(p scaling.Pod) bool { return p.Name == name })
		asked = append(asked, load.Candidate{UID: s.Pods[i].UID, Address: s.Address(s.Pods[i].UID)})
	}
	return c.readings.Ask(key.String(), *probe, asked, func() {
		if silent := c.readings.Silences(key.String()); len(silent) > 0 {
			c.log.Info("pods did not say whether they are busy, and count as busy", "scaler", key.String(), "silent", silent)
		}
		c.wake(key)
	})
}
