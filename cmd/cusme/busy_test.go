package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// Two pods that work on a request and two younger ones that do not: without
// knowing, cusme would take the older ones.

func TestAnnotatedBusyPodsStay(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "2"), newDeployment(t, 2)
	d.cluster.InstallCRD(t)
	d.isReady(t, 2)
	busy := d.podNames(t)
	for _, pod := range busy {
		d.annotate(t, pod, "cusme.dev/busy", "true")
	}
	d.scale(t, 4)
	d.isReady(t, 4)
	b.reports("4")
	newTotalScaler(t, d, b)
	startController(t, d)
	d.hasStatus(t, `{.status.conditions[?(@.type=="ReadingsFresh")].status}`, "True")
	b.reports("2")
	d.keeps(t, busy)
}

// Of two pods that stay one says that it is busy, and one says nothing at all.
func TestPodsAreAskedWhetherTheyAreBusy(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "4"), newDeployment(t, 2, heldBack, addressAnnotation+": 127.0.78.1")
	port := answerAt(t, d, d.unready(t, 2)[0], `{"active": 3}`, "0")
	d.letGo(t)
	d.isReady(t, 2)
	busy := d.podNames(t)
	d.scale(t, 4)
	for _, pod := range d.unready(t, 2) {
		answerAt(t, d, pod, `{"active": 0}`, port)
	}
	d.letGo(t)
	d.isReady(t, 4)
	d.cluster.InstallCRD(t)
	newTotalScaler(t, d, b, "busy: {port: "+port+", value: body.active > 0}")
	p := startController(t, d)
	d.hasStatus(t, `{.status.conditions[?(@.type=="ReadingsFresh")].status}`, "True")
	b.reports("2")
	d.keeps(t, busy)
	p.says(t, "pods did not say whether they are busy, and count as busy")
}

// Where no pod answers, the scale-in waits for the answers and no longer.
func TestSilentPodsHoldNothingUp(t *testing.T) {
	t.Parallel()
	silent := listenAnywhere(t, "0") // takes connections, and never answers
	t.Cleanup(func() { _ = silent.Close() })
	host, port, err := net.SplitHostPort(silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, d := newBackend(t, "3"), newDeployment(t, 3, addressAnnotation+": "+host)
	d.isReady(t, 3)
	d.cluster.InstallCRD(t)
	newTotalScaler(t, d, b, "busy: {port: "+port+", value: body.active > 0}")
	startController(t, d)
	d.hasStatus(t, `{.status.conditions[?(@.type=="ReadingsFresh")].status}`, "True")
	b.reports("1")
	dropped := time.Now()
	d.reaches(t, 1)
	if took := time.Since(dropped); took > promisedWithin { // an answer has 2 s, and marks settle for 2 s
		t.Errorf("the scale-in took %s with silent pods, promised within %s", took, promisedWithin)
	}
}

// podNames returns the names of the pods that stay, sorted.
func (d *deployment) podNames(t testing.TB) []string {
	t.Helper()
	var names []string
	for _, p := range d.pods(t) {
		if p.DeletionTimestamp == nil {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// unready waits until so many pods are there that are not ready, and returns their names.
func (d *deployment) unready(t testing.TB, count int) []string {
	t.Helper()
	var names []string
	d.eventually(t, func() error {
		names = nil
		for _, p := range d.pods(t) {
			if !ready(&p) {
				names = append(names, p.Name)
			}
		}
		if len(names) != count {
			return fmt.Errorf("expected %d pods that are not ready, got %d", count, len(names))
		}
		return nil
	})
	slices.Sort(names)
	return names
}

// keeps waits until of all pods only these are left.
func (d *deployment) keeps(t testing.TB, pods []string) {
	t.Helper()
	d.isReady(t, int32(len(pods)))
	if left := d.podNames(t); !slices.Equal(left, pods) {
		t.Errorf("expected the busy pods %v to stay, got %v", pods, left)
	}
}

// heldBack is an annotation of pods that become ready when they are let go, and
// not before: a pod has the address that it was given by then.
const heldBack = faultAnnotation + ": never-ready"

// letGo lets the pods that are there become ready.
func (d *deployment) letGo(t testing.TB) {
	t.Helper()
	for _, pod := range d.podNames(t) {
		d.annotate(t, pod, faultAnnotation, "none")
	}
}

// answerAt gives a pod that is held back an address of its own, where the test
// answers for it, and returns the port. Port 0 is any; give it for the first pod.
func answerAt(t testing.TB, d *deployment, pod, body, port string) string {
	t.Helper()
	return answerBy(t, d, pod, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }), port)
}

// answerBy is answerAt with any answer.
func answerBy(t testing.TB, d *deployment, pod string, h http.Handler, port string) string {
	t.Helper()
	l := listenAnywhere(t, port)
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	d.annotate(t, pod, addressAnnotation, host)
	return port
}

// listenAnywhere listens on a loopback address that nobody else uses.
func listenAnywhere(t testing.TB, port string) net.Listener {
	t.Helper()
	var err error
	for last := 2; last < 255; last++ {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.77.%d:%s", last, port)); err == nil {
			return l
		}
	}
	t.Skipf("this system has no loopback addresses besides 127.0.0.1 to stand for pods: %v", err)
	return nil
}
