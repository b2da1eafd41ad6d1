package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// podsKind holds the number in a metric of the only pod.
var podsKind = kind{
	open: func(t *testing.T, s site) func() scaling.Reading {
		return byAsking(func(s site) v1alpha1.Load {
			spec := &v1alpha1.PodsSource{Port: portOf(t, s.url), Metric: &v1alpha1.PodMetric{Name: "load"}, Connection: s.connection}
			if strings.HasPrefix(s.url, "https") {
				spec.Scheme = "HTTPS"
			}
			return v1alpha1.Load{Name: "backend", Pods: spec}
		})(t, s)
	},
	says: func(number string, at time.Time) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
			if number != "" {
				fmt.Fprintf(w, "# TYPE load gauge\nload{gpu=\"0\"} %s\n", number)
			}
		})
	},
	cannot: map[string]string{
		"time/an hour ahead": "a pod's Date makes its answer older, and never newer",
	},
}

// inMemory answers for pods by their addresses, without a network.
type inMemory map[string]http.HandlerFunc

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	serve, ok := m[r.URL.Host]
	if !ok {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	serve(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (m inMemory) CloseIdleConnections() {}

// takesTime answers after a while, or never when the request is given up before.
func takesTime(d time.Duration, then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(d):
			then(w, r)
		}
	}
}

// running is a pod's number of requests.
var running = v1alpha1.PodsSource{Port: 8000, Value: "body.running"}

// readyPods are web-1, web-2 and so on, at 10.0.0.1 and onwards.
func readyPods(n int) []Pod {
	pods := make([]Pod, n)
	for i := range pods {
		pods[i] = Pod{Name: fmt.Sprintf("web-%d", i+1), Address: fmt.Sprintf("10.0.0.%d", i+1), Ready: true}
	}
	return pods
}

