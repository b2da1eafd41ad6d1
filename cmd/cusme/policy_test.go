package main_test

import (
	"fmt"
	"strings"
	"testing"

	"cusme.dev/cusme/internal/clustertest"
)

const policyPod = `
apiVersion: v1
kind: Pod
metadata:
  name: pod
  namespace: aicloud
  labels: {app: web}
  annotations: {example.com/team: blue}
spec: {containers: [{name: c, image: example.com/c}]}
`

// marksOnly tries, as cusme and as somebody else with the same rights, what of a pod a patch could change.
func (c cluster) marksOnly(t *testing.T) {
	c.Apply(t, policyPod)
	c.kubectl(t, "create", "clusterrole", "patch-pods", "--verb=get,patch", "--resource=pods")
	c.kubectl(t, "create", "rolebinding", "patch-pods", "-n", "aicloud", "--clusterrole=patch-pods", "--serviceaccount=aicloud:other")
	cusme, other := c.KubeconfigFor(t, "cusme-system", "cusme"), c.KubeconfigFor(t, "aicloud", "other")
	patch := func(as, metadata, spec string) error {
		_, err := c.Kubectl(t, "patch", "pod", "pod", "-n", "aicloud", "--kubeconfig", as, "--type=merge", "-p", fmt.Sprintf(`{"metadata": %s, "spec": %s}`, metadata, spec))
		return err
	}
	const image, nothing = `{"containers": [{"name": "c", "image": "example.com/evil"}]}`, `{}`
	// The API server learns of the policy a little after it was applied.
	clustertest.Eventually(t, patience, func() error {
		if err := patch(cusme, nothing, image); err == nil {
			return fmt.Errorf("cusme changes an image")
		}
		return nil
	})
	for what, p := range map[string]struct{ metadata, spec, says string }{
		"an image":                 {nothing, image, "may not change a pod's spec"},
		"a label":                  {`{"labels": {"app": "other"}}`, nothing, "may change annotations only"},
		"no label":                 {`{"labels": null}`, nothing, "may change annotations only"},
		"a finalizer":              {`{"finalizers": ["example.com/keep"]}`, nothing, "may change annotations only"},
		"an owner":                 {`{"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}]}`, nothing, "may change annotations only"},
		"another annotation":       {`{"annotations": {"example.com/team": "red"}}`, nothing, "of a pod's annotations"},
		"one annotation more":      {`{"annotations": {"example.com/more": "x"}}`, nothing, "of a pod's annotations"},
		"one annotation less":      {`{"annotations": {"example.com/team": null}}`, nothing, "of a pod's annotations"},
		"a mark, and an image too": {`{"annotations": {"cusme.dev/cost": "-1"}}`, image, "may not change a pod's spec"},
	} {
		if err := patch(cusme, p.metadata, p.spec); err == nil || !strings.Contains(err.Error(), "forbidden") || !strings.Contains(err.Error(), p.says) {
			t.Errorf("cusme gives a pod %s: %v; want it forbidden: %s", what, err, p.says)
		}
	}
	for _, cost := range []string{`"-1"`, `null`} {
		if err := patch(cusme, `{"annotations": {"controller.kubernetes.io/pod-deletion-cost": `+cost+`, "cusme.dev/cost": `+cost+`}}`, nothing); err != nil {
			t.Errorf("cusme sets its marks to %s: %v", cost, err)
		}
	}
	if err := patch(other, `{"labels": {"app": "other"}}`, `{"containers": [{"name": "c", "image": "example.com/d"}]}`); err != nil {
		t.Errorf("somebody else changes a label and an image: %v; want others left alone", err)
	}
}
