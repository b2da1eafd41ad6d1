package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func token(value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "backend"}, Data: map[string][]byte{"token": []byte(value)}}
}

// world is a set of Secrets before an API server that may refuse to show them.
type world struct {
	*Secrets
	server *fake.Clientset
	refuse atomic.Pointer[error]
	lists  atomic.Int32
}

// bubble runs a test in which time is the test's own.
func bubble(t *testing.T, test func(*testing.T, *world), objects ...runtime.Object) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{server: fake.NewClientset(objects...)}
		w.server.PrependReactor("list", "secrets", func(a clienttesting.Action) (bool, runtime.Object, error) {
			w.lists.Add(1)
			if named := a.(clienttesting.ListAction).GetListRestrictions().Fields.String(); named != "metadata.name=backend" {
				t.Errorf("listed %q", named)
			}
			if err := w.refuse.Load(); err != nil {
				return true, nil, *err
			}
			return false, nil, nil
		})
		w.Secrets = New(w.server, Account(""))
		defer w.Close()
		test(t, w)
	})
}

func (w *world) refuses(err error) { w.refuse.Store(&err) }
func (w *world) allows()           { w.refuse.Store(nil) }

func (w *world) ask(t *testing.T) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	return w.Value(ctx, "shop", "backend", "token")
}

func (w *world) says(t *testing.T, want string) {
	t.Helper()
	if got, err := w.ask(t); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

var forbidden = apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "backend", errors.New("no right"))

func TestValueFollowsTheSecret(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		if _, known := w.Denied("shop", "backend"); known {
			t.Error("known before anybody wanted it")
		}
		w.says(t, "one")
		secrets := w.server.CoreV1().Secrets("shop")
		if _, err := secrets.Update(t.Context(), token("two"), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.says(t, "two")
		if _, err := w.Value(t.Context(), "shop", "backend", "other"); !errors.As(err, new(NoKeyError)) || err.Error() != "Secret shop/backend has no key other" {
			t.Errorf("got %v", err)
		}
		if err := secrets.Delete(t.Context(), "backend", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := w.ask(t); !errors.As(err, new(NotFoundError)) || err.Error() != "there is no Secret shop/backend" {
			t.Errorf("got %v", err)
		}
		if denied, known := w.Denied("shop", "backend"); denied || !known {
			t.Errorf("denied %t, known %t", denied, known)
		}
		if _, err := secrets.Create(t.Context(), token("three"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.says(t, "three")
		if n := w.lists.Load(); n != 1 {
			t.Errorf("listed %d times, want once", n)
		}
	}, token("one"))
}

func TestARightIsNoticedWithinSeconds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.refuses(forbidden)
		if _, err := w.ask(t); !errors.As(err, new(NotGrantedError)) || !strings.Contains(err.Error(), "cusme may not read Secret shop/backend") {
			t.Errorf("got %v", err)
		}
		if denied, known := w.Denied("shop", "backend"); !denied || !known {
			t.Errorf("denied %t, known %t", denied, known)
		}
		time.Sleep(time.Minute) // the wait between two tries is at its longest
		w.allows()
		time.Sleep(10 * time.Second)
		w.says(t, "one")
	}, token("one"))
}

// TestOneNamespaceStarvesNoOther: Secrets that nobody grants are asked for at a limited pace, and a right in another
// namespace is noticed as soon as ever.
func TestOneNamespaceStarvesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := fake.NewClientset(token("one"))
		var refused atomic.Int32
		var granted atomic.Bool
		server.PrependReactor("list", "secrets", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if a.GetNamespace() == "shop" && granted.Load() {
				return false, nil, nil
			}
			if a.GetNamespace() == "noisy" {
				refused.Add(1)
			}
			return true, nil, forbidden
		})
		s := New(server, Account(""))
		defer s.Close()
		for i := range 1000 {
			s.look(types.NamespacedName{Namespace: "noisy", Name: fmt.Sprint(i)})
		}
		s.look(types.NamespacedName{Namespace: "shop", Name: "backend"})
		time.Sleep(time.Minute)
		if got := refused.Load(); got > 60*requestsPerSecond+requestsInBurst {
			t.Errorf("asked %d times in a minute", got)
		}
		granted.Store(true)
		time.Sleep(10 * time.Second)
		if value, err := s.Value(t.Context(), "shop", "backend", "token"); value != "one" || err != nil {
			t.Errorf("got %q, %v", value, err)
		}
	})
}

