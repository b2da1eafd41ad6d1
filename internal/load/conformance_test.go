// The conformance suite holds every kind of source to the same promises: a
// reading is a good number with its time, or a problem with a sentence, and
// never 0 for want of one. No secret is ever in the sentence.
//
// To add a kind, write one value of type kind in <kind>_test.go (http_test.go
// has the shortest), and add its line to kinds:
//
//   - open opens its load, named backend, at a site, and returns what asks it.
//     byAsking does that for every source with an address of its own.
//   - says is a server that knows a number, written as the trial writes it, and
//     when that was true. It says both as this kind says them; no number at all
//     is a server that has none.
//   - tells takes the place of both for a kind that is told and does not ask.
//   - cannot names the trials that cannot happen to it, or whole groups of them,
//     each with the reason. A trial that neither runs nor has its reason fails.

package load

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kinds are all kinds of sources, by their fields in the API.
var kinds = map[string]kind{
	"expression":     expressionKind,
	"external":       externalKind,
	"externalMetric": externalMetricKind,
	"objectMetric":   objectMetricKind,
	"push":           pushKind,
	"http":           httpKind,
	"pods":           podsKind,
	"prometheus":     prometheusKind,
}

// A kind is one kind of source, as far as the suite has to know it.
type kind struct {
	open   func(t *testing.T, s site) (ask func() scaling.Reading)
	says   func(number string, at time.Time) http.Handler
	tells  func(t *testing.T, number string, at time.Time) scaling.Reading
	cannot map[string]string
}

// A site is where a source is read in one trial.
type site struct {
	// url of the server, which speaks HTTP/1.1 and HTTP/2, without a path.
	url string
	// connection for a source that takes one; others take its TLS and Timeout.
	connection v1alpha1.Connection
	// options of the source; Metrics leads to the server too.
	options Options
	// pods are one pod, which is the server.
	pods func(scaler string) ([]Pod, bool)
}

// byAsking opens a load and asks its endpoint, again and again over the
// connections that it keeps, as a poller does.
func byAsking(load func(s site) v1alpha1.Load) func(*testing.T, site) func() scaling.Reading {
	return func(t *testing.T, s site) func() scaling.Reading {
		t.Helper()
		source, err := openOne(load(s), s.options)
		if err != nil {
			t.Fatal(err)
		}
		return askingAt(t, source, s)
	}
}

// askingAt asks a source's endpoint at a site.
func askingAt(t *testing.T, source Source, s site) func() scaling.Reading {
	e := source.from.connect(surroundings{Options: s.options, pods: s.pods})
	t.Cleanup(e.close)
	return func() scaling.Reading {
		ctx, cancel := context.WithTimeout(context.Background(), source.within())
		defer cancel()
		return source.reading(understand(e.ask(ctx, source.within())))
	}
}

// openOne opens a load that stands alone.
func openOne(l v1alpha1.Load, o Options) (Source, error) {
	sources, err := OpenAll("shop/webui", []v1alpha1.Load{l}, o)
	return sources[0], err
}

// anyDoor leads anywhere: test servers stand on loopback.
var anyDoor = transport.NewDoor(transport.Options{Guard: transport.Guard{Operator: true}})

// A vault holds Secrets in memory, under "name/key".
type vault struct {
	mu     sync.Mutex
	values map[string]string
}

func (v *vault) Value(_ context.Context, _, name, key string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	value, ok := v.values[name+"/"+key]
	if !ok {
		return "", fmt.Errorf("Secret %s has no key %s", name, key)
	}
	return value, nil
}

func (v *vault) put(name, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values[name] = value
}

// TestConformance runs every trial for every kind.
func TestConformance(t *testing.T) {
	for name, k := range kinds {
		for _, tr := range trials {
			if !k.excused(tr) {
				t.Run(name+"/"+tr.name, func(t *testing.T) { tr.run(t, k) })
			}
		}
	}
}

// excused reports whether a trial cannot happen to a kind.
func (k kind) excused(tr trial) bool {
	return k.cannot[tr.name] != "" || k.cannot[tr.group()] != ""
}

// TestEveryKindIsHeld wants no source in the API, no trial and no excuse forgotten.
func TestEveryKindIsHeld(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(kinds)), sourceFields(); !slices.Equal(got, want) {
		t.Errorf("kinds has lines for %q, a Load has %q", got, want)
	}
	known := map[string]bool{}
	for _, tr := range trials {
		known[tr.name], known[tr.group()] = true, true
	}
	for name, k := range kinds {
		for excused, reason := range k.cannot {
			if !known[excused] || len(strings.Fields(reason)) < 3 {
				t.Errorf("%s: cannot[%q] is %q; expected the name of a trial or a group, and a reason in a sentence", name, excused, reason)
			}
		}
		if (k.tells == nil) == (k.open == nil) || (k.open == nil) != (k.says == nil) {
			t.Errorf("%s: expected either open and says, or tells", name)
		}
	}
}

