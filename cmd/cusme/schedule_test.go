package main

import (
	"fmt"
	"testing"
	"time"
)

// A window opens on the minute, although no reading comes that could tell: the next is hours away, and the load has not changed.
func TestAWindowOpensBetweenReadings(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.6"), newDeployment(t, 2)
	d.isReady(t, 2)
	opens := time.Now().UTC().Add(30 * time.Second).Truncate(time.Minute).Add(time.Minute)
	const cron = "4 15 * * *"
	putScaler(t, d, itsDeployment, "interval: 24h",
		fmt.Sprintf("loads: [{name: backend, http: {url: %q, value: body.data.load_balance}}]", b.URL),
		fmt.Sprintf("schedules: [{name: work, start: %q, end: %q, timeZone: Etc/UTC, minReplicas: 4, ramp: 0s}]", opens.Format(cron), opens.Add(time.Hour).Format(cron)))
	cusme := startController(t, d)
	d.hasStatus(t, "{.status.desiredReplicas} {.status.reasons[*].step}", "2 demand")
	d.reaches(t, 4)
	if early := time.Until(opens); early > 0 {
		t.Errorf("the window opened %s too early", early)
	}
	cusme.says(t, fmt.Sprintf("opened %s Etc/UTC: at least 4", opens.Format("15:04")))
}
