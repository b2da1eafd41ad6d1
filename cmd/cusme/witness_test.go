package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"cusme.dev/cusme/internal/clustertest"
)

// partLabel tells on each pod of whose Deployment it is.
const partLabel = "part"

// A witness sees what becomes of a namespace's pods and Deployments by watches
// of its own, so that no test has to take cusme's word. It puts all it sees in
// order by resource version: etcd counts one for objects of all kinds.
type witness struct {
	mu    sync.Mutex
	pods  map[types.UID]*life
	sizes map[string][]size // by Deployment, oldest first
	lost  error             // why it sees no more
}

// life is what became of one pod.
type life struct {
	// seen are the pod's versions, oldest first.
	seen []sight
	// gone is the version at which it began to go; 0 while it stays.
	gone uint64
}

// sight is a version of a pod, and when the witness saw it.
type sight struct {
	version uint64
	at      time.Time
	pod     *corev1.Pod
}

// size is a number of replicas asked for, from a version on, and when the witness saw it.
type size struct {
	version  uint64
	at       time.Time
	replicas int32
}

// newWitness watches a namespace in which nothing is yet, until the test ends.
func newWitness(t testing.TB, client kubernetes.Interface, namespace string) *witness {
	t.Helper()
	w := &witness{pods: map[types.UID]*life{}, sizes: map[string][]size{}}
	pods, deployments := client.CoreV1().Pods(namespace), client.AppsV1().Deployments(namespace)
	empty, err := pods.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(empty.Items) > 0 {
		t.Fatalf("list the pods of a new namespace: %v, %d found", err, len(empty.Items))
	}
	w.watch(t, empty.ResourceVersion, pods.Watch)
	w.watch(t, empty.ResourceVersion, deployments.Watch)
	return w
}

func (w *witness) watch(t testing.TB, from string, begin func(context.Context, metav1.ListOptions) (watch.Interface, error)) {
	t.Helper()
	source := &cache.ListWatch{WatchFuncWithContext: begin}
	events, err := watchtools.NewRetryWatcherWithContext(t.Context(), from, source)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for event := range events.ResultChan() {
			w.note(event)
		}
	}()
}

func (w *witness) note(event watch.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch o := event.Object.(type) {
	case *corev1.Pod:
		w.notePod(o, event.Type == watch.Deleted)
	case *appsv1.Deployment:
		w.noteSize(o)
	default:
		w.lost = fmt.Errorf("the witness's watch ended: %v", event.Object)
	}
}

func (w *witness) notePod(p *corev1.Pod, deleted bool) {
	l := w.pods[p.UID]
	if l == nil {
		l = &life{}
		w.pods[p.UID] = l
	}
	l.seen = append(l.seen, sight{versionOf(p), time.Now(), p})
	if l.gone == 0 && (deleted || p.DeletionTimestamp != nil) {
		l.gone = versionOf(p)
	}
}

func (w *witness) noteSize(d *appsv1.Deployment) {
	sizes := w.sizes[d.Name]
	if n := len(sizes); n == 0 || sizes[n-1].replicas != *d.Spec.Replicas {
		w.sizes[d.Name] = append(sizes, size{versionOf(d), time.Now(), *d.Spec.Replicas})
	}
}

func versionOf(o metav1.Object) uint64 {
	n, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("resource version %q is no number: %v", o.GetResourceVersion(), err))
	}
	return n
}

// all returns every pod that a Deployment ever had, by creation.
func (w *witness) all(t testing.TB, part string) []*life {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost != nil {
		t.Fatal(w.lost)
	}
	var out []*life
	for _, l := range w.pods {
		if l.seen[0].pod.Labels[partLabel] == part {
			out = append(out, &life{slices.Clone(l.seen), l.gone})
		}
	}
	slices.SortFunc(out, func(a, b *life) int { return int(a.seen[0].version) - int(b.seen[0].version) })
	return out
}

// alive returns a Deployment's pods that stay, by creation.
func (w *witness) alive(t testing.TB, part string) []*life {
	t.Helper()
	return slices.DeleteFunc(w.all(t, part), func(l *life) bool { return l.gone != 0 })
}

// changes returns the numbers of replicas that a Deployment was given.
func (w *witness) changes(part string) []size {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sizes[part])
}

// shows waits until a Deployment has so many pods that stay, all of them ready.
func (w *witness) shows(t testing.TB, part string, pods int) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		alive := w.alive(t, part)
		unready := slices.DeleteFunc(slices.Clone(alive), func(l *life) bool { return ready(l.pod()) })
		if len(alive) != pods || len(unready) > 0 {
			return fmt.Errorf("expected %d pods of %s, all ready, got %d, of which %d are not", pods, part, len(alive), len(unready))
		}
		return nil
	})
}

// pod is the newest version.
func (l *life) pod() *corev1.Pod { return l.seen[len(l.seen)-1].pod }

func (l *life) name() string { return l.pod().Name }

func (l *life) created() time.Time { return l.pod().CreationTimestamp.Time }

// at returns the pod as it was at a version; nil when it did not exist or was on its way out.
func (l *life) at(version uint64) *corev1.Pod {
	if l.gone != 0 && l.gone <= version {
		return nil
	}
	var p *corev1.Pod
	for _, s := range l.seen {
		if s.version <= version {
			p = s.pod
		}
	}
	return p
}

// markedBetween reports whether the pod got a mark between two versions.
func (l *life) markedBetween(from, to uint64) bool {
	for i, s := range l.seen {
		if s.version > from && s.version < to && marked(s.pod) && (i == 0 || !marked(l.seen[i-1].pod)) {
			return true
		}
	}
	return false
}

// toCrash is the version from which on the pod was made to crash; beyond all others if it never was.
func (l *life) toCrash() uint64 {
	for _, s := range l.seen {
		if s.pod.Annotations[faultAnnotation] == "crash-loop" {
			return s.version
		}
	}
	return math.MaxUint64
}

// crashed is when the pod was first seen in a crash loop; zero if it never was.
func (l *life) crashed() time.Time {
	for _, s := range l.seen {
		for _, c := range s.pod.Status.ContainerStatuses {
			if c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" {
				return s.at
			}
		}
	}
	return time.Time{}
}

func ready(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// marked reports whether a pod carries the deletion cost by which cusme chooses.
func marked(p *corev1.Pod) bool { return p.Annotations[corev1.PodDeletionCost] == "-1" }

func names(lives []*life) []string {
	var out []string
	for _, l := range lives {
		out = append(out, l.name())
	}
	slices.Sort(out)
	return out
}
