package controller

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/target"
	"cusme.dev/cusme/internal/transport"
)

// A crank is a controller at work on what it sees of a cluster: one LoadScaler
// in dry run, and whatever Deployments and pods a test puts in place.
type crank struct {
	*controller
	ls    *v1alpha1.LoadScaler
	seen  *sight
	clock time.Time
	saved []v1alpha1.LoadScalerStatus
}

func newCrank(t *testing.T, loads ...v1alpha1.Load) *crank {
	t.Helper()
	seen, kinds := &sight{}, meta.NewDefaultRESTMapper(nil)
	kinds.Add(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"), meta.RESTScopeNamespace)
	targets, err := target.New(t.Context(), seen, fake.NewClientBuilder().WithRESTMapper(kinds).Build(), target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := &crank{ls: webui(), seen: seen, clock: time.Now()}
	k.ls.Spec.DryRun, k.ls.Spec.MaxReplicas, k.ls.Spec.Loads = true, 10, loads
	k.ls.Spec.Interval = &metav1.Duration{Duration: time.Hour} // A test reads when it says so.
	anybody := transport.NewDoor(transport.Options{Guard: transport.Guard{Operator: true}})
	k.controller = &controller{
		scalers: k, targets: targets, log: logr.Discard(), now: func() time.Time { return k.clock },
		readings: load.NewReadings(load.Options{Door: anybody}), tellings: rate.NewLimiter(rate.Inf, 1),
	}
	t.Cleanup(k.readings.Close)
	return k
}

func (k *crank) key() types.NamespacedName { return client.ObjectKeyFromObject(k.ls) }

// turn lets the controller decide once.
func (k *crank) turn(t *testing.T) reconcile.Result {
	t.Helper()
	result, err := k.Reconcile(t.Context(), reconcile.Request{NamespacedName: k.key()})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// reads waits for a reading of the first load of which a test says yes.
func (k *crank) reads(t *testing.T, yes func(scaling.Reading) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		got := k.readings.Latest(k.key().String())
		if len(got) > 0 && yes(got[0]) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the reading that is waited for does not come: %+v", got)
		}
	}
}

func (k *crank) get(_ context.Context, key types.NamespacedName) (*v1alpha1.LoadScaler, error) {
	if key != k.key() {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "loadscalers"}, key.Name)
	}
	return k.ls, nil
}

func (k *crank) saveStatus(_ context.Context, _ *v1alpha1.LoadScaler, _, is v1alpha1.LoadScalerStatus) error {
	k.saved, k.ls.Status = append(k.saved, is), is
	return nil
}

func (k *crank) of(_ context.Context, ref target.Ref) []types.NamespacedName {
	if ref != refOf(k.ls) {
		return nil
	}
	return []types.NamespacedName{k.key()}
}

func (k *crank) rival(context.Context, *v1alpha1.LoadScaler) (types.NamespacedName, bool) {
	return types.NamespacedName{}, false
}

// A sight is what the watches show: Deployments whose pods are their own.
type sight struct {
	informertest.FakeInformers
	mu          sync.Mutex
	deployments map[string]*appsv1.Deployment
	pods        []corev1.Pod
}

// deploy shows a Deployment in place of the one of its name, with a ready pod at each address.
func (s *sight) deploy(name string, addresses ...string) {
	s.remove(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	replicas, labels := int32(len(addresses)), map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "aicloud", Name: name, UID: types.UID(name), ResourceVersion: "1"}}
	d.Spec.Replicas, d.Spec.Selector = &replicas, &metav1.LabelSelector{MatchLabels: labels}
	d.Status.Replicas, d.Status.UpdatedReplicas = replicas, replicas
	if s.deployments == nil {
		s.deployments = map[string]*appsv1.Deployment{}
	}
	s.deployments[name] = d
	for i, address := range addresses {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "aicloud", Name: fmt.Sprintf("%s-%d", name, i), Labels: labels, CreationTimestamp: metav1.Time{Time: noon}}}
		p.UID = types.UID(p.Name)
		p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
		p.Status.Phase, p.Status.PodIP = corev1.PodRunning, address
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Time{Time: noon}}}
		s.pods = append(s.pods, p)
	}
}

func (s *sight) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.deployments, name)
	s.pods = slices.DeleteFunc(s.pods, func(p corev1.Pod) bool { return p.Labels["app"] == name })
}

// GetInformer never tells of a change: a test turns the crank by itself.
func (s *sight) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return controllertest.NewFakeInformer(controllertest.Synced), nil
}

func (s *sight) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := o.(*appsv1.Deployment)
	if !ok || s.deployments[key.Name] == nil {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	s.deployments[key.Name].DeepCopyInto(d)
	return nil
}

func (s *sight) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := (&client.ListOptions{}).ApplyOptions(options)
	if pods, ok := list.(*corev1.PodList); ok && o.LabelSelector != nil {
		for _, p := range s.pods {
			if o.LabelSelector.Matches(labelsOf(p)) {
				pods.Items = append(pods.Items, p)
			}
		}
	}
	return nil
}

func labelsOf(p corev1.Pod) labels.Set { return p.Labels }

// serve answers with numbers, and counts how often it was asked.
func serve(t *testing.T, number func(asked int) string) (server *httptest.Server, port int32) {
	t.Helper()
	var mu sync.Mutex
	asked := 0
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		fmt.Fprintf(w, `{"load": %s}`, number(asked))
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return server, int32(n)
}

func isFresh(r scaling.Reading) bool { return r.Problem == "" }

