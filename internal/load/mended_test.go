package load

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

// TestNearest wants the float that a person means.
func TestNearest(t *testing.T) {
	for text, want := range map[string]float64{"0.83": 0.83, "830m": 0.83, "90": 90, "1k": 1000, "2Gi": 1 << 31, "0": 0, "-0.1": -0.1} {
		if got := Nearest(resource.MustParse(text)); got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
	quantity := resource.MustParse("0.83")
	got := trustOf(v1alpha1.Load{Trust: v1alpha1.Trust{MaxJump: &quantity}})
	probe, err := openProbe(v1alpha1.Busy{Port: 80, Metric: &v1alpha1.BusyMetric{Name: "m", Above: &quantity}})
	if got.maxJump != 0.83 || probe.above != 0.83 || err != nil {
		t.Errorf("maxJump is %v, above %v, %v", got.maxJump, probe.above, err)
	}
}

// TestZeroOfFormulas: a formula's terms are confirmed already, unless told otherwise.
func TestZeroOfFormulas(t *testing.T) {
	yes := true
	told := formulaOf("score", "a")
	told.ConfirmZero = &yes
	if trustOf(formulaOf("score", "a")).confirmZero || !trustOf(told).confirmZero || !trustOf(loadOf("a", "h", "body.load")).confirmZero {
		t.Error("want a fall to zero confirmed of what is read, and of an expression when it is told to")
	}
}

// TestReservedNames: a load that is called as a word of CEL's own is offered by its key.
func TestReservedNames(t *testing.T) {
	for _, name := range reserved {
		_, err := OpenAll("shop/webui", []v1alpha1.Load{loadOf(name, "h", "body.load"), formulaOf("score", "other")}, Options{})
		if want := `expected one of loads["` + name + `"]`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, err := OpenAll("shop/webui", []v1alpha1.Load{loadOf(name, "h", "body.load"), formulaOf("score", `loads["`+name+`"]`)}, Options{}); err != nil {
			t.Error(err)
		}
	}
}

// TestPatienceKeepsTheReading: another staleAfter throws nothing away.
func TestPatienceKeepsTheReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, one := newStage(t), pushedLoad("one")
		s.follow(t, "shop/webui", nil, one)
		s.push(t, "one", 0.1, time.Time{})
		one.StaleAfter = &metav1.Duration{Duration: time.Hour}
		if err := s.Follow("shop/webui", []v1alpha1.Load{one}, interval, nil); err != nil {
			t.Fatal(err)
		}
		s.expect(t, "shop/webui", "one 0.1")
		synctest.Wait()
		s.expect(t, "shop/webui", "one 0.1")
		if got := s.scalers["shop/webui"].subs[0].source.from.(pushAddress).patience; got != time.Hour {
			t.Errorf("patience is %s, want the new one", got)
		}
	})
}

// TestEvaluatedOnce: of loads that share an answer and an expression, it is
// evaluated once, and each has its own reading.
func TestEvaluatedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a")
		s.follow(t, "one", func() {}, loadOf("x", "a", "body.load"), loadOf("y", "a", "body.load * 2.0"))
		s.follow(t, "two", func() {}, loadOf("z", "a", "body.load"))
		wait(interval)
		s.expect(t, "one", "x 0.5", "y 1")
		s.expect(t, "two", "z 0.5")
		known := map[[2]string]scaling.Reading{}
		for _, scaler := range []string{"one", "two"} {
			for _, sub := range s.scalers[scaler].subs {
				d := understand(answer{body: []byte(`{"load": 3}`), at: time.Now()}, nil)
				sub.source.once(d, known)
				d.body = nil // a second evaluation would fail
				if got := sub.source.once(d, known); got.Problem != "" || got.Load != sub.source.load {
					t.Errorf("got %+v", got)
				}
			}
		}
		if len(known) != 2 {
			t.Errorf("%d evaluations, want 2", len(known))
		}
	})
}

// TestMutedEvaluation: what CEL repeats of an answer gives no secret away.
func TestMutedEvaluation(t *testing.T) {
	secrets := &vault{values: map[string]string{"backend/token": "hush-1"}}
	o := Options{Door: transport.NewDoor(transport.Options{Guard: transport.Guard{Operator: true}, Secrets: secrets})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		says(`{"load": 1, "t": "`+r.Header.Get("Authorization")+`"}`)(w, r)
	}))
	defer server.Close()
	spec := v1alpha1.HTTPSource{URL: server.URL, Value: "body.load", ObservedAt: "timestamp(body.t)"}
	spec.Auth = &v1alpha1.Auth{Bearer: secretOf("backend", "token")}
	source, err := openOne(v1alpha1.Load{Name: "backend", HTTP: &spec}, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"body.load", `{"a": 1.0}[body.t]`} {
		source.value, err = compile("", "http.value", value, aNumber)
		if err != nil {
			t.Fatal(err)
		}
		if got := source.Read(t.Context(), o); got.Problem != scaling.Invalid || strings.Contains(got.Message, "hush") || !strings.Contains(got.Message, "***") {
			t.Errorf("got %+v", got)
		}
	}
}

