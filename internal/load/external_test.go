package load

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load/externalscaler"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

// externalKind asks a scaler that knows one number, and is active unless that is 0.
var externalKind = kind{
	open: byAsking(func(s site) v1alpha1.Load {
		_, address, _ := strings.Cut(s.url, "://")
		spec := &v1alpha1.ExternalSource{Address: address, TLS: s.connection.TLS, Timeout: s.connection.Timeout}
		if strings.HasPrefix(s.url, "https") && spec.TLS == nil {
			spec.TLS = &v1alpha1.TLS{}
		}
		return v1alpha1.Load{Name: "backend", External: spec}
	}),
	says: func(number string, _ time.Time) http.Handler {
		s := &scaler{specs: []*externalscaler.MetricSpec{{MetricName: "load"}}}
		if value, err := strconv.ParseFloat(number, 64); number != "" && (err == nil || value != 0) {
			s.values, s.active = []*externalscaler.MetricValue{{MetricName: "load", MetricValueFloat: value}}, value != 0
		}
		return s.server()
	},
	cannot: map[string]string{
		"time":                              "the protocol tells no time: a value is as of when it was asked for",
		"answer/another content type":       "gRPC has a content type of its own and no other",
		"answer/fewer bytes than promised":  "a message of gRPC says its own length, and Content-Length is not looked at: answer/cut in half cuts one",
		"redirect/within the host":          "gRPC knows no redirects",
		"number/too small for a double":     "the protocol's numbers are doubles",
		"credentials/changed while running": "credentials go in messages and not in headers: TestExternalMetadata changes one",
	},
}

// A scaler speaks the protocol as it is told.
type scaler struct {
	externalscaler.UnimplementedExternalScalerServer
	mu     sync.Mutex
	specs  []*externalscaler.MetricSpec
	values []*externalscaler.MetricValue
	active bool
	err    error // of GetMetrics
	refs   []*externalscaler.ScaledObjectRef
	asked  []string // metrics
	learnt int      // calls of GetMetricSpec
	stream func(send func(active bool)) error
}

func (s *scaler) server() *grpc.Server {
	server := grpc.NewServer()
	externalscaler.RegisterExternalScalerServer(server, s)
	return server
}

// serve has a scaler listen on loopback, and returns where.
func (s *scaler) serve(t *testing.T) (address string, server *grpc.Server) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String(), s.serveOn(t, listener)
}

func (s *scaler) serveOn(t *testing.T, listener net.Listener) *grpc.Server {
	t.Helper()
	server := s.server()
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return server
}

// now changes what the scaler says.
func (s *scaler) now(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *scaler) IsActive(context.Context, *externalscaler.ScaledObjectRef) (*externalscaler.IsActiveResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &externalscaler.IsActiveResponse{Result: s.active}, nil
}

func (s *scaler) GetMetricSpec(context.Context, *externalscaler.ScaledObjectRef) (*externalscaler.GetMetricSpecResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learnt++
	return &externalscaler.GetMetricSpecResponse{MetricSpecs: s.specs}, nil
}

func (s *scaler) GetMetrics(_ context.Context, r *externalscaler.GetMetricsRequest) (*externalscaler.GetMetricsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs, s.asked = append(s.refs, r.ScaledObjectRef), append(s.asked, r.MetricName)
	return &externalscaler.GetMetricsResponse{MetricValues: s.values}, s.err
}

func (s *scaler) StreamIsActive(_ *externalscaler.ScaledObjectRef, to grpc.ServerStreamingServer[externalscaler.IsActiveResponse]) error {
	s.mu.Lock()
	stream := s.stream
	s.mu.Unlock()
	if stream == nil {
		return grpcstatus.Error(codes.Unimplemented, "no streams here")
	}
	return stream(func(active bool) { _ = to.Send(&externalscaler.IsActiveResponse{Result: active}) })
}

func value(name string, f float64) *externalscaler.MetricValue {
	return &externalscaler.MetricValue{MetricName: name, MetricValueFloat: f}
}