// askPods reads a load once, of pods that answer in memory.
func askPods(t *testing.T, spec v1alpha1.PodsSource, pods []Pod, answers inMemory) scaling.Reading {
	t.Helper()
	s, err := openOne(v1alpha1.Load{Name: "gpus", Pods: &spec}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := s.from.connect(surroundings{pods: func(scaler string) ([]Pod, bool) { return pods, pods != nil && scaler == "shop/webui" }}).(*podsEndpoint)
	e.transport = answers
	ctx, cancel := context.WithTimeout(t.Context(), s.within())
	defer cancel()
	return s.reading(understand(e.ask(ctx, s.within())))
}

// TestByOfPods: one load of several numbers, the same however they arrive.
func TestByOfPods(t *testing.T) {
	pods, answers := readyPods(20), inMemory{}
	for i, p := range pods {
		answers[p.Address+":8000"] = says(fmt.Sprintf(`{"running": %d}`, i+1)) // 1 to 20
	}
	for by, want := range map[string]float64{"": 10.5, "avg": 10.5, "max": 20, "sum": 210, "p90": 18} {
		spec := running
		spec.By = by
		if got := askPods(t, spec, pods, answers); got.Problem != "" || math.Abs(got.Value-want) > 1e-9 || got.Partial != "" {
			t.Errorf("by %q: got %+v, want %v", by, got, want)
		}
		if first, again := askPods(t, spec, pods, answers), askPods(t, spec, pods, answers); first.Value != again.Value {
			t.Errorf("by %q: got %v, then %v of the same answers", by, first.Value, again.Value)
		}
	}
}

// TestMissingPods: what a load is worth whose pods do not all give a number.
func TestMissingPods(t *testing.T) {
	const refused = "http://10.0.0.2:8000/metrics gave no answer: connection refused"
	good, bad := says(`{"running": 4}`), says(`{"walking": 4}`)
	unborn := append(readyPods(1), Pod{Name: "web-0", Ready: true})
	named := append(readyPods(1), Pod{Name: "web-9", Address: "elsewhere.test", Ready: true})
	unready := append(readyPods(1), Pod{Name: "web-2", Address: "10.0.0.2"})
	for name, c := range map[string]struct {
		missing v1alpha1.Missing
		pods    []Pod
		answers inMemory
		state   scaling.State // empty: a good reading, of 4
		says    string        // of a problem, or what is partial
	}{
		"none":                 {"", readyPods(2), inMemory{"10.0.0.1:8000": good, "10.0.0.2:8000": good}, "", ""},
		"one":                  {"", readyPods(2), inMemory{"10.0.0.1:8000": good}, "", "1 of 2 ready pods gave no number, such as web-2: " + refused},
		"never shrink":         {"NeverShrink", readyPods(2), inMemory{"10.0.0.1:8000": good}, "", "1 of 2 ready pods gave no number, such as web-2: " + refused},
		"always the same":      {"", readyPods(4), inMemory{"10.0.0.4:8000": good}, "", "3 of 4 ready pods gave no number, such as web-1: "},
		"ignore":               {"Ignore", readyPods(2), inMemory{"10.0.0.1:8000": good}, "", ""},
		"fail":                 {"Fail", readyPods(2), inMemory{"10.0.0.1:8000": good}, scaling.Failed, "1 of 2 ready pods gave no number, such as web-2: " + refused},
		"invalid counts too":   {"", readyPods(2), inMemory{"10.0.0.1:8000": good, "10.0.0.2:8000": bad}, "", "such as web-2: pods.value: no such key: running"},
		"an error page":        {"", readyPods(2), inMemory{"10.0.0.1:8000": good, "10.0.0.2:8000": code503}, "", "such as web-2: http://10.0.0.2:8000/metrics answered 503 Service Unavailable, expected 200"},
		"all":                  {"Ignore", readyPods(2), inMemory{}, scaling.Failed, "none of 2 ready pods gave a number, such as web-1: http://10.0.0.1:8000/metrics gave no answer: connection refused"},
		"all are invalid":      {"", readyPods(2), inMemory{"10.0.0.1:8000": bad, "10.0.0.2:8000": bad}, scaling.Invalid, "none of 2 ready pods gave a number, such as web-1: pods.value"},
		"invalid, and failed":  {"", readyPods(2), inMemory{"10.0.0.1:8000": bad}, scaling.Failed, "none of 2 ready pods"},
		"the only one":         {"", readyPods(1), inMemory{}, scaling.Failed, "the only ready pod, web-1, gave no number: http"},
		"no address":           {"", unborn, inMemory{"10.0.0.1:8000": good}, "", "such as web-0: the pod has no address yet"},
		"no IP":                {"", named, inMemory{"10.0.0.1:8000": good, "elsewhere.test:8000": good}, "", `such as web-9: expected the pod's address to be an IP, got "elsewhere.test"`},
		"unready is not asked": {"", unready, inMemory{"10.0.0.1:8000": good, "10.0.0.2:8000": bad}, "", ""},
		"no pod":               {"", []Pod{}, inMemory{}, scaling.Pending, "no pod is ready, so there is none to ask"},
		"no pod is ready":      {"", unready[1:], inMemory{"10.0.0.2:8000": good}, scaling.Pending, "no pod is ready, so there is none to ask"},
		"not seen yet":         {"", nil, inMemory{}, scaling.Pending, "the pods have not been seen yet"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := running
			spec.Missing = c.missing
			got := askPods(t, spec, c.pods, c.answers)
			said := got.Message
			if c.state == "" {
				said = got.Partial
			}
			if got.Problem != c.state || (c.state == "") != (got.Value == 4) || !strings.Contains(said, c.says) || (said == "") != (c.says == "") {
				t.Errorf("got %+v, want %q, %q", got, c.state, c.says)
			}
		})
	}
}

func code503(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

// TestOldestPodTellsTheTime: one answer out of a cache makes the whole as old.
func TestOldestPodTellsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Age", "60")
			says(`{"running": 4}`)(w, r)
		}
		got := askPods(t, running, readyPods(3), inMemory{"10.0.0.1:8000": says(`{"running": 4}`), "10.0.0.2:8000": old, "10.0.0.3:8000": says(`{"running": 4}`)})
		if want := time.Now().Add(-time.Minute); got.Problem != "" || !got.At.Equal(want) {
			t.Errorf("got %+v, want it as of %s", got, want)
		}
	})
}