// TestLateSurvey: answers that waited too long to be understood are none.
func TestLateSurvey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pods, answers := readyPods(3), inMemory{}
		for _, p := range pods {
			answers[p.Address+":8000"] = says(`{"running": 4}`)
		}
		source, err := openOne(v1alpha1.Load{Name: "backend", Pods: &running}, Options{Door: anyDoor})
		if err != nil {
			t.Fatal(err)
		}
		e := source.from.connect(surroundings{pods: func(string) ([]Pod, bool) { return pods, true }}).(*podsEndpoint)
		e.transport = answers
		evaluated := 0
		e.number = func(answer) (float64, error) {
			evaluated++
			time.Sleep(time.Minute) // an expensive expression, on the bubble's clock
			return 4, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a, err := e.ask(ctx, time.Second)
		if err != nil || evaluated != 1 || !strings.Contains(a.partial, "2 of 3 ready pods gave no number") {
			t.Errorf("%d evaluated, %+v, %v", evaluated, a, err)
		}
	})
}

// TestMetricsStayFound: only an answer that it is not found has a metric looked
// for anew.
func TestMetricsStayFound(t *testing.T) {
	var discovered atomic.Int32
	var now atomic.Value // what the API says, or the status that it says it with; empty for what it should
	now.Store("")
	good := metricsAPI{number: "1", at: time.Now()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == customPath:
			discovered.Add(1)
			good.ServeHTTP(w, r)
		case strings.HasSuffix(r.URL.Path, "/load") && now.Load() != "":
			if status, err := strconv.Atoi(now.Load().(string)); err == nil {
				w.WriteHeader(status)
				return
			}
			says(now.Load().(string))(w, r)
		default:
			good.ServeHTTP(w, r)
		}
	}))
	defer server.Close()
	o := Options{Door: anyDoor, Metrics: &rest.Config{Host: server.URL}}
	source, err := openOne(v1alpha1.Load{Name: "backend", ObjectMetric: &v1alpha1.ObjectMetricSource{Name: "load", DescribedObject: ingress}}, o)
	if err != nil {
		t.Fatal(err)
	}
	e := source.from.connect(surroundings{Options: o})
	defer e.close()
	for i, c := range []struct {
		says string
		want int32 // discoveries until then
	}{{"", 1}, {`{"items": []}`, 1}, {"no JSON", 1}, {"500", 1}, {"403", 1}, {"", 1}, {"404", 1}, {"", 2}} {
		now.Store(c.says)
		_, err := e.ask(t.Context(), time.Minute)
		if got := discovered.Load(); got != c.want || (err == nil) != (c.says == "") {
			t.Errorf("%d: %d discoveries, want %d; %v", i, got, c.want, err)
		}
	}
}

// TestRevokedSecretEndsTheSession: no stream goes on with what was taken back.
func TestRevokedSecretEndsTheSession(t *testing.T) {
	e := &externalEndpoint{surroundings: surroundings{Options: Options{Door: anyDoor}}, namespace: "shop"}
	e.spec.Address = "127.0.0.1:1"
	if err := e.open(t.Context()); err != nil || e.session == nil {
		t.Fatal("no session", err)
	}
	e.spec.MetadataFrom = map[string]v1alpha1.SecretValue{"password": *secretOf("queue", "gone")}
	if err := e.open(t.Context()); err == nil || e.session != nil {
		e.close()
		t.Errorf("the session goes on after %v", err)
	}
}

// TestAwaited: a probe cannot ask for what is pushed, nor for what is worked out from that.
func TestAwaited(t *testing.T) {
	sources, err := OpenAll("shop/webui", []v1alpha1.Load{pushedLoad("a"), loadOf("b", "127.0.0.1:1", "body.load"), formulaOf("c", "a + b"), formulaOf("d", "b * 2.0")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, trace := range Probe(t.Context(), sources, nil, Options{}) {
		if want := []bool{true, false, true, false}[i]; trace.Awaited != want {
			t.Errorf("%s: awaited is %v, want %v", trace.Reading.Load, trace.Awaited, want)
		}
	}
}