// TestServerAway: what was seen stays true as far as anybody knows; what was not is waited for.
func TestServerAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.refuses(errors.New("connection refused"))
		began := time.Now()
		_, err := w.ask(t)
		if err == nil || err.Error() != "no sight of Secret shop/backend yet: failed to list *v1.Secret: connection refused" {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(began); waited != 3*time.Second {
			t.Errorf("waited %s", waited)
		}
		w.allows()
		time.Sleep(10 * time.Second)
		w.says(t, "one")
		w.Secrets.tell(w.watched[backend], func(s *sight) { s.failed(errors.New("connection refused")) })
		w.says(t, "one")
		w.Secrets.tell(w.watched[backend], func(s *sight) { s.failed(forbidden) })
		if _, err := w.ask(t); !errors.As(err, new(NotGrantedError)) {
			t.Errorf("a right that was taken back: got %v", err)
		}
	}, token("one"))
}

var backend = struct{ Namespace, Name string }{"shop", "backend"}

// TestWatchesEndWhenNobodyWantsThem, and not before.
func TestWatchesEndWhenNobodyWantsThem(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var open atomic.Int32
		w.server.PrependWatchReactor("secrets", func(clienttesting.Action) (bool, watch.Interface, error) {
			open.Add(1)
			events := watch.NewFake()
			return true, stopped{events, func() { open.Add(-1) }}, nil
		})
		for range 5 {
			w.says(t, "one")
			time.Sleep(idleTime - time.Second)
		}
		if n := open.Load(); n != 1 {
			t.Fatalf("%d watches are open, want 1", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := open.Load(); n != 0 {
			t.Errorf("%d watches are open, want none", n)
		}
		if _, known := w.Denied("shop", "backend"); known {
			t.Error("still known")
		}
		w.says(t, "one")
	}, token("one"))
}

// stopped tells that a watch was stopped.
type stopped struct {
	*watch.FakeWatcher
	tell func()
}

func (s stopped) Stop() {
	if !s.IsStopped() {
		s.tell()
	}
	s.FakeWatcher.Stop()
}

func TestAfterClose(t *testing.T) {
	s := New(fake.NewClientset(), Account(""))
	s.Close()
	if _, err := s.Value(t.Context(), "shop", "backend", "token"); err == nil {
		t.Error("a value after the end")
	}
	s.Close()
}

func TestGrantIsOneLineForWhomItConcerns(t *testing.T) {
	for user, want := range map[string]rbacv1.Subject{
		"":                                    {Kind: "ServiceAccount", Namespace: "cusme-system", Name: "cusme"},
		"system:serviceaccount:ops:autoscale": {Kind: "ServiceAccount", Namespace: "ops", Name: "autoscale"},
		"jane":                                {Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: "jane"},
		"system:serviceaccount:odd":           {Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: "system:serviceaccount:odd"},
	} {
		text := New(nil, Account(user)).Grant("shop", []string{"backend", "login"})
		if strings.ContainsAny(text, "\n'") || strings.Contains(text, "null") {
			t.Errorf("not for a shell: %s", text)
		}
		var list struct{ Items []json.RawMessage }
		if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Items) != 4 {
			t.Fatalf("%v: %s", err, text)
		}
		var role rbacv1.Role
		var binding rbacv1.RoleBinding
		if err := errors.Join(json.Unmarshal(list.Items[2], &role), json.Unmarshal(list.Items[3], &binding)); err != nil {
			t.Fatal(err)
		}
		if r := role.Rules[0]; len(role.Rules) != 1 || r.ResourceNames[0] != "login" || strings.Join(r.Verbs, " ") != "get list watch" || role.Namespace != "shop" {
			t.Errorf("grants %+v", role)
		}
		if binding.RoleRef.Name != role.Name || binding.Subjects[0] != want {
			t.Errorf("binds %+v, want %+v", binding, want)
		}
	}
}
