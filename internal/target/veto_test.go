package target

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/scaling"
)

// The right was there at the start, and was taken away later.
func TestAVetoLeavesTheChoice(t *testing.T) {
	var clock atomic.Int64
	b := newBench(t, benchOptions{without: "patch pods", now: func() time.Time { return time.Unix(0, clock.Load()) }})
	s := b.web(t, 3)
	_, err := b.Steer(t.Context(), s, podNames(s)[:1])
	wantRule(t, err, ruleToPatch)

	vetoed := chosen(scaling.OrderRank, "the ReplicaSet controller, as the API server refuses cusme's marks (Forbidden),")
	if err := vetoed(b.Observe(t.Context(), s.Ref)); err != nil {
		t.Error(err)
	}
	b.shrinkTo(t, s.Ref, 1)
	b.see(t, s.Ref, settled(1))
	clock.Add(int64(vetoLasts - 1))
	b.see(t, s.Ref, vetoed)
	clock.Add(1)
	if err := chosen(scaling.OrderCost, "")(b.Observe(t.Context(), s.Ref)); err != nil {
		t.Errorf("ten minutes later: %v", err)
	}
}

// handsOff denies all changes of a namespace's pods.
const handsOff = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: hands-off-NAMESPACE}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [pods]}
  validations:
  - {expression: "false", message: hands off}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: hands-off-NAMESPACE}
spec: {policyName: hands-off-NAMESPACE, validationActions: [Deny]}
`

func (b *bench) handsOff(t *testing.T, pod string) {
	t.Helper()
	c := clustertest.Shared(t)
	c.Apply(t, strings.ReplaceAll(handsOff, "NAMESPACE", b.ns))
	t.Cleanup(func() {
		if _, err := c.Kubectl(t, "delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", "hands-off-"+b.ns); err != nil {
			t.Error(err)
		}
	})
	o, probe := &corev1.Pod{ObjectMeta: named(b.ns, pod)}, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"probe":""}}}`))
	clustertest.Eventually(t, patience, func() error {
		if err := b.admin.Patch(t.Context(), o, probe, client.DryRunAll); err == nil {
			return errors.New("the policy is not in force yet")
		}
		return nil
	})
}

// Marks that may not be removed are left where they are, of any kind's pods.
func TestAVetoOfRemovingMarks(t *testing.T) {
	var clock atomic.Int64
	b := newBench(t, benchOptions{now: func() time.Time { return time.Unix(0, clock.Load()) }})
	s := b.web(t, 2)
	all := podNames(s)
	s = b.mark(t, s, all[0])
	b.handsOff(t, all[0])
	if _, err := b.Steer(t.Context(), s, nil); err == nil || !strings.Contains(err.Error(), "hands off") {
		t.Errorf("steer no pod against the policy: %v, want its own words", err)
	}
	if err := chosen(scaling.OrderRank, "the ReplicaSet controller, as the API server refuses cusme's marks (Invalid),")(b.Observe(t.Context(), s.Ref)); err != nil {
		t.Error(err)
	}

	before := b.requests.Load()
	b.wantWait(t, s, nil, settle) // A mark that the ReplicaSet controller may not have seen yet.
	clock.Add(int64(settle))
	b.wantWait(t, s, nil, 0)
	if n := b.requests.Load() - before; n != 0 {
		t.Errorf("%d requests, want none: they would be refused", n)
	}
	b.wantCosts(t, all[0], "-1", "-1")
	b.shrinkTo(t, s.Ref, 1)
	if s = b.see(t, s.Ref, settled(1)); s.Pods[0].Name != all[1] {
		t.Errorf("left: %s, want %s, as %s is still marked", s.Pods[0].Name, all[1], all[0])
	}
}

func TestWhatIsAVeto(t *testing.T) {
	pods, kind := schema.GroupResource{Resource: "pods"}, schema.GroupKind{Kind: "Pod"}
	webhook := func(code int32) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: `admission webhook "w" denied the request`}}
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"none":                      {nil, ""},
		"no right":                  {apierrors.NewForbidden(pods, "web-1", errors.New("no")), "Forbidden"},
		"a policy":                  {apierrors.NewInvalid(kind, "web-1", nil), "Invalid"},
		"a webhook":                 {webhook(400), "Bad Request"},
		"a webhook of its own code": {webhook(499), "499"},
		"a webhook's 403":           {webhook(403), "Forbidden"},
		"wrapped":                   {fmt.Errorf("patch pod: %w", apierrors.NewForbidden(pods, "web-1", nil)), "Forbidden"},
		"a webhook that is away":    {apierrors.NewInternalError(errors.New("failed calling webhook")), ""},
		"too late":                  {apierrors.NewTimeoutError("slow", 1), ""},
		"too much to do":            {apierrors.NewTooManyRequests("busy", 1), ""},
		"a token that ran out":      {apierrors.NewUnauthorized("expired"), ""},
		"a conflict":                {apierrors.NewConflict(pods, "web-1", errors.New("moved")), ""},
		"a pod that is gone":        {apierrors.NewNotFound(pods, "web-1"), ""},
		"no answer":                 {errors.New("connection refused"), ""},
	} {
		if got := vetoIn(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
