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
	young := map[scaling.Cause][]string{}
	for _, g := range tick.Decision.Gone {
		if g.Missed {
			missed = append(missed, g.Pod.Name)
		}
		if g.Young {
			young[g.By] = append(young[g.By], g.Pod.Name)
		}
	}
	for by, pods := range young {
		c.log.Info("pods went before their age", "scaler", tick.Scaler, "by", string(by), "pods", pods)
	}
	if len(missed) == 0 {
		return
	}
	note := fmt.Sprintf("a scale-in took %s, which cusme had not chosen; perhaps the pods changed in that moment", strings.Join(missed, ", "))
	c.log.Info("a scale-in took other pods than chosen", "scaler", tick.Scaler, "pods", missed)
	c.events.warn(ctx, ls, m, "VictimsMissed", note)
}
