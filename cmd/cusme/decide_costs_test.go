package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestDecideCosts: which pods go, and what has to be set so that they do.
func TestDecideCosts(t *testing.T) {
	t.Parallel()
	const old, new, now = `"created":"2026-11-23T08:00:00Z"`, `"created":"2026-11-23T16:59:00Z"`, `{"time":"2026-11-23T17:00:00Z","load":`
	ready := func(name, more string) string { return fmt.Sprintf(`{"name":%q,"ready":true,%s}`, name, more) }
	for name, test := range map[string]struct {
		kind, spec, line string
		replicas         int32
		costs, why       string
	}{
		"the older of two alike": {
			line:     now + `0.2,"replicas":2,"pods":[` + ready("a", new) + `,` + ready("b", old) + `]}`,
			replicas: 1, costs: "map[b:-1]", why: "1 replica is enough",
		},
		"the unready one, marked as well": {
			line:     now + `0.2,"replicas":2,"pods":[` + ready("a", old) + `,{"name":"b",` + new + `}]}`,
			replicas: 1, costs: "map[b:-1]", why: "1 replica is enough",
		},
		"the idle one": {
			spec:     "  busy: {port: 8080, value: body.busy}",
			line:     now + `0.2,"replicas":2,"pods":[` + ready("a", old+`,"busy":true`) + `,` + ready("b", new) + `]}`,
			replicas: 1, costs: "map[b:-1]", why: "1 replica is enough",
		},
		"the elastic one": {
			line:     now + `0.2,"replicas":2,"pods":[` + ready("a", old) + `,` + ready("b", new+`,"elastic":true`) + `]}`,
			replicas: 1, costs: "map[b:-1]", why: "1 replica is enough",
		},
		"one that carries the mark keeps it": {
			line:     now + `0.2,"replicas":2,"pods":[` + ready("a", old) + `,` + ready("b", new+`,"deletionCost":-1`) + `]}`,
			replicas: 1, costs: "map[b:-1]", why: "1 replica is enough",
		},
		"a mark that nothing wants any more": {
			line:     now + `0.6,"replicas":2,"pods":[` + ready("a", old) + `,` + ready("b", old+`,"deletionCost":-1`) + `]}`,
			replicas: 2, costs: "map[b:0]", why: "within",
		},
		"a young one in the way": {
			spec:     "  minPodAge: 10m",
			line:     now + `0.2,"replicas":2,"pods":[` + ready("a", old) + `,{"name":"b",` + new + `}]}`,
			replicas: 2, costs: "map[]", why: "young: b would go next: 59s old",
		},
		"a pod that no line showed before is as young as can be": {
			spec:     "  minPodAge: 10m",
			line:     now + `0.2,"replicas":2,"pods":[{"name":"a","ready":true},{"name":"b","ready":true}]}`,
			replicas: 2, costs: "map[]", why: "young: a would go next: 0s old",
		},
		"nodes left out are nodes": {
			spec:     "  minPodAge: 10m",
			line:     now + `0.2,"replicas":2,"pods":[` + ready("a", old) + `,{"name":"b","phase":"Running",` + new + `}]}`,
			replicas: 2, costs: "map[]", why: "young: b would go next",
		},
		"no node, and broken": {
			line:     now + `0.2,"replicas":2,"pods":[{"name":"b","node":"",` + old + `},` + ready("a", old) + `]}`,
			replicas: 1, costs: "map[b:-1]", why: "1 replica is enough",
		},
		"another owner of costs": {
			spec:     "  minPodAge: 10m",
			line:     now + `0.2,"replicas":2,"pods":[` + ready("a", old) + `,` + ready("b", new+`,"deletionCost":7`) + `]}`,
			replicas: 2, costs: "map[]", why: "whoever set the deletion cost of pod b decides which pods go",
		},
		"a StatefulSet's highest ordinals": {
			kind:     "StatefulSet",
			line:     now + `0.2,"replicas":2,"pods":[` + ready("web-0", old) + `,` + ready("web-1", new) + `]}`,
			replicas: 1, costs: "map[]", why: "1 replica is enough",
		},
		"a kind with rules of its own": {
			kind: "Rollout", spec: "  minPodAge: 10m",
			line:     now + `0.2,"replicas":2,"pods":[` + ready("a", old) + `,` + ready("b", new) + `]}`,
			replicas: 2, costs: "map[]", why: "the controller of kind Rollout, by rules of its own, decides",
		},
		"a pod that has ended is none": {
			line:     now + `0.9,"replicas":1,"pods":[` + ready("a", old) + `,{"name":"b","phase":"Failed",` + old + `}]}`,
			replicas: 2, costs: "map[]", why: "0.9 on 1 ready pod",
		},
		"bounds of the line": {
			line:     now + `0.9,"replicas":4,"maxReplicas":2,"pods":[` + ready("a", old) + `]}`,
			replicas: 2, costs: "map[]", why: "bounds: 4 replicas are more than the maximum of 2",
		},
		"no load": {
			line:     now + `null,"replicas":3,"pods":[` + ready("a", old) + `]}`,
			replicas: 3, costs: "map[]", why: "holding: backend is unknown: the observation has none",
		},
		"a load that none can be": {
			line:     now + `-1,"replicas":3,"pods":[` + ready("a", old) + `]}`,
			replicas: 3, costs: "map[]", why: "holding: backend is -1, which no load can be",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartner(t, deciderFor(t, or(test.kind, "Deployment"), test.spec))
			got := p.told(t, test.line)
			if got.Replicas != test.replicas || fmt.Sprint(got.DeletionCosts) != test.costs || !strings.Contains(got.why(), test.why) {
				t.Errorf("got %d, %v: %s; want %d, %s: %s", got.Replicas, got.DeletionCosts, got.why(), test.replicas, test.costs, test.why)
			}
		})
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
