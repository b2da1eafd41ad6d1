package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/scaling"
)

// patience is far above what anything here takes, so that only what never comes is missed.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	clustertest.Main(m, "--startup-median=0s")
}

// settle is the bench's Options.Settle: enough for a ReplicaSet controller on a busy machine.
const settle = 2 * time.Second

// bench is Targets at work on a real control plane, with the rights that the
// markers of this package ask for, and whatever a test adds.
type bench struct {
	*Targets
	admin    client.Client
	ns       string
	requests *atomic.Int64 // all requests but the watches'
	watches  *tap
	woken    chan Ref
}

type benchOptions struct {
	rights  []rbacv1.PolicyRule
	blind   bool   // nodes may not be read
	chained bool   // pods may not be patched, and it is known
	without string // a right taken away, such as patch pods
	now     func() time.Time
}

func newBench(t *testing.T, o benchOptions) *bench {
	t.Helper()
	cluster := clustertest.Shared(t)
	admin, err := client.New(cluster.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{admin: admin, ns: cluster.Namespace(t), requests: &atomic.Int64{}, watches: newTap(), woken: make(chan Ref, 10_000)}
	config := cluster.ConfigFor(t, b.ns, "cusme")
	config.QPS = -1
	b.grant(t, append(without(o.without, markedRights(t)), o.rights...))

	watching := rest.CopyConfig(config)
	watching.Wrap(b.watches.wrap)
	seen, err := cache.New(watching, cache.Options{Scheme: scheme.Scheme, DefaultTransform: Trim(nil)})
	if err != nil {
		t.Fatal(err)
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			b.requests.Add(1)
			return next.RoundTrip(r)
		})
	})
	written, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.Targets, err = New(t.Context(), seen, written, Options{Nodes: !o.blind, Steer: !o.chained, Settle: settle, Now: o.now, OnChange: func(r Ref) {
		select {
		case b.woken <- r:
		default:
			t.Error("woken ten thousand times")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.start(t, seen)
	return b
}

// start runs the watches for as long as the test, and lets them flow before it ends.
func (b *bench) start(t *testing.T, c cache.Cache) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Start(ctx) })
	t.Cleanup(func() {
		stop()
		b.watches.open()
		running.Wait()
	})
	synced, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !c.WaitForCacheSync(synced) {
		t.Fatal("the watches do not begin: do the markers ask for enough rights?")
	}
}

func (b *bench) grant(t *testing.T, rules []rbacv1.PolicyRule) {
	t.Helper()
	name := "cusme-" + b.ns
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: b.ns, Name: "cusme"}},
	}
	for _, o := range []client.Object{role, binding} {
		b.create(t, o)
		t.Cleanup(func() { _ = b.admin.Delete(context.Background(), o) })
	}
}

func (b *bench) create(t *testing.T, o client.Object) {
	t.Helper()
	if err := b.admin.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// see observes, each time the target is said to have changed and at no other
// time, until the state is as wanted: so every sight also shows that waking works.
func (b *bench) see(t *testing.T, ref Ref, wanted func(State, error) error) State {
	t.Helper()
	late := time.After(patience)
	for {
		s, err := b.Observe(t.Context(), ref)
		unmet := wanted(s, err)
		if unmet == nil {
			return s
		}
		for woken := false; !woken; {
			select {
			case r := <-b.woken:
				woken = r == ref
			case <-late:
				t.Fatalf("%s: not within %s: %v", ref, patience, unmet)
			}
		}
	}
}

// settled wants n replicas asked for, and as many ready pods and no other.
func settled(n int) func(State, error) error {
	return func(s State, err error) error {
		if err != nil {
			return err
		}
		ready := 0
		for _, p := range s.Pods {
			if p.Ready && !p.Leaving {
				ready++
			}
		}
		if int(s.Replicas) != n || ready != n || len(s.Pods) != n {
			return fmt.Errorf("%d replicas, %d pods, %d ready; want %d: %+v", s.Replicas, len(s.Pods), ready, n, s.Pods)
		}
		return nil
	}
}

// failed wants an error of a kind.
func failed(kind error) func(State, error) error {
	return func(s State, err error) error {
		if !errors.Is(err, kind) {
			return fmt.Errorf("state %+v, error %v; want %v", s, err, kind)
		}
		return nil
	}
}

func names(pods []scaling.Pod) string {
	var all []string
	for _, p := range pods {
		all = append(all, p.Name)
	}
	return strings.Join(all, " ")
}

var marker = regexp.MustCompile(`(?m)^// \+kubebuilder:rbac:groups=(\S*?),resources=(\S+?),verbs=(\S+)$`)

// markedRights are the rights that this package's markers ask for: the ones
// its users' role is generated from.
func markedRights(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var rules []rbacv1.PolicyRule
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range marker.FindAllStringSubmatch(string(text), -1) {
			rules = append(rules, rbacv1.PolicyRule{
				APIGroups: []string{strings.Trim(m[1], `"`)},
				Resources: strings.Split(m[2], ";"),
				Verbs:     strings.Split(m[3], ";"),
			})
		}
	}
	return rules
}

// without takes from rules those that are exactly a verb and a resource.
func without(right string, rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	return slices.DeleteFunc(rules, func(r rbacv1.PolicyRule) bool {
		return strings.Join(r.Verbs, " ")+" "+strings.Join(r.Resources, " ") == right
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// tap holds back what the API server tells the watches, as a slow network would.
type tap struct {
	mu   sync.Mutex
	flow chan struct{} // closed while it flows
}

func newTap() *tap {
	p := &tap{flow: make(chan struct{})}
	close(p.flow)
	return p
}

func (p *tap) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flow = make(chan struct{})
}

func (p *tap) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow:
	default:
		close(p.flow)
	}
}

func (p *tap) wait() {
	p.mu.Lock()
	flow := p.flow
	p.mu.Unlock()
	<-flow
}

func (p *tap) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		if err == nil {
			answer.Body = &held{ReadCloser: answer.Body, tap: p}
		}
		return answer, err
	})
}

// held is a body that arrives when the tap is open.
type held struct {
	io.ReadCloser
	tap *tap
}

func (h *held) Read(b []byte) (int, error) {
	n, err := h.ReadCloser.Read(b)
	h.tap.wait()
	return n, err
}