// TestHangingPods: sixteen that hang leave half of the time to those behind them,
// and the attempt ends in time however many do.
func TestHangingPods(t *testing.T) {
	for hanging, want := range map[int]string{1: "", 16: "", 40: "none of 40 ready pods gave a number"} {
		synctest.Test(t, func(t *testing.T) {
			pods, answers := readyPods(40), inMemory{}
			var mu sync.Mutex
			atATime, most := 0, 0
			asks := func(change int) {
				mu.Lock()
				defer mu.Unlock()
				atATime += change
				most = max(most, atATime)
			}
			for i, p := range pods {
				took := time.Second / 10
				if i < hanging {
					took = time.Hour
				}
				serve := takesTime(took, says(`{"running": 4}`))
				answers[p.Address+":8000"] = func(w http.ResponseWriter, r *http.Request) {
					asks(1)
					defer asks(-1)
					serve(w, r)
				}
			}
			begun := time.Now()
			got := askPods(t, running, pods, answers)
			if took := time.Since(begun); took > defaultTimeout || most != podsAtATime {
				t.Errorf("%d hanging took %s, and at most %d were asked at a time, want %d", hanging, took, most, podsAtATime)
			}
			if want == "" && (got.Problem != "" || got.Value != 4 || !strings.HasPrefix(got.Partial, fmt.Sprintf("%d of 40 ready pods gave no number, such as web-1: ", hanging))) ||
				want != "" && (got.Problem != scaling.Failed || !strings.Contains(got.Message, want)) {
				t.Errorf("%d hanging: got %+v", hanging, got)
			}
		})
	}
}

// dcgm is what NVIDIA's exporter says of a pod with two GPUs.
const dcgm = `# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a1",pci_bus_id="00000000:00:1E.0",device="nvidia0",modelName="NVIDIA L20",Hostname="node-7"} 90
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-b2",pci_bus_id="00000000:00:1F.0",device="nvidia1",modelName="NVIDIA L20",Hostname="node-7"} 30
# HELP DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION Total energy consumption since boot (in mJ).
# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a1",modelName="NVIDIA L20"} 12345
# TYPE odd histogram
odd_bucket{le="+Inf"} 1
odd_sum 1
odd_count 1
# TYPE broken gauge
broken{gpu="0"} NaN
broken{gpu="1"} 1
# TYPE below gauge
below -5
`

// TestMetricOfPods makes one number of a pod's samples.
func TestMetricOfPods(t *testing.T) {
	const util = "DCGM_FI_DEV_GPU_UTIL"
	for name, c := range map[string]struct {
		metric v1alpha1.PodMetric
		value  float64
		says   string
	}{
		"all GPUs":          {v1alpha1.PodMetric{Name: util}, 120, ""},
		"sum":               {v1alpha1.PodMetric{Name: util, By: "sum"}, 120, ""},
		"avg":               {v1alpha1.PodMetric{Name: util, By: "avg"}, 60, ""},
		"max":               {v1alpha1.PodMetric{Name: util, By: "max"}, 90, ""},
		"p90":               {v1alpha1.PodMetric{Name: util, By: "p90"}, 90, ""},
		"one GPU":           {v1alpha1.PodMetric{Name: util, Labels: map[string]string{"gpu": "1"}}, 30, ""},
		"by two labels":     {v1alpha1.PodMetric{Name: util, Labels: map[string]string{"gpu": "0", "modelName": "NVIDIA L20"}}, 90, ""},
		"a counter":         {v1alpha1.PodMetric{Name: "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"}, 12345, ""},
		"one label differs": {v1alpha1.PodMetric{Name: util, Labels: map[string]string{"gpu": "1", "modelName": "H20"}}, 0, `no sample of DCGM_FI_DEV_GPU_UTIL{gpu="1",modelName="H20"}`},
		"an unknown label":  {v1alpha1.PodMetric{Name: util, Labels: map[string]string{"mig": ""}}, 0, `no sample of DCGM_FI_DEV_GPU_UTIL{mig=""}`},
		"another metric":    {v1alpha1.PodMetric{Name: "DCGM_FI_DEV_FB_USED"}, 0, "no sample of DCGM_FI_DEV_FB_USED"},
		"a histogram":       {v1alpha1.PodMetric{Name: "odd"}, 0, "odd is a HISTOGRAM, expected a gauge"},
		"NaN, even of max":  {v1alpha1.PodMetric{Name: "broken", By: "max"}, 0, "the samples of broken add up to NaN"},
		"negative":          {v1alpha1.PodMetric{Name: "below"}, 0, "below is -5, expected 0 or more"},
	} {
		t.Run(name, func(t *testing.T) {
			got := askPods(t, v1alpha1.PodsSource{Port: 9400, Metric: &c.metric}, readyPods(1), inMemory{"10.0.0.1:9400": says(dcgm)})
			if got.Value != c.value || !strings.Contains(got.Message, c.says) || (got.Message == "") != (c.says == "") {
				t.Errorf("got %+v, want %v, %q", got, c.value, c.says)
			}
		})
	}
}

