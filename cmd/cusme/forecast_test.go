package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A cusme that starts knows the weeks before it from the status, and orders pods before a rise that they had now.
func TestARestartKnowsTheWeek(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.5"), newDeployment(t, 2)
	d.isReady(t, 2)
	putScaler(t, d, itsDeployment, "interval: 1s", "objective: {wait: 30s}",
		fmt.Sprintf("loads: [{name: backend, http: {url: %q, value: body.data.load_balance}, staleAfter: 30s}]", b.URL))
	now := time.Now().UTC().Truncate(time.Second)
	began := now.AddDate(0, 0, -30)
	if _, err := d.cluster.Kubectl(t, "patch", "loadscaler", "webui", "-n", d.namespace, "--subresource=status", "--type=merge", "-p", weeksBefore(t, now, began)); err != nil {
		t.Fatal(err)
	}
	cusme := startController(t, d)
	d.reaches(t, 10)
	cusme.says(t, "the profile of the week expects 10 for ")
	cusme.says(t, "in the last weeks it was off by 20 %, the load alone by 70 %")
	if strings.Contains(cusme.log.String(), "cannot be used") {
		t.Error("what was learned cannot be used")
	}
	d.hasStatus(t, "{.status.desiredReplicas} {.status.learned.profile.since}", "10 "+began.Format(time.RFC3339))
}

// weeksBefore is a status of weeks that needed many replicas from the next half hour on, and yet more after it. Pods take half
// an hour to start.
func weeksBefore(t *testing.T, now, began time.Time) string {
	t.Helper()
	needs := slices.Repeat([]string{"-"}, 7*48)
	slot := (int(now.Weekday())+6)%7*48 + now.Hour()*2 + now.Minute()/30
	for i, need := range []string{"0", "40", "99"} {
		needs[(slot+i)%len(needs)] = need
	}
	var week []string
	for day := range slices.Chunk(needs, 48) {
		week = append(week, strings.Join(day, " "))
	}
	type object = map[string]any
	text, err := json.Marshal(object{"status": object{
		"currentReplicas": 2, "desiredReplicas": 2, "readyReplicas": 2, "startingReplicas": 0, "elasticReplicas": 0,
		"summary": object{"target": "Deployment/webui"},
		"account": object{"until": now.Format(time.RFC3339)},
		"learned": object{
			"startUp": object{"newestAt": now.Format(time.RFC3339), "ordinary": object{"p50": "30m0s", "p95": "30m0s", "seen": 12, "took": strings.Repeat("1800 ", 12)}},
			"profile": object{"since": began.Format(time.RFC3339), "week": week, "score": object{
				"rises": "9", "foretold": "100", "off": "20", "waiting": "70", "lateRises": "0", "lateForetold": "0", "lateOff": "0", "lateWaiting": "0",
			}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
