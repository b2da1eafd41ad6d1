package test

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// deploy creates a Deployment on the virtual node and takes it away after the test.
func deploy(t *testing.T, name string, replicas int32, annotations map[string]string) {
	t.Helper()
	labels := map[string]string{"app": name}
	_, err := shared.client.AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
				Spec: corev1.PodSpec{
					NodeSelector: map[string]string{"type": "virtual-kubelet"},
					Tolerations:  []corev1.Toleration{{Key: "vci.vke.volcengine.com/node-type", Operator: corev1.TolerationOpExists}},
					Containers:   []corev1.Container{{Name: "main", Image: "none"}},
				},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shared.run(t, "", "kubectl", "delete", "deployment", name, "--wait=false") })
}

func pods(t *testing.T, name string) []corev1.Pod {
	t.Helper()
	list, err := shared.client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
	if err != nil {
		t.Logf("list pods of %s: %v", name, err)
		return nil
	}
	return list.Items
}

func condition(p corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

// allReady waits for n Ready pods and returns them.
func allReady(t *testing.T, name string, n int) []corev1.Pod {
	t.Helper()
	var found []corev1.Pod
	eventually(t, func() error {
		found = nil
		for _, p := range pods(t, name) {
			if condition(p, corev1.PodReady).Status == corev1.ConditionTrue {
				found = append(found, p)
			}
		}
		if len(found) != n {
			return fmt.Errorf("%d of %d pods of %s are Ready", len(found), n, name)
		}
		return nil
	})
	return found
}

// The draw is calculated here from the exact inverse of the normal distribution, and in the stages by an approximation.
func TestPodsBecomeReadyAfterTheTimeDrawnForEach(t *testing.T) {
	needBinary(t)
	deploy(t, "drawn", 12, nil)
	for _, p := range allReady(t, "drawn", 12) {
		bits, err := strconv.ParseUint(string(p.UID)[:8], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		z := math.Sqrt2 * math.Erfinv(2*(float64(bits)+0.5)/(1<<32)-1)
		drawn := time.Duration(float64(time.Second) * math.Exp(z*math.Log(3)/2.3263478740))
		began, err := strconv.ParseInt(condition(p, "PodReadyToStartContainers").Message, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		// The condition's time has whole seconds, cut off: up to one second early, and a second for a busy machine.
		took := condition(p, corev1.PodReady).LastTransitionTime.Sub(time.UnixMilli(began))
		if took < drawn-1100*time.Millisecond || took > drawn+1500*time.Millisecond {
			t.Errorf("%s was Ready after %s, drawn was %s", p.Name, took, drawn)
		}
	}
}

func TestAnnotationsGiveStartupTimeAndAddress(t *testing.T) {
	needBinary(t)
	deploy(t, "own", 1, map[string]string{
		"localcluster.cusme.dev/startup": "1m",
		"localcluster.cusme.dev/pod-ip":  "127.0.1.5",
	})
	eventually(t, func() error {
		if ps := pods(t, "own"); len(ps) != 1 || condition(ps[0], "PodReadyToStartContainers").Message == "" {
			return errors.New("the pod has not begun to start")
		}
		return nil
	})
	// A changed annotation is looked at again.
	shared.run(t, "", "kubectl", "annotate", "pod", "-lapp=own", "--overwrite", "localcluster.cusme.dev/startup=100ms")
	if got := allReady(t, "own", 1)[0].Status.PodIP; got != "127.0.1.5" {
		t.Errorf("the pod's address is %q, 127.0.1.5 was asked for", got)
	}
}

func TestFaults(t *testing.T) {
	needBinary(t)
	for fault, shows := range map[string]func(corev1.Pod) bool{
		"sold-out": func(p corev1.Pod) bool {
			return p.Status.Phase == corev1.PodFailed && p.Status.Reason == "ProviderFailed"
		},
		"provider-failed": func(p corev1.Pod) bool {
			return p.Status.Phase == corev1.PodPending && p.Status.Reason == "ProviderFailed"
		},
		"never-ready": func(p corev1.Pod) bool {
			return p.Status.Phase == corev1.PodRunning && condition(p, corev1.PodReady).Status == corev1.ConditionFalse
		},
		"crash-loop": func(p corev1.Pod) bool {
			s := p.Status.ContainerStatuses
			return len(s) == 1 && s[0].RestartCount >= 2 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == "CrashLoopBackOff"
		},
	} {
		t.Run(fault, func(t *testing.T) {
			deploy(t, fault, 1, map[string]string{"localcluster.cusme.dev/fault": fault, "localcluster.cusme.dev/startup": "100ms"})
			eventually(t, func() error {
				for _, p := range pods(t, fault) {
					if shows(p) {
						return nil
					}
				}
				return fmt.Errorf("no pod shows %s: %+v", fault, pods(t, fault))
			})
		})
	}
}

func TestFaultByCommandBefallsNewPodsOnly(t *testing.T) {
	needBinary(t)
	deploy(t, "before", 1, nil)
	allReady(t, "before", 1)
	shared.run(t, "", "fault", "provider-failed", "on")
	deploy(t, "during", 1, nil)
	eventually(t, func() error {
		if ps := pods(t, "during"); len(ps) != 1 || ps[0].Status.Reason != "ProviderFailed" {
			return fmt.Errorf("the new pod does not show the fault: %+v", ps)
		}
		return nil
	})
	allReady(t, "before", 1)
	shared.run(t, "", "fault", "provider-failed", "off")
	allReady(t, "during", 1)
}
