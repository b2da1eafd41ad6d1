package main

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"cusme.dev/cusme/api/v1alpha1"
)

// scalerOf is the LoadScaler of a Deployment of its own name.
func scalerOf(namespace, name, url string, interval time.Duration) *v1alpha1.LoadScaler {
	return &v1alpha1.LoadScaler{
		TypeMeta:   metav1.TypeMeta{APIVersion: "cusme.dev/v1alpha1", Kind: "LoadScaler"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.LoadScalerSpec{
			ScaleTargetRef: v1alpha1.TargetRef{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
			MaxReplicas:    100,
			Interval:       &metav1.Duration{Duration: interval},
			Loads: []v1alpha1.Load{{Name: "backend", HTTP: &v1alpha1.HTTPSource{
				URL: url, Value: "body.data.load_balance",
			}}},
		},
	}
}

// deploymentOf is a Deployment of one pod, with a template of an ordinary length.
func deploymentOf(namespace, name string) *appsv1.Deployment {
	labels := map[string]string{"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "models"}
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: ordinaryPod()},
		},
	}
}

func ordinaryPod() corev1.PodSpec {
	var env []corev1.EnvVar
	for i := range 20 {
		env = append(env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", i), Value: strings.Repeat("v", 40)})
	}
	return corev1.PodSpec{
		TerminationGracePeriodSeconds: ptr.To(int64(1)),
		Containers: []corev1.Container{{
			Name: "server", Image: "registry.example/models/server:1.2.3", Env: env,
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")}},
		}},
	}
}

// born gives an object what an API server gives every new one.
func born(o metav1.Object) {
	o.SetUID(types.UID(fmt.Sprintf("%T/%s/%s", o, o.GetNamespace(), o.GetName())))
	o.SetGeneration(1)
	o.SetCreationTimestamp(metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second)))
	o.SetManagedFields([]metav1.ManagedFieldsEntry{{
		Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply, APIVersion: "v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:fields":{"f:` + strings.Repeat("x", 1000) + `":{}}}}`),
	}})
}

// fill puts a Deployment of one ready pod, and its LoadScaler, into a memoryAPI.
func (m *memoryAPI) fill(ls *v1alpha1.LoadScaler) {
	d := deploymentOf(ls.Namespace, ls.Name)
	born(d)
	born(ls)
	d.Annotations = map[string]string{"deployment.kubernetes.io/revision": "1"}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	set := &appsv1.ReplicaSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: d.Namespace, Name: d.Name + "-0", Labels: d.Labels, Annotations: d.Annotations,
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: d.Spec.Replicas, Selector: d.Spec.Selector, Template: d.Spec.Template},
	}
	born(set)
	set.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
	m.add(deploymentsPath, d)
	m.add(replicaSetsPath, set)
	m.add(podsPath, podNumbered(d, 0))
	m.add(scalersPath, ls)
}

// podNumbered is a ready pod of a Deployment's only ReplicaSet.
func podNumbered(d *appsv1.Deployment, number int32) *corev1.Pod {
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name + "-0"}}
	born(set)
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: fmt.Sprintf("%s-0-%d", d.Name, number), Labels: d.Labels},
		Spec:       d.Spec.Template.Spec,
	}
	born(p)
	p.CreationTimestamp = metav1.NewTime(time.Now().Truncate(time.Second))
	p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
	p.Spec.NodeName = "node"
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "10.0.0.1",
		Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: p.CreationTimestamp}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "server", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: p.CreationTimestamp}}}},
	}
	return p
}