// TestPodsRefused wants every field that cannot be understood named.
func TestPodsRefused(t *testing.T) {
	metric := &v1alpha1.PodMetric{Name: "x"}
	for name, c := range map[string]struct {
		spec v1alpha1.PodsSource
		want string
	}{
		"no question":     {v1alpha1.PodsSource{Port: 1}, "loads[gpus].pods: expected exactly one of value and metric, got none"},
		"two questions":   {v1alpha1.PodsSource{Port: 1, Value: "1", Metric: metric}, "loads[gpus].pods: expected exactly one of value and metric, got both"},
		"no port":         {v1alpha1.PodsSource{Value: "1"}, "loads[gpus].pods.port: expected 1 to 65535, got 0"},
		"another host":    {v1alpha1.PodsSource{Port: 1, Path: "@elsewhere.test/", Value: "1"}, "loads[gpus].pods.path: expected a path that begins with /"},
		"half an escape":  {v1alpha1.PodsSource{Port: 1, Path: "/%z", Value: "1"}, "loads[gpus].pods.path: expected a path"},
		"another scheme":  {v1alpha1.PodsSource{Port: 1, Scheme: "FTP", Value: "1"}, "loads[gpus].pods.scheme: expected HTTP or HTTPS"},
		"another by":      {v1alpha1.PodsSource{Port: 1, By: "min", Value: "1"}, "loads[gpus].pods.by: expected avg, max, sum or p90, got \"min\""},
		"another by, too": {v1alpha1.PodsSource{Port: 1, Metric: &v1alpha1.PodMetric{Name: "x", By: "last"}}, "loads[gpus].pods.metric.by: expected avg, max, sum or p90, got \"last\""},
		"another missing": {v1alpha1.PodsSource{Port: 1, Value: "1", Missing: "Hope"}, "loads[gpus].pods.missing: expected NeverShrink, Ignore or Fail"},
		"a syntax error":  {v1alpha1.PodsSource{Port: 1, Value: "body."}, "loads[gpus].pods.value: ERROR: "},
		"a string":        {v1alpha1.PodsSource{Port: 1, Value: "'1'"}, "loads[gpus].pods.value: expected an expression that yields a number"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := openOne(v1alpha1.Load{Name: "gpus", Pods: &c.spec}, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestSeePods: a load that is read from pods waits for them, is asked as soon as
// they are seen, and asks those that are there at each poll.
func TestSeePods(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"running": %d}`, asked.Add(1))
	}))
	defer server.Close()
	spec := running
	spec.Port = portOf(t, server.URL)
	r := NewReadings(Options{Door: anyDoor})
	defer r.Close()
	woken := make(chan bool)
	if err := r.Follow("shop/webui", []v1alpha1.Load{{Name: "gpus", Pods: &spec}}, time.Hour, func() { woken <- true }); err != nil {
		t.Fatal(err)
	}
	expect := func(value float64, state scaling.State) {
		t.Helper()
		within(t, woken, "nobody was woken")
		if got := r.Latest("shop/webui")[0]; got.Problem != state || got.Value != value {
			t.Errorf("got %+v, want %v, problem %q", got, value, state)
		}
	}
	expect(0, scaling.Pending)
	r.SeePods("shop/other", readyPods(1))
	r.SeePods("shop/webui", []Pod{{Name: "web-1", Address: "127.0.0.1", Ready: true}})
	expect(1, "")
	r.SeePods("shop/webui", []Pod{{Name: "web-1", Address: "127.0.0.1"}, {Name: "web-2", Address: "127.0.0.1", Ready: true}, {Name: "web-3", Address: "127.0.0.1", Ready: true}})
	r.pokeAll()
	expect(2.5, "") // the average of its second and third answer
	r.SeePods("shop/webui", nil)
	r.pokeAll()
	expect(2.5, scaling.Pending)
}

// pokeAll has every poller ask now.
func (r *Readings) pokeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pollers {
		signal(p.nudged)
	}
}

// TestSurveyFails: that one pod gave no answer at all counts, in whichever order they come.
func TestSurveyFails(t *testing.T) {
	errs := []error{invalid("garbage"), failed("refused"), invalid("garbage")}
	for first := range errs {
		s := survey{asked: len(errs)}
		for i := range errs {
			s.note(fmt.Sprint("web-", i), 0, time.Time{}, errs[(first+i)%len(errs)])
		}
		if got := problem("gpus", s.noNumber()); got.Problem != scaling.Failed {
			t.Errorf("beginning with %d: got %+v, want it failed", first, got)
		}
	}
}