func offers(names ...string) (specs []*externalscaler.MetricSpec) {
	for _, name := range names {
		specs = append(specs, &externalscaler.MetricSpec{MetricName: name, TargetSizeFloat: 5})
	}
	return specs
}

func externalLoad(spec v1alpha1.ExternalSource) v1alpha1.Load {
	return v1alpha1.Load{Name: "queue", External: &spec}
}

// TestExternalAnswers wants the right number, or its sentence, for what a
// scaler can say, old ones and new ones.
func TestExternalAnswers(t *testing.T) {
	type values = []*externalscaler.MetricValue
	for name, c := range map[string]struct {
		scaler *scaler
		metric string
		want   float64
		state  scaling.State
		says   string
	}{
		"a fraction":                       {scaler: &scaler{specs: offers("jobs"), values: values{value("jobs", 2.5)}, active: true}, want: 2.5},
		"a whole number of an old one":     {scaler: &scaler{specs: offers("jobs"), values: values{{MetricName: "jobs", MetricValue: 7}}, active: true}, want: 7},
		"both, of a new one":               {scaler: &scaler{specs: offers("jobs"), values: values{{MetricName: "jobs", MetricValue: 7, MetricValueFloat: 7.4}}, active: true}, want: 7.4},
		"inactive is 0":                    {scaler: &scaler{specs: offers("jobs"), values: values{value("jobs", 3)}}, want: 0},
		"active and 0 is a little":         {scaler: &scaler{specs: offers("jobs"), values: values{value("jobs", 0)}, active: true}, want: 0.001},
		"several of one name are added":    {scaler: &scaler{specs: offers("jobs"), values: values{value("jobs", 3), value("other", 100), value("jobs", 4)}, active: true}, want: 7},
		"a single one of another name":     {scaler: &scaler{specs: offers("jobs"), values: values{value("", 3)}, active: true}, want: 3},
		"a metric without a name":          {scaler: &scaler{specs: offers(""), values: values{value("", 3)}, active: true}, want: 3},
		"the chosen one":                   {scaler: &scaler{specs: offers("jobs", "age"), values: values{value("age", 3)}, active: true}, metric: "age", want: 3},
		"several, none chosen":             {scaler: &scaler{specs: offers("jobs", "age")}, state: scaling.Invalid, says: "offers 2 metrics: choose one of age, jobs with metricName"},
		"another chosen than are there":    {scaler: &scaler{specs: offers("jobs", "age")}, metric: "len", state: scaling.Invalid, says: "offers no metric len: choose one of age, jobs with metricName"},
		"no metrics":                       {scaler: &scaler{}, state: scaling.Invalid, says: "offers no metric, expected one at least"},
		"no values":                        {scaler: &scaler{specs: offers("jobs"), active: true}, state: scaling.Invalid, says: "gave no value of jobs"},
		"no values of it":                  {scaler: &scaler{specs: offers("jobs"), values: values{value("a", 1), value("b", 1)}, active: true}, state: scaling.Invalid, says: "gave no value of jobs"},
		"negative beside a larger one":     {scaler: &scaler{specs: offers("jobs"), values: values{value("jobs", -1), value("jobs", 2)}, active: true}, state: scaling.Invalid, says: "gave -1, expected 0 or more"},
		"a negative of an idle old scaler": {scaler: &scaler{specs: offers("jobs"), values: values{{MetricName: "jobs", MetricValue: -1}}}, state: scaling.Invalid, says: "gave -1, expected 0 or more"},
		"an error":                         {scaler: &scaler{specs: offers("jobs"), err: grpcstatus.Error(codes.NotFound, "no\nqueue")}, state: scaling.Failed, says: "answered GetMetrics with NotFound: no queue"},
		"not available":                    {scaler: &scaler{specs: offers("jobs"), err: grpcstatus.Error(codes.Unavailable, "read tcp 10.0.0.1:4711->10.0.0.2:6379: i/o timeout")}, state: scaling.Failed, says: "gave no answer to GetMetrics: read tcp: i/o timeout"},
		"a name beyond bounds":             {scaler: &scaler{specs: offers(strings.Repeat("x", bodyLimit))}, state: scaling.Invalid, says: "answered GetMetricSpec with more than 1024 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, _ := c.scaler.serve(t)
			got := read(t, externalLoad(v1alpha1.ExternalSource{Address: address, MetricName: c.metric}))
			if got.Value != c.want || got.Problem != c.state || !strings.Contains(got.Message, c.says) || c.says != "" && !strings.HasPrefix(got.Message, address+" ") {
				t.Errorf("got %+v, want %v, problem %q, saying %q of %s", got, c.want, c.state, c.says, address)
			}
		})
	}
}

