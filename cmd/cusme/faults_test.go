package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/internal/clustertest"
)

// The tests in this file are the faults of cusme 1.0, one by one: each runs the
// built cusme with 1.0's command line against a real control plane, and fails
// on what 1.0 did.

// 1.0: with more replicas than the maximum and a high load no branch set the
// result, and the Deployment was patched to 0 replicas at its peak.
func TestOverloadAboveTheMaximumIsNotZero(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.95"), newDeployment(t, 25)
	d.dropIn(t, b.URL, "-ma", "20")
	d.reaches(t, 20)
	d.staysAt(t, 20, b, 3)
}

// 1.0: any error was a panic; 24 of 31 processes did not outlive an API server
// that was away for half a minute.
func TestErrorsEndNothing(t *testing.T) {
	t.Run("the API server is away", func(t *testing.T) {
		b, d := newBackend(t, "0.6"), newDeployment(t, 2)
		p := d.dropIn(t, b.URL)
		p.says(t, "holding")
		d.cluster.Kill(t, "kube-apiserver")
		b.reports("0.95")
		b.isAskedAgain(t, 3)
		p.alive(t)
		clustertest.Eventually(t, patience, func() error {
			_, err := d.client.AppsV1().Deployments(d.namespace).Get(t.Context(), d.name, metav1.GetOptions{})
			return err
		})
		d.reaches(t, 5)
		p.alive(t)
	})
	t.Run("the API server is away until the Lease is lost", func(t *testing.T) {
		t.Parallel()
		b, d := newBackend(t, "0.6"), newDeployment(t, 2)
		var away atomic.Bool
		through := proxy(t, d.cluster.Config(), func(*http.Request) {
			if away.Load() {
				panic(http.ErrAbortHandler) // how net/http drops a connection
			}
		})
		p := start(t, []string{"ThirdUrl=" + b.URL, "KUBECONFIG_PATH=" + through}, "-n", d.namespace, "-d", d.name, "-t", "1s")
		p.says(t, "holding")
		away.Store(true)
		b.reports("0.95")
		p.says(t, "the move was refused")
		p.alive(t)
		p.says(t, "not scaling; starting over")
		p.alive(t)
		away.Store(false)
		d.reaches(t, 5)
		p.alive(t)
	})
	t.Run("the API server takes requests and never answers", func(t *testing.T) {
		t.Parallel()
		b, d := newBackend(t, "0.95"), newDeployment(t, 2)
		well := make(chan struct{})
		through := proxy(t, d.cluster.Config(), func(*http.Request) { <-well })
		answer := sync.OnceFunc(func() { close(well) })
		t.Cleanup(answer)
		p := start(t, []string{"ThirdUrl=" + b.URL, "KUBECONFIG_PATH=" + through}, "-n", d.namespace, "-d", d.name, "-t", "1s")
		p.says(t, "not scaling; starting over")
		answer()
		d.reaches(t, 5)
	})
	t.Run("the Deployment comes later", func(t *testing.T) {
		t.Parallel()
		b, d := newBackend(t, "0.95"), newDeployment(t, 2)
		d.name = "later"
		p := d.dropIn(t, b.URL)
		p.says(t, "has no Deployment named later")
		p.alive(t)
		d.cluster.Apply(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: later, namespace: %s}
spec:
  replicas: 2
  selector: {matchLabels: {part: later}}
  template:
    metadata: {labels: {part: later}}
    spec: {containers: [{name: c, image: c}]}
`, d.namespace))
		d.reaches(t, 5)
	})
}

// 1.0: without a timeout, a back end that took the connection and never
// answered stopped the scaling for ever, in silence.
func TestHangingBackEndIsGivenUp(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.95"), newDeployment(t, 2)
	b.does(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	p := d.dropIn(t, b.URL)
	p.says(t, "load is unknown")
	b.reports("0.95")
	d.reaches(t, 5)
}

// 1.0: any certificate was accepted, and redirects were followed anywhere.
func TestStrangersAreNotBelieved(t *testing.T) {
	t.Run("unknown certificate", func(t *testing.T) {
		t.Parallel()
		b, d := newBackend(t, "0.95"), newDeployment(t, 2)
		tls := httptest.NewTLSServer(b)
		t.Cleanup(tls.Close)
		p := d.dropIn(t, tls.URL)
		p.says(t, "certificate")
		if n := b.asked.Load(); n != 0 || d.replicas(t) != 2 {
			t.Fatalf("an unknown certificate was accepted: %d requests, %d replicas", n, d.replicas(t))
		}
		p.stop(t)
		d.dropIn(t, tls.URL, "-insecureSkipVerify")
		d.reaches(t, 5)
	})
	t.Run("redirect to another host", func(t *testing.T) {
		t.Parallel()
		b, other, d := newBackend(t, "0.6"), newBackend(t, "0.95"), newDeployment(t, 2)
		b.does(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
		p := d.dropIn(t, b.URL)
		p.says(t, "redirect")
		d.staysAt(t, 2, b, 3)
		if n := other.asked.Load(); n != 0 {
			t.Errorf("the other host was asked %d times", n)
		}
	})
	t.Run("endless answer", func(t *testing.T) {
		t.Parallel()
		b, d := newBackend(t, "0.95"), newDeployment(t, 2)
		b.does(func(w http.ResponseWriter, _ *http.Request) {
			block := []byte(strings.Repeat(" ", 1<<16))
			for {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		})
		p := d.dropIn(t, b.URL)
		p.says(t, "answered more than 1024 KiB")
		b.reports("0.95")
		d.reaches(t, 5)
	})
}

// 1.0: a missing field read as 0.0 and scaled in; NaN, negative and absurd
// numbers were believed.
func TestNonsenseMovesNothing(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"code":500,"data":null}`, `{"data":{}}`, `{"data":{"load_balance":null}}`,
		`{"data":{"load_balance":"0.1"}}`, `{"data":{"load_balance":NaN}}`, `{"data":{"load_balance":-1}}`,
		`{"data":{"load_balance":1e30}}`, `{"data":{"load_balance":1e400}}`, `<html>502 Bad Gateway</html>`, ``,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			b, d := newBackend(t, "0.6"), newDeployment(t, 4)
			b.says(body)
			p := d.dropIn(t, b.URL, "-minPodAge", "0s")
			p.says(t, "holding: load is")
			d.staysAt(t, 4, b, 3)
		})
	}
}

