package main

import (
	"fmt"
	"strings"
	"testing"
)

// readerOfLittle may do what the controller cannot do without, and read no kind but Deployments.
const readerOfLittle = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: cusme, namespace: NAMESPACE}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
- {apiGroups: [apps], resources: [deployments, replicasets], verbs: [get, list, watch]}
- {apiGroups: [cusme.dev], resources: [loadscalers], verbs: [get, list, watch]}
- {apiGroups: [cusme.dev], resources: [loadscalers/status], verbs: [get, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: cusme, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: cusme}
subjects: [{kind: ServiceAccount, name: cusme, namespace: NAMESPACE}]
`

// One LoadScaler whose target cannot be read must not have Kubernetes take
// the controller for broken: it serves all others.
func TestReadyInSpiteOfAKindThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.6"), newDeployment(t, 0)
	d.cluster.Apply(t, strings.ReplaceAll(readerOfLittle, "NAMESPACE", d.namespace))
	putScaler(t, d, "scaleTargetRef: {apiVersion: v1, kind: ReplicationController, name: webui}",
		fmt.Sprintf("loads: [{name: backend, http: {url: %q, value: body.data.load_balance}}]", b.URL))
	health := freeAddress(t)
	start(t, nil, "controller", "--kubeconfig", d.cluster.KubeconfigFor(t, d.namespace, "cusme"), "--namespace", d.namespace,
		"--leader-elect=false", "--metrics-address", "0", "--health-address", health)
	d.hasStatus(t, `{.status.conditions[?(@.type=="Ready")].reason}`, "TargetNotReadable")
	answers(t, "http://"+health+"/readyz", "ok")
}
