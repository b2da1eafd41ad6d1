package controller

import (
	"context"
	"fmt"
	"strings"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// tellGone tells of pods that went: every one of them in the metrics, and of
// those that went against cusme's promises in the log and in an event too.
func (c *controller) tellGone(ctx context.Context, ls *v1alpha1.LoadScaler, m *memory, tick scaling.Tick) {
	var missed []string
	for _, g := range tick.Decision.Gone {
		if g.Missed {
			missed = append(missed, g.Pod.Name)
		}
		if g.Young {
			c.log.Info("a pod went before its age", "scaler", tick.Scaler, "pod", g.Pod.Name, "by", string(g.By),
				"age", tick.Observation.Now.Sub(g.Pod.Created).String())
		}
	}
	if len(missed) == 0 {
		return
	}
	note := fmt.Sprintf("a scale-in took %s, which cusme had not chosen; perhaps the pods changed in that moment", strings.Join(missed, ", "))
	c.log.Info("a scale-in took other pods than chosen", "scaler", tick.Scaler, "pods", missed)
	c.events.warn(ctx, ls, m, "VictimsMissed", note)
}