// 1.0: a cached value was believed for ever.
func TestOldAnswersMoveNothing(t *testing.T) {
	for name, header := range map[string]http.Header{
		"from a cache":  {"Age": {"3600"}},
		"made long ago": {"Date": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, d := newBackend(t, "0.95"), newDeployment(t, 2)
			b.does(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range header {
					w.Header()[k] = v
				}
				fmt.Fprint(w, `{"data":{"load_balance":0.95}}`)
			})
			p := d.dropIn(t, b.URL)
			p.says(t, "ago, and a reading is believed for 3s")
			d.staysAt(t, 2, b, 3)
			b.reports("0.95")
			d.reaches(t, 5)
		})
	}
}

// 1.0: one young, pending or crash-looping pod blocked every scale-in for ever;
// and the pods it meant to protect were the first to die.
func TestYoungPodsLiveAndBrokenOnesBlockNothing(t *testing.T) {
	t.Run("a crash-looping pod blocks nothing", func(t *testing.T) {
		t.Parallel()
		b, d := newBackend(t, "0.1"), newDeployment(t, 3, "localcluster.cusme.dev/fault: crash-loop")
		d.dropIn(t, b.URL, "-dr", "1", "-minPodAge", "10m")
		d.reaches(t, 1)
	})
	t.Run("a young pod is never the victim", func(t *testing.T) {
		t.Parallel()
		const protection = 25 * time.Second
		program(t) // to build it takes long on a busy machine, and pods grow old meanwhile
		b, d := newBackend(t, "0.1"), newDeployment(t, 2)
		d.isReady(t, 2)
		born := newest(d.pods(t))
		p := d.dropIn(t, b.URL, "-minPodAge", protection.String())
		p.says(t, "protected for 25s")
		d.reaches(t, 1)
		if age := time.Since(born); age < protection {
			t.Errorf("a pod at most %s old was removed; minPodAge is %s", age, protection)
		}
	})
}

func newest(pods []corev1.Pod) time.Time {
	var t time.Time
	for _, p := range pods {
		if p.CreationTimestamp.After(t) {
			t = p.CreationTimestamp.Time
		}
	}
	return t
}