// TestExternalOthers wants the sentence for servers that are no scalers.
func TestExternalOthers(t *testing.T) {
	empty := grpc.NewServer()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = empty.Serve(listener) })
	t.Cleanup(func() { empty.Stop(); serving.Wait() })
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	for address, says := range map[string]string{
		listener.Addr().String(): "has no GetMetricSpec, so that it is no external scaler of KEDA's protocol: check address",
		nobody.Addr().String():   "gave no answer to GetMetricSpec: dial " + nobody.Addr().String() + ": connect: connection refused",
	} {
		if got := read(t, externalLoad(v1alpha1.ExternalSource{Address: address})); got.Problem != scaling.Failed || got.Message != address+" "+says {
			t.Errorf("got %+v, want it to say %q", got, says)
		}
	}
}

// TestExternalGuard wants the guard asked before a scaler is.
func TestExternalGuard(t *testing.T) {
	address, _ := (&scaler{specs: offers("jobs")}).serve(t)
	o := Options{Door: transport.NewDoor(transport.Options{})}
	source, err := openOne(externalLoad(v1alpha1.ExternalSource{Address: address}), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := source.Read(t.Context(), o); got.Problem != scaling.Failed || !strings.Contains(got.Message, "loopback") {
		t.Errorf("got %+v, want the guard's refusal", got)
	}
}

// TestExternalMetadata wants a scaler told for whom it is asked, with secrets as
// they are now; and no secret in a sentence, even if the scaler repeats it.
func TestExternalMetadata(t *testing.T) {
	s := &scaler{specs: offers("jobs"), values: []*externalscaler.MetricValue{value("jobs", 3)}, active: true}
	address, _ := s.serve(t)
	secrets := &vault{values: map[string]string{"queue/password": "hush-1"}}
	o := Options{Door: transport.NewDoor(transport.Options{Guard: transport.Guard{Operator: true}, Secrets: secrets})}
	source, err := openOne(externalLoad(v1alpha1.ExternalSource{
		Address: address, Metadata: map[string]string{"queue": "jobs"}, MetadataFrom: map[string]v1alpha1.SecretValue{"password": *secretOf("queue", "password")},
	}), o)
	if err != nil {
		t.Fatal(err)
	}
	e := source.from.connect(surroundings{Options: o})
	defer e.close()
	for _, password := range []string{"hush-1", "hush-1", "hush-2"} {
		secrets.put("queue/password", password)
		if _, err := e.ask(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		ref := s.refs[len(s.refs)-1]
		if ref.Name != "webui" || ref.Namespace != "shop" || len(ref.ScalerMetadata) != 2 || ref.ScalerMetadata["queue"] != "jobs" || ref.ScalerMetadata["password"] != password {
			t.Errorf("the scaler was told %v", ref)
		}
	}
	if s.learnt != 2 {
		t.Errorf("%d calls of GetMetricSpec, want one for each password", s.learnt)
	}
	s.now(func() { s.err = grpcstatus.Error(codes.PermissionDenied, "not with hush-2") })
	if _, err := e.ask(t.Context(), time.Minute); err == nil || err.Error() != address+" answered GetMetrics with PermissionDenied: not with ***" {
		t.Errorf("got %v", err)
	}
	delete(secrets.values, "queue/password")
	if _, err := e.ask(t.Context(), time.Minute); err == nil || err.Error() != address+" cannot be asked: metadataFrom[password]: Secret queue has no key password" {
		t.Errorf("got %v", err)
	}
}

// TestExternalLearns wants a metric's name looked up again after an error, and
// the connection kept all the while.
func TestExternalLearns(t *testing.T) {
	s := &scaler{specs: offers("jobs"), values: []*externalscaler.MetricValue{value("", 3)}, active: true}
	address, server := s.serve(t)
	e := externalAddress{"shop/webui", `{"address": "` + address + `"}`}.connect(surroundings{Options: Options{Door: anyDoor}})
	defer e.close()
	ask := func(want string) {
		t.Helper()
		said := ""
		if _, err := e.ask(t.Context(), time.Minute); err != nil {
			said = err.Error()
		}
		if !strings.Contains(said, want) || (said == "") != (want == "") {
			t.Fatalf("said %q, want %q", said, want)
		}
	}
	ask("")
	ask("")
	s.now(func() { s.specs, s.err = offers("tasks"), grpcstatus.Error(codes.NotFound, "no jobs") })
	ask("no jobs")
	s.now(func() { s.err = nil })
	ask("")
	if s.learnt != 2 || s.asked[len(s.asked)-1] != "tasks" {
		t.Errorf("GetMetricSpec was called %d times, and GetMetrics last asked for %s; want 2 and tasks", s.learnt, s.asked[len(s.asked)-1])
	}
	server.Stop()
	ask("gave no answer to GetMetrics")
	ask("connection refused")
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s.serveOn(t, listener)
	ask("")
}

// TestExternalStream wants a scaler that becomes active asked long before the
// next poll, a stream that breaks opened again, and a close to end it.
func TestExternalStream(t *testing.T) {
	turns := make(chan bool)
	s := &scaler{specs: offers("jobs"), values: []*externalscaler.MetricValue{value("jobs", 4)}}
	s.stream = func(send func(bool)) error {
		send(s.isActive())
		for active := range turns {
			s.now(func() { s.active = active })
			send(active)
			if !active {
				return nil // and breaks off
			}
		}
		return nil
	}
	address, _ := s.serve(t)
	defer close(turns)
	r := NewReadings(Options{Door: anyDoor})
	defer r.Close()
	woken := make(chan struct{}, 100)
	wake := func() { woken <- struct{}{} }
	queue := externalLoad(v1alpha1.ExternalSource{Address: address, Stream: true})
	queue.ConfirmZero = new(bool)
	if err := r.Follow("shop/webui", []v1alpha1.Load{queue}, time.Hour, wake); err != nil {
		t.Fatal(err)
	}
	expect := func(want float64) {
		t.Helper()
		deadline := time.After(time.Minute)
		for {
			if got := r.Latest("shop/webui")[0]; got.Problem == "" && got.Value == want {
				return
			}
			select {
			case <-woken:
			case <-deadline:
				t.Fatalf("got %+v, want %v", r.Latest("shop/webui")[0], want)
			}
		}
	}
	expect(0)
	for _, active := range []bool{true, false, true} {
		turns <- active
		expect(map[bool]float64{true: 4}[active])
	}
}

func (s *scaler) isActive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active
}

// TestOpenExternalRefuses wants the field named, with a sentence that says what
// to write instead.
func TestOpenExternalRefuses(t *testing.T) {
	for want, spec := range map[string]v1alpha1.ExternalSource{
		`loads[queue].external.address: expected a host and a port of 1 to 65535, such as scaler.shop:6000, got "scaler:70000"`: {Address: "scaler:70000"},
		`loads[queue].external.address: expected a host and a port of 1 to 65535, such as scaler.shop:6000, got ":6000"`:        {Address: ":6000"},
		`loads[queue].external.metadataFrom: "user" is given in metadata too: leave one of them out`: {
			Address: "scaler:6000", Metadata: map[string]string{"user": "me"}, MetadataFrom: map[string]v1alpha1.SecretValue{"user": *secretOf("a", "b")},
		},
	} {
		if _, err := openOne(externalLoad(spec), Options{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
