package target

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/elastic"
)

var configMap = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}

func named(ns, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: ns, Name: name}
}

func TestPodChangesThatMatter(t *testing.T) {
	base := podCases(t)["ready"].Pod
	for name, c := range map[string]struct {
		change func(*corev1.Pod)
		want   bool
	}{
		"heartbeat":         {func(p *corev1.Pod) { p.ResourceVersion = "8" }, false},
		"annotation":        {func(p *corev1.Pod) { p.Annotations["other"] = "x" }, false},
		"message":           {func(p *corev1.Pod) { p.Status.Message = "x" }, false},
		"probe time":        {func(p *corev1.Pod) { p.Status.Conditions[1].LastProbeTime = metav1.Now() }, false},
		"another condition": {func(p *corev1.Pod) { p.Status.Conditions[0].Status = "False" }, false},
		"ready":             {func(p *corev1.Pod) { p.Status.Conditions[1].Status = "False" }, true},
		"phase":             {func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, true},
		"node":              {func(p *corev1.Pod) { p.Spec.NodeName = "node-b" }, true},
		"deletion":          {func(p *corev1.Pod) { p.DeletionTimestamp = ptr.To(metav1.Now()) }, true},
		"cost":              {func(p *corev1.Pod) { p.Annotations[corev1.PodDeletionCost] = "3" }, true},
		"mark":              {func(p *corev1.Pod) { p.Annotations[markAnnotation] = "-7" }, true},
		"busy":              {func(p *corev1.Pod) { p.Annotations[busyAnnotation] = "true" }, true},
		"address":           {func(p *corev1.Pod) { p.Status.PodIP = "10.0.0.1" }, false},
		"disruption": {func(p *corev1.Pod) {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: "True", Reason: "EvictionByEvictionAPI"})
		}, true},
		"spot notice": {func(p *corev1.Pod) {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: "ContainerInstanceExpired", Status: "True"})
		}, true},
		"waiting": {func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
		}, true},
		"labels": {func(p *corev1.Pod) { p.Labels = map[string]string{"app": "x"} }, true},
		"owner": {func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{UID: "o", Controller: ptr.To(true)}}
		}, true},
	} {
		is := base.DeepCopy()
		c.change(is)
		if got := (&Targets{rules: elastic.Known()}).podMatters(&base, is); got != c.want {
			t.Errorf("a change of %s matters: %v, want %v", name, got, c.want)
		}
	}
}

func TestDeploymentChangesThatMatter(t *testing.T) {
	base := &appsv1.Deployment{Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2}}
	for name, c := range map[string]struct {
		change func(*appsv1.Deployment)
		want   bool
	}{
		"heartbeat":  {func(d *appsv1.Deployment) { d.ResourceVersion = "8" }, false},
		"condition":  {func(d *appsv1.Deployment) { d.Status.Conditions = []appsv1.DeploymentCondition{{Type: "x"}} }, false},
		"generation": {func(d *appsv1.Deployment) { d.Generation = 2 }, true},
		"observed":   {func(d *appsv1.Deployment) { d.Status.ObservedGeneration = 2 }, true},
		"replicas":   {func(d *appsv1.Deployment) { d.Status.Replicas = 3 }, true},
		"updated":    {func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }, true},
		"deletion":   {func(d *appsv1.Deployment) { d.DeletionTimestamp = ptr.To(metav1.Now()) }, true},
		"revision":   {func(d *appsv1.Deployment) { d.Annotations = map[string]string{revisionAnnotation: "2"} }, true},
		"identity":   {func(d *appsv1.Deployment) { d.UID = "u" }, true},
	} {
		is := base.DeepCopy()
		c.change(is)
		if got := vitalsOf(base) != vitalsOf(is); got != c.want {
			t.Errorf("a change of %s matters: %v, want %v", name, got, c.want)
		}
	}
}

// A watch that lost its connection tells of what vanished meanwhile by a tombstone.
func TestTombstonesWake(t *testing.T) {
	var woken []string
	c := changes{wake: func(versions ...client.Object) { woken = append(woken, versions[0].GetName()) }}
	pod := &corev1.Pod{ObjectMeta: named("ns", "web-1")}
	c.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "ns/web-1", Obj: pod})
	c.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "ns/web-2"})
	c.OnDelete(pod)
	if fmt.Sprint(woken) != "[web-1 web-1]" {
		t.Errorf("woken for %v, want web-1 twice", woken)
	}
}

// Pods' events come in order, so the last one's says that all before it have
// been told of.
func TestOnlyOwnChangesWake(t *testing.T) {
	b := newBench(t, benchOptions{})
	pods := map[string]*corev1.Pod{}
	for _, name := range []string{"web", "forgotten", "last"} {
		b.create(t, labelledWeb(b.ns, name, 1))
		s := b.see(t, deploymentRef(b.ns, name), settled(1))
		pods[name] = &corev1.Pod{ObjectMeta: named(b.ns, s.Pods[0].Name)}
	}
	b.rest(t)
	b.Forget(deploymentRef(b.ns, "forgotten"))
	for len(b.woken) > 0 {
		<-b.woken
	}
	b.annotate(t, pods["forgotten"], corev1.PodDeletionCost, "7")
	b.annotate(t, pods["web"], "example.com/idle", "x")
	b.annotate(t, pods["web"], corev1.PodDeletionCost, "7")
	b.annotate(t, pods["last"], corev1.PodDeletionCost, "7")
	var woken []string
	for late := time.After(patience); len(woken) == 0 || woken[len(woken)-1] != "last"; {
		select {
		case ref := <-b.woken:
			woken = append(woken, ref.Name)
		case <-late:
			t.Fatalf("woken: %v within %s, want web and last", woken, patience)
		}
	}
	if fmt.Sprint(woken) != "[web last]" {
		t.Errorf("woken: %v, want web and last, once each", woken)
	}
}

// rest waits until every Deployment's controller has said its last word.
func (b *bench) rest(t *testing.T) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		var all appsv1.DeploymentList
		if err := b.admin.List(t.Context(), &all, client.InNamespace(b.ns)); err != nil {
			return err
		}
		for _, d := range all.Items {
			s, err := b.Observe(t.Context(), deploymentRef(b.ns, d.Name))
			if err != nil || d.Status.AvailableReplicas != *d.Spec.Replicas || s.ResourceVersion != d.ResourceVersion {
				return fmt.Errorf("%s has %d available, version %s is seen of %s: %w", d.Name, d.Status.AvailableReplicas, s.ResourceVersion, d.ResourceVersion, err)
			}
		}
		return nil
	})
}

func (b *bench) annotate(t *testing.T, o client.Object, key, value string) {
	t.Helper()
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, key, value))
	if err := b.admin.Patch(t.Context(), o, patch); err != nil {
		t.Fatal(err)
	}
}