// 1.0: pods were looked for by the label app=<name>; where they carry another,
// the protection was void.
func TestPodsAreFoundByTheDeploymentsOwnSelector(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.1"), newDeployment(t, 3)
	d.isReady(t, 3)
	p := d.dropIn(t, b.URL, "-minPodAge", "10m")
	p.says(t, "protected for 10m")
	d.staysAt(t, 3, b, 3)
}

// 1.0: while new pods start, the load stays high, and every tick added more.
func TestPodsOnTheirWayAreCapacity(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.6"), newDeployment(t, 2, "localcluster.cusme.dev/startup: 12s")
	d.isReady(t, 2)
	p := d.dropIn(t, b.URL)
	p.says(t, "holding")
	b.reports("0.95")
	d.reaches(t, 5)
	p.says(t, "on the way")
	d.staysAt(t, 5, b, 5)
	d.isReady(t, 5)
	d.reaches(t, 8) // The load is still high with all five at work.
}

// 1.0: the two thresholds aside, steps and bounds were not checked: a negative
// step scaled the other way, a floor above the maximum past it.
func TestBadFlagsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flags, sentence string }{
		{"-d=", "-d: expected the name of a Deployment, got nothing"},
		{"-n=", "-n: expected a namespace, got nothing"},
		{"-ad 2000000000", "-ad: expected 0 or more, and less than 1073741824, got 2000000000"},
		{"-ad -3", "-ad: expected 0 or more, and less than 1073741824, got -3"},
		{"-rd=-1", "-rd: expected 0 or more, and less than 1073741824, got -1"},
		{"-ad three", `invalid value "three" for flag -ad`},
		{"-dr 30 -ma 20", "-dr: expected at most -ma, which is 20, got 30"},
		{"-ma 0", "-ma: expected 1 or more, and less than 1073741824, got 0"},
		{"-t 0", "-t: expected at least 1s, got 0s"},
		{"-t soon", "expected whole minutes, or a duration such as 30s"},
		{"-minPodAge -5m", "-minPodAge: expected 0s or more, got -5m0s"},
		{"-minPodAge 10", `invalid value "10" for flag -minPodAge`},
		{"-d web extra", `expected flags only, got ["extra"]`},
		{"-x 1", "flag provided but not defined: -x"},
	} {
		t.Run(c.flags, func(t *testing.T) {
			code, out := ended(t, []string{"ThirdUrl=http://127.0.0.1:1"}, strings.Fields(c.flags)...)
			if code != exitMisuse || !strings.Contains(out, c.sentence) {
				t.Errorf("expected exit code 2 and %q, got %d and:\n%s", c.sentence, code, out)
			}
		})
	}
	t.Run("no ThirdUrl", func(t *testing.T) {
		code, out := ended(t, nil, "-d", "webui")
		if code != exitMisuse || !strings.Contains(out, "ThirdUrl is not set") {
			t.Errorf("expected exit code 2 and a word on ThirdUrl, got %d and:\n%s", code, out)
		}
	})
}

// 1.0: only the log said why; no event, no metric, no health endpoint.
func TestEverythingTellsWhy(t *testing.T) {
	t.Parallel()
	b, d := newBackend(t, "0.95"), newDeployment(t, 2)
	metrics, health := freeAddress(t), freeAddress(t)
	p := d.dropIn(t, b.URL, "-metrics-address", metrics, "-health-address", health)
	d.reaches(t, 5)
	p.says(t, "a step of 3 up")
	clustertest.Eventually(t, patience, func() error {
		events, err := d.client.EventsV1().Events(d.namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=ScaledUp"})
		if err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.Regarding.Kind == "Deployment" && e.Regarding.UID == d.get(t).UID && strings.Contains(e.Note, "load 0.95 is above 0.8: a step of 3 up") {
				return nil
			}
		}
		return fmt.Errorf("no event on the Deployment tells why; there are %d", len(events.Items))
	})
	answers(t, "http://"+metrics+"/metrics", `cusme_moves_total{direction="up",namespace="`+d.namespace+`",scaler="webui"} 1`)
	answers(t, "http://"+health+"/healthz", "ok")
	answers(t, "http://"+health+"/readyz", "ok")
}
