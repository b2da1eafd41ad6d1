package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// trial is a second LoadScaler for the Deployment, of another name.
func (d *deployment) trial(t testing.TB, b *backend, more string) {
	t.Helper()
	d.cluster.Apply(t, fmt.Sprintf(`
apiVersion: cusme.dev/v1alpha1
kind: LoadScaler
metadata: {name: trial, namespace: %s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: webui}
  maxReplicas: 10
  interval: 1s
  loads: [{name: backend, http: {url: %q, value: body.data.load_balance}}]
%s`, d.namespace, b.URL, more))
}

// A spec can be tried beside the one that scales: it takes no part, and no
// marks off the pods.
func TestADryRunBesideAnotherLoadScaler(t *testing.T) {
	t.Parallel()
	b, d := settled(t)
	calm := newBackend(t, "0.6")
	d.trial(t, calm, "  dryRun: true")
	calm.isAskedAgain(t, 3)

	mark := d.cluster.Mark(t)
	b.reports("0.35") // two are enough for it, and one is not
	d.reaches(t, 2)
	d.isReady(t, 2)
	calm.isAskedAgain(t, 3)
	d.cluster.Apply(t, marker(d.namespace))
	if got := patched(d.sent(t, mark)); got != 1 {
		t.Errorf("%d patches of pods to remove one, want one", got)
	}
}

func patched(requests []clustertest.Request) int {
	n := 0
	for _, r := range requests {
		if r.Resource == "pods" && r.Verb == "patch" {
			n++
		}
	}
	return n
}

// Of two that would both scale the older one does, and the other says so until it is alone.
func TestTheOlderLoadScalerScales(t *testing.T) {
	t.Parallel()
	b, d := settled(t)
	hungry := newBackend(t, "0.9")
	d.trial(t, hungry, "")
	able := func(want string) {
		t.Helper()
		d.eventually(t, func() error {
			time.Sleep(200 * time.Millisecond) // kubectl is a process; four a second are enough.
			got, err := d.cluster.Kubectl(t, "get", "loadscaler", "trial", "-n", d.namespace, "-o", `jsonpath={.status.conditions[?(@.type=="AbleToScale")]}`)
			if err != nil || !strings.Contains(got, want) {
				return fmt.Errorf("expected AbleToScale to say %q, got %q (%v)", want, got, err)
			}
			return nil
		})
	}
	able("LoadScaler " + d.namespace + "/webui scales this target already")
	hungry.isAskedAgain(t, 3)
	d.staysAt(t, 3, b, 3)
	if _, err := d.cluster.Kubectl(t, "delete", "loadscaler", "webui", "-n", d.namespace); err != nil {
		t.Fatal(err)
	}
	d.reaches(t, 5)
	able(`"status":"True"`)
}

// A policy of the cluster's under which nobody annotates pods is no reason to
// stay above the maximum, or to ask again and again.
func TestMarksThatAreRefused(t *testing.T) {
	t.Parallel()
	b, d := settled(t)
	d.cluster.Apply(t, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: plain-%[1]s}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [UPDATE]}
  validations:
  - {expression: "object.metadata.?annotations.orValue({}) == oldObject.metadata.?annotations.orValue({})", message: pods are not to be annotated}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: plain-%[1]s}
spec: {policyName: plain-%[1]s, validationActions: [Deny]}
`, d.namespace))
	tries := 0
	d.eventually(t, func() error {
		time.Sleep(200 * time.Millisecond) // kubectl is a process; four a second are enough.
		tries++                            // what is there already is no change, and never refused
		if _, err := d.cluster.Kubectl(t, "annotate", "pod", "--all", "-n", d.namespace, fmt.Sprintf("example.com/try=%d", tries), "--overwrite"); err == nil {
			return fmt.Errorf("the policy is not in force yet")
		}
		return nil
	})
	mark := d.cluster.Mark(t)
	if _, err := d.cluster.Kubectl(t, "patch", "loadscaler", "webui", "-n", d.namespace, "--type=merge", "-p", `{"spec":{"maxReplicas":1}}`); err != nil {
		t.Fatal(err)
	}
	d.reaches(t, 1)
	d.hasStatus(t, `{.status.conditions[?(@.type=="Steerable")].reason}`, "NotPermitted")
	b.isAskedAgain(t, 3)
	d.cluster.Apply(t, marker(d.namespace))
	if got := patched(d.sent(t, mark)); got > 2 {
		t.Errorf("%d patches of pods were tried, want one for each pod to remove", got)
	}
}

// Requests of a second change who is busy faster than marks settle.
func TestPodsThatAreBusyByTurns(t *testing.T) {
	t.Parallel()
	b, d := settled(t)
	pods := d.podNames(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			for j, pod := range pods {
				busy := fmt.Sprintf("cusme.dev/busy=%t", j != i%len(pods))
				_, _ = d.cluster.Kubectl(t, "annotate", "--overwrite", "pod", pod, "-n", d.namespace, busy) // the pod may be gone
			}
		}
	}()
	b.reports("0.35")
	d.reaches(t, 2)
}

// Answers are believed for 15 s, marks may have to settle for longer.
func TestMarksOutlastTheAnswersOfBusyPods(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.6"), newDeployment(t, 3)
	d.isReady(t, 3)
	newLoadScaler(t, d, b, "busy: {port: 1, value: body.busy}")
	start(t, nil, "controller", "--kubeconfig", d.cluster.Kubeconfig, "--namespace", d.namespace,
		"--lease-namespace", d.namespace, "--metrics-address", "0", "--health-address", "0", "--settle-time", "18s")
	d.hasStatus(t, `{.status.conditions[?(@.type=="ReadingsFresh")].status}`, "True")
	mark := d.cluster.Mark(t)
	b.reports("0.4")
	d.reaches(t, 2)
	d.cluster.Apply(t, marker(d.namespace))
	if got := patched(d.sent(t, mark)); got != 1 {
		t.Errorf("%d patches of pods to remove one, want one: the marks were taken back", got)
	}
}