// sourceFields are the fields of a Load that say where it is read, in order.
func sourceFields() []string {
	fields := []string{"expression"}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[v1alpha1.Load]()) {
		if f.Type.Kind() == reflect.Pointer && strings.HasSuffix(f.Type.Elem().Name(), "Source") {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields = append(fields, name)
		}
	}
	slices.Sort(fields)
	return fields
}

// run holds a kind to one trial.
func (tr trial) run(t *testing.T, k kind) {
	if !tr.frugal {
		t.Parallel() // memory is counted for the whole program
	}
	begun := time.Now()
	at := begun.Add(-tr.age)
	if k.tells != nil {
		if tr.wire != nil || tr.tls != nil || tr.secret {
			t.Fatal("this trial is about a server, and the kind asks none: cannot should say why")
		}
		tr.check(t, k.tells(t, tr.number, at), begun)
		return
	}
	handler := k.says(tr.number, at)
	if tr.wire != nil {
		handler = tr.wire(handler)
	}
	secrets := &vault{values: map[string]string{}}
	if tr.secret {
		handler = guarded(handler, secrets)
	}
	meter := &meter{}
	ask := k.open(t, tr.site(t, meter.over(handler), secrets))
	meter.start()
	got := ask()
	if tr.frugal {
		meter.check(t)
	}
	tr.check(t, got, begun)
	if tr.secret {
		secrets.put("access/token", "hush-2")
		tr.check(t, ask(), begun)
	}
}

// site starts the trial's server and says how to get there.
func (tr trial) site(t *testing.T, h http.Handler, secrets *vault) site {
	t.Helper()
	timeout := tr.timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	s := site{
		connection: v1alpha1.Connection{Timeout: &metav1.Duration{Duration: timeout}},
		options: Options{
			Version: "v9",
			Door:    transport.NewDoor(transport.Options{Guard: transport.Guard{Operator: true}, Secrets: secrets}),
		},
	}
	s.url = start(t, h, tr.tls, secrets)
	if tr.tls != nil {
		s.connection.TLS = tr.tls.settings()
	}
	if tr.secret {
		s.connection.Auth = &v1alpha1.Auth{Bearer: secretOf("access", "token")}
	}
	s.options.Metrics = &rest.Config{Host: s.url}
	host, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddrPort(host.Host).Addr().String()
	s.pods = func(string) ([]Pod, bool) { return []Pod{{Name: "webui-1", Address: address, Ready: true}}, true }
	return s
}

func secretOf(name, key string) *v1alpha1.SecretValue {
	return &v1alpha1.SecretValue{SecretKeyRef: v1alpha1.SecretKey{Name: name, Key: key}}
}

// check compares what was read with what the trial wants.
func (tr trial) check(t *testing.T, got scaling.Reading, begun time.Time) {
	t.Helper()
	if got.Load != "backend" {
		t.Errorf("the reading is of load %q, expected backend", got.Load)
	}
	if strings.Contains(got.Message, "hush") {
		t.Errorf("message %q gives a secret away", got.Message)
	}
	if got.Problem == "" {
		tr.checkNumber(t, got, begun)
		return
	}
	if !slices.Contains(tr.want.problems, got.Problem) {
		t.Errorf("got %q (%s), want %v", got.Problem, got.Message, tr.want)
	}
	if got.Message == "" || len(got.Message) > 4*sentenceLimit {
		t.Errorf("message of %d bytes: %q", len(got.Message), got.Message)
	}
	if got.Value != 0 || !got.At.IsZero() {
		t.Errorf("a first reading with a problem has value %v and time %s", got.Value, got.At)
	}
}

// checkNumber wants the right number, as of when it was true: to the second, which
// is what some kinds count in.
func (tr trial) checkNumber(t *testing.T, got scaling.Reading, begun time.Time) {
	t.Helper()
	if !tr.want.number || got.Value != tr.want.value {
		t.Errorf("got %v, want %v", got.Value, tr.want)
	}
	if got.Message != "" {
		t.Errorf("a good reading has message %q", got.Message)
	}
	told := begun.Add(-tr.age)
	if got.At.After(time.Now()) || tr.age >= 0 && got.At.Before(told.Add(-time.Second)) || tr.age > 0 && got.At.After(told.Add(time.Second)) {
		t.Errorf("read as of %s; it was true at %s, and now is %s", got.At, told, time.Now())
	}
}
