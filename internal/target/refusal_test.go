package target

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/clustertest"
)

// tell writes a fleet's status, as its controller would.
func (b *bench) tell(t *testing.T, o client.Object, selector string) {
	t.Helper()
	f := o.(*unstructured.Unstructured)
	f.Object["status"] = map[string]any{"replicas": int64(0), "selector": selector}
	if err := b.admin.Status().Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func TestKindsThatCannotBeScaled(t *testing.T) {
	b := newBench(t, benchOptions{rights: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps", "configmaps/scale"}, Verbs: []string{"get", "list", "watch"}}}})
	b.create(t, &corev1.ConfigMap{TypeMeta: configMap, ObjectMeta: named(b.ns, "web")})
	for kind, c := range map[string]struct{ apiVersion, want string }{
		"ConfigMap": {"v1", "kind ConfigMap has no scale subresource"},
		"Node":      {"v1", "a Node belongs to no namespace"},
		"Fridge":    {"kitchen.example.com/v1", "the cluster knows no kind Fridge in kitchen.example.com/v1; correct the scaleTargetRef"},
	} {
		b.see(t, Ref{c.apiVersion, kind, b.ns, "web"}, func(_ State, err error) error {
			if errors.Is(err, ErrNotFound) {
				return err // The watch has not seen it yet.
			}
			if !errors.Is(err, ErrNoScale) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v; want ErrNoScale: %s", kind, err, c.want)
			}
			return nil
		})
	}
}

func TestScaleWithoutSelector(t *testing.T) {
	installFleet(t)
	b := newBench(t, benchOptions{rights: subjects[3].rights})
	f := fleet(b.ns, "web", 0)
	b.create(t, f)
	b.see(t, fleetRef(b.ns), failed(ErrNoScale))
	b.tell(t, f, "app in (")
	b.see(t, fleetRef(b.ns), func(_ State, err error) error {
		if !errors.Is(err, ErrNoScale) || !strings.Contains(err.Error(), "the status.selector of its scale subresource: ") {
			return errors.Join(errors.New("want a word about the selector"), err)
		}
		return nil
	})
	b.tell(t, f, "app=web")
	b.see(t, fleetRef(b.ns), settled(0))
}

func TestMissingRightsAreSpeltOut(t *testing.T) {
	installFleet(t)
	watch := rbacv1.PolicyRule{APIGroups: []string{"test.cusme.dev"}, Resources: []string{"fleets"}, Verbs: []string{"get", "list", "watch"}}
	t.Run("watch", func(t *testing.T) {
		b := newBench(t, benchOptions{})
		_, err := b.Observe(t.Context(), fleetRef(b.ns))
		wantRule(t, err, `{apiGroups: ["test.cusme.dev"], resources: ["fleets"], verbs: ["get", "list", "watch"]} in namespace `+b.ns)
	})
	t.Run("scale", func(t *testing.T) {
		b := newBench(t, benchOptions{rights: []rbacv1.PolicyRule{watch}})
		f := fleet(b.ns, "web", 1)
		b.create(t, f)
		b.see(t, fleetRef(b.ns), func(_ State, err error) error {
			if errors.Is(err, ErrNotFound) {
				return err
			}
			wantRule(t, err, `{apiGroups: ["test.cusme.dev"], resources: ["fleets/scale"], verbs: ["get"]}`)
			return nil
		})
		err := b.Scale(t.Context(), State{Ref: fleetRef(b.ns), UID: f.GetUID(), ResourceVersion: f.GetResourceVersion()}, 2)
		wantRule(t, err, `{apiGroups: ["test.cusme.dev"], resources: ["fleets/scale"], verbs: ["update"]}`)
		if !apierrors.IsForbidden(err) {
			t.Errorf("%v does not wrap what the API server said", err)
		}
	})
}

func wantRule(t *testing.T, err error, rule string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), rule) || !strings.Contains(err.Error(), `cusme.dev/aggregate-to-controller: "true"`) {
		t.Errorf("%v\nwant the missing rule %s, and where to put it", err, rule)
	}
}

// An empty resource version would make the write unconditional.
func TestScaleNeedsAnObservedState(t *testing.T) {
	for _, s := range []State{{}, {UID: "u"}, {ResourceVersion: "1"}} {
		if err := (&Targets{}).Scale(t.Context(), s, 1); err == nil || !strings.Contains(err.Error(), "observe the target first") {
			t.Errorf("scale on top of %+v: %v, want a refusal", s, err)
		}
	}
	if err := (&Targets{}).Scale(t.Context(), State{UID: "u", ResourceVersion: "1"}, -1); err == nil || !strings.Contains(err.Error(), "negative") {
		t.Errorf("scale to -1: %v, want a refusal", err)
	}
}

// Many targets of a kind that nobody watched yet are looked at at once, as
// after a start: all wait for the watch, and none is told that a right is missing.
func TestLooksWaitForANewWatchTogether(t *testing.T) {
	b := newBench(t, benchOptions{})
	var looks sync.WaitGroup
	for i := range 8 {
		looks.Go(func() {
			_, err := b.Observe(t.Context(), Ref{"apps/v1", "StatefulSet", b.ns, fmt.Sprintf("web-%d", i)})
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("look %d: %v, want ErrNotFound", i, err)
			}
		})
	}
	looks.Wait()
}

// A kind that may not be read holds up one look, not each, and makes nobody
// wait who only asks whether all is well.
func TestAForbiddenKindIsWaitedForOnce(t *testing.T) {
	installFleet(t)
	b := newBench(t, benchOptions{})
	for look := range 3 {
		began := time.Now()
		if _, err := b.Observe(t.Context(), fleetRef(b.ns)); !errors.Is(err, ErrUnseen) {
			t.Fatalf("look %d: %v, want ErrUnseen", look, err)
		}
		if took := time.Since(began); look > 0 && took >= syncPatience {
			t.Errorf("look %d waited %s again", look, took)
		}
	}
	if !b.Synced() {
		t.Error("not synced for a kind that some target names, want it left out")
	}
}

func TestNotSyncedBeforeTheWatchesBegan(t *testing.T) {
	b := newBench(t, benchOptions{})
	fresh, err := cache.New(clustertest.Shared(t).Config(), cache.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := New(t.Context(), fresh, b.client, Options{Nodes: true})
	if err != nil {
		t.Fatal(err)
	}
	if targets.Synced() {
		t.Error("synced before the cache was started")
	}
}
