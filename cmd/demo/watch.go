package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/elastic"
)

// A world is what the watches have seen of the cluster.
type world struct {
	clock   func() time.Duration // since the day began
	backend *backend
	elastic map[string]bool // by node; nodes of the demo don't change
	pods    corelisters.PodLister

	mu      sync.Mutex
	fleet   *fleet
	log     logbook
	warning string
	warned  time.Time
}

// warningShown is how long a warning stays on the screen.
const warningShown = time.Minute

// watch follows the service's pods, its Deployment, its LoadScaler and the
// events about it, until the context ends.
func (d *demo) watch(ctx context.Context) error {
	w := &world{clock: d.clock, backend: d.backend, fleet: newFleet()}
	var err error
	if w.elastic, err = elasticNodes(ctx, d.client); err != nil {
		return err
	}
	objects := informers.NewSharedInformerFactoryWithOptions(d.client, 0, informers.WithNamespace(serviceNamespace))
	w.pods = objects.Core().V1().Pods().Lister()
	scalers := dynamicinformer.NewFilteredDynamicSharedInformerFactory(d.dynamic, 0, serviceNamespace, nil)
	for _, f := range []struct {
		informer cache.SharedIndexInformer
		see      func(any)
	}{
		{objects.Core().V1().Pods().Informer(), func(any) { w.seePods() }},
		{objects.Apps().V1().Deployments().Informer(), w.seeDeployment},
		{objects.Core().V1().Events().Informer(), w.seeEvent},
		{scalers.ForResource(v1alpha1.GroupVersion.WithResource("loadscalers")).Informer(), w.seeScaler},
	} {
		_, err := f.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    f.see,
			UpdateFunc: func(_, object any) { f.see(object) },
			DeleteFunc: f.see,
		})
		if err != nil {
			return fmt.Errorf("watch the cluster: %w", err)
		}
	}
	objects.Start(ctx.Done())
	scalers.Start(ctx.Done())
	objects.WaitForCacheSync(ctx.Done())
	scalers.WaitForCacheSync(ctx.Done())
	d.world = w
	return ctx.Err()
}

func elasticNodes(ctx context.Context, client kubernetes.Interface) (map[string]bool, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	out := map[string]bool{}
	for i := range list.Items {
		_, out[list.Items[i].Name] = elastic.Known().Of(&list.Items[i])
	}
	return out, nil
}

// seePods takes all pods at once: the demo's namespace holds none but the service's, and few of them.
func (w *world) seePods() {
	objects, err := w.pods.List(labels.Everything())
	if err != nil {
		return // listing from memory has no way to fail
	}
	var pods []pod
	serving := map[string]bool{}
	for _, o := range objects {
		p := w.podOf(o)
		pods = append(pods, p)
		serving[p.name] = p.ready && !p.leaving()
	}
	w.mu.Lock()
	w.fleet.see(time.Now(), pods)
	w.mu.Unlock()
	w.backend.see(serving)
}

func (w *world) podOf(o *corev1.Pod) pod {
	p := pod{name: o.Name, created: o.CreationTimestamp.Time, node: o.Spec.NodeName, elastic: w.elastic[o.Spec.NodeName]}
	if at := o.DeletionTimestamp; at != nil {
		// The API server writes when the grace period will be over.
		p.removed = at.Time
		if grace := o.DeletionGracePeriodSeconds; grace != nil {
			p.removed = p.removed.Add(-time.Duration(*grace) * time.Second)
		}
	}
	for _, c := range o.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.ready = c.Status == corev1.ConditionTrue
		}
	}
	return p
}

func (w *world) seeDeployment(object any) {
	o, ok := object.(*appsv1.Deployment)
	if !ok || o.Spec.Replicas == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log.replicas(w.clock(), int(*o.Spec.Replicas))
}

func (w *world) seeScaler(object any) {
	o, ok := object.(*unstructured.Unstructured)
	if !ok {
		return
	}
	var s v1alpha1.LoadScaler
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s); err != nil {
		w.warn("cannot read the LoadScaler: " + err.Error())
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log.decided(s.Status)
}

func (w *world) seeEvent(object any) {
	o, ok := object.(*corev1.Event)
	if !ok || o.Type != corev1.EventTypeWarning || o.InvolvedObject.Kind != "LoadScaler" {
		return
	}
	w.warn(o.Message)
}

func (w *world) warn(message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warning, w.warned = message, time.Now()
}

// ready counts the pods that take requests.
func (w *world) ready() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fleet.counts().ready()
}