// A pod that is leaving serves still, and has less and less to do: its answers
// would pull the average of all down.
func TestLeavingPodsAreNotAsked(t *testing.T) {
	got := podsOf(target.State{Pods: []scaling.Pod{{Name: "a", Ready: true}, {Name: "b", Ready: true, Leaving: true}, {Name: "c"}}})
	if want := []load.Pod{{Name: "a", Ready: true}, {Name: "b"}, {Name: "c"}}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Once the target is gone, the addresses of its pods may be somebody else's.
func TestPodsOfATargetThatIsGoneAreNotAsked(t *testing.T) {
	_, port := serve(t, func(int) string { return "0.6" })
	k := newCrank(t, v1alpha1.Load{Name: "backend", Pods: &v1alpha1.PodsSource{Port: port, Value: "body.load"}})
	k.ls.Spec.Interval.Duration = 20 * time.Millisecond
	k.seen.deploy("webui", "127.0.0.1")
	k.turn(t)
	k.reads(t, isFresh)
	k.seen.remove("webui")
	k.turn(t)
	if got := meta.FindStatusCondition(k.ls.Status.Conditions, v1alpha1.ConditionReady); got == nil || got.Reason != "TargetNotFound" {
		t.Errorf("the condition is %+v, want TargetNotFound", got)
	}
	k.reads(t, func(r scaling.Reading) bool {
		return r.Problem != "" && strings.HasPrefix(r.Message, "no pod is ready")
	})
}

// What was read of one target says nothing about another: all is read anew.
func TestAnotherTargetIsReadAnew(t *testing.T) {
	server, _ := serve(t, func(asked int) string { return fmt.Sprint(asked) })
	k := newCrank(t, v1alpha1.Load{Name: "backend", HTTP: &v1alpha1.HTTPSource{URL: server.URL, Value: "body.load"}})
	k.seen.deploy("webui", "127.0.0.1")
	k.seen.deploy("other", "127.0.0.1")
	k.turn(t)
	k.reads(t, func(r scaling.Reading) bool { return r.Value == 1 })
	k.ls.Spec.ScaleTargetRef.Name = "other"
	k.turn(t)
	k.reads(t, func(r scaling.Reading) bool { return r.Value == 2 })
}

// A load that is silent is waited for, but not for ever: the maximum is kept meanwhile.
func TestTheFirstReadingIsWaitedForOneInterval(t *testing.T) {
	k := newCrank(t, v1alpha1.Load{Name: "backend", Push: &v1alpha1.PushSource{}, StaleAfter: &metav1.Duration{Duration: 24 * time.Hour}})
	k.ls.Spec.MaxReplicas = 2
	k.seen.deploy("webui", "10.0.0.1", "10.0.0.2", "10.0.0.3")
	if got := k.turn(t); got.RequeueAfter != time.Hour || len(k.saved) > 0 {
		t.Errorf("the first turn looks again after %s and writes %d statuses, want %s and none", got.RequeueAfter, len(k.saved), time.Hour)
	}
	k.clock = k.clock.Add(time.Hour)
	k.turn(t)
	if len(k.saved) != 1 || k.saved[0].DesiredReplicas != 2 || k.saved[0].Loads[0].State != "Pending" {
		t.Errorf("an interval later: got %+v, want one status with 2 replicas of a load that is pending", k.saved)
	}
}

// Sentences that only breathe are not written again and again: in half an hour
// one status tells what is wrong, and another that the fallback is in force.
func TestSentencesThatBreatheAreNoNews(t *testing.T) {
	breathing, _ := serve(t, func(asked int) string { return fmt.Sprintf("7.%05d", asked*137) })
	ahead, _ := serve(t, func(asked int) string { return fmt.Sprint(time.Now().Add(time.Duration(asked) * time.Hour).Unix()) })
	dead, _ := serve(t, nil)
	dead.Close()
	for name, c := range map[string]struct {
		from     v1alpha1.HTTPSource
		breathes bool
	}{
		"a value outside the range": {v1alpha1.HTTPSource{URL: breathing.URL, Value: "body.load"}, true},
		"a clock ahead":             {v1alpha1.HTTPSource{URL: ahead.URL, Value: "0.5", ObservedAt: "timestamp(int(body.load))"}, true},
		"no answer":                 {v1alpha1.HTTPSource{URL: dead.URL, Value: "body.load"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := v1alpha1.Load{Name: "backend", HTTP: &c.from}
			l.ValidRange = &v1alpha1.Range{Max: resource.NewQuantity(1, resource.DecimalSI)}
			k := newCrank(t, l)
			k.ls.Spec.Interval.Duration = time.Second
			k.ls.Spec.Fallback = &v1alpha1.Fallback{FallbackRule: v1alpha1.FallbackRule{After: &metav1.Duration{Duration: 15 * time.Minute}, Replicas: ptr.To(int32(4))}}
			k.seen.deploy("webui", "10.0.0.1")
			k.turn(t)
			said := messageOf(k)
			for range 6 {
				if c.breathes || len(k.saved) == 0 {
					k.reads(t, func(r scaling.Reading) bool { return r.Message != said })
				}
				said = messageOf(k)
				k.turn(t)
				k.clock = k.clock.Add(6 * time.Minute)
			}
			if len(k.saved) != 2 {
				t.Errorf("%d statuses were written, want 2", len(k.saved))
			}
		})
	}
}

// messageOf is what is said of the first load now.
func messageOf(k *crank) string {
	return k.readings.Latest(k.key().String())[0].Message
}
