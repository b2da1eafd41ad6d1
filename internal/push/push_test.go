package push

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apiserver/pkg/authentication/user"
)

// court is a judge in memory: webui's token is good, and may send to shop/webui.
type court struct{ broken error }

func (c court) who(_ context.Context, token string) (user.Info, error) {
	if c.broken != nil && token == "broken" {
		return nil, c.broken
	}
	if account, ok := strings.CutPrefix(token, "good-"); ok {
		return &user.DefaultInfo{Name: account}, nil
	}
	return nil, errNobody
}

func (c court) may(_ context.Context, sender user.Info, namespace, name string) (bool, error) {
	if sender.GetName() == "unsure" {
		return false, c.broken
	}
	return sender.GetName() == "webui" && namespace == "shop", nil
}

// somewhere is where the leader is.
type somewhere struct {
	at  string
	err error
}

func (s somewhere) address(context.Context) (string, error) { return s.at, s.err }

// A desk is a receiver that tells what came.
type desk struct {
	*Receiver
	leads   bool
	mu      sync.Mutex
	came    []Load
	results []string
	answer  error
	log     ledger
}

func newDesk() *desk {
	d := &desk{leads: true}
	log := logr.FromSlogHandler(slog.NewTextHandler(&d.log, nil))
	d.Receiver = &Receiver{judge: court{errors.New("10.0.0.1 refused")}, limits: newLimits(), acquaintances: newAcquaintances(), complaints: newComplaints(log)}
	d.Leading = func() bool { return d.leads }
	d.Count = func(result string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.results = append(d.results, result)
	}
	d.Deliver = func(_ context.Context, l Load) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.came = append(d.came, l)
		return d.answer
	}
	return d
}

// A ledger is a log that may be read while it is written.
type ledger struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *ledger) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A parcel is a request to be.
type parcel struct{ method, path, token, body, from string }

func (d *desk) send(p parcel) *http.Response {
	if p.method == "" {
		p.method = http.MethodPost
	}
	if p.path == "" {
		p.path = "/v1/loads/shop/webui"
	}
	req := httptest.NewRequest(p.method, p.path, strings.NewReader(p.body))
	if p.token != "" {
		req.Header.Set("Authorization", p.token)
	}
	if p.from != "" {
		req.RemoteAddr = p.from
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, req)
	return w.Result()
}

const good = "Bearer good-webui"

// TestAnswers has one line for every answer there is.
func TestAnswers(t *testing.T) {
	body := `{"load": "backend", "value": 0.83}`
	for name, c := range map[string]struct {
		parcel
		deliver error
		status  int
		result  string
		says    string
	}{
		"taken":              {parcel: parcel{token: good, body: body}, status: 204, result: "accepted"},
		"another path":       {parcel: parcel{path: "/v1/load/shop/webui", token: good}, status: 404, result: "invalid", says: "expected the path /v1/loads/NAMESPACE/NAME"},
		"no name":            {parcel: parcel{path: "/v1/loads/shop/", token: good}, status: 404, result: "invalid", says: "expected the path"},
		"no namespace":       {parcel: parcel{path: "/v1/loads//webui", token: good}, status: 404, result: "invalid", says: "expected the path"},
		"no name there is":   {parcel: parcel{path: "/v1/loads/shop/..", token: good}, status: 404, result: "invalid", says: "expected the path"},
		"an endless name":    {parcel: parcel{path: "/v1/loads/shop/" + strings.Repeat("x", 254), token: good}, status: 404, result: "invalid", says: "expected the path"},
		"more path":          {parcel: parcel{path: "/v1/loads/shop/webui/x", token: good}, status: 404, result: "invalid", says: "expected the path"},
		"a hidden slash":     {parcel: parcel{path: "/v1/loads/shop/webui%2Fx", token: good}, status: 404, result: "invalid", says: "expected the path"},
		"GET":                {parcel: parcel{method: "GET", token: good}, status: 405, result: "invalid", says: "expected POST, got GET"},
		"no token":           {parcel: parcel{body: body}, status: 401, result: "unauthenticated", says: "expected the header Authorization: Bearer TOKEN"},
		"another scheme":     {parcel: parcel{token: "Basic d2VidWk6aHVzaA==", body: body}, status: 401, result: "unauthenticated", says: "expected the header"},
		"an empty token":     {parcel: parcel{token: "Bearer ", body: body}, status: 401, result: "unauthenticated", says: "expected the header"},
		"a bad token":        {parcel: parcel{token: "Bearer bad", body: body}, status: 401, result: "unauthenticated", says: "the token is not known to the API server"},
		"no review":          {parcel: parcel{token: "Bearer broken", body: body}, status: 503, result: "unavailable", says: "the token cannot be reviewed at the moment\n"},
		"no right":           {parcel: parcel{token: "Bearer good-other", body: body}, status: 403, result: "denied", says: "other may not create loadscalers/readings of webui in namespace shop"},
		"another namespace":  {parcel: parcel{path: "/v1/loads/bank/webui", token: good, body: body}, status: 403, result: "denied", says: "of webui in namespace bank"},
		"no verdict":         {parcel: parcel{token: "Bearer good-unsure", body: body}, status: 503, result: "unavailable", says: "the right cannot be reviewed at the moment\n"},
		"no such LoadScaler": {parcel: parcel{token: good, body: body}, deliver: Unknown("there is none"), status: 404, result: "unknown", says: "there is none"},
		"not followed yet":   {parcel: parcel{token: good, body: body}, deliver: NotYet("wait"), status: 503, result: "unavailable", says: "wait"},
		"a bad value":        {parcel: parcel{token: good, body: body}, deliver: errors.New("the value is -1, expected 0 or more"), status: 400, result: "invalid", says: "expected 0 or more"},
		"too long":           {parcel: parcel{token: good, body: body + strings.Repeat(" ", bodyLimit)}, status: 413, result: "invalid", says: "expected a body of at most 4096 bytes"},
		"empty":              {parcel: parcel{token: good}, status: 400, result: "invalid", says: `expected JSON such as {"load": "backend", "value": 0.83, "observedAt": "2026-03-01T12:00:00Z"}; the body is empty`},
		"no JSON":            {parcel: parcel{token: good, body: "0,83"}, status: 400, result: "invalid", says: "expected JSON such as"},
		"a bare number":      {parcel: parcel{token: good, body: "0.83"}, status: 400, result: "invalid", says: "expected an object, got number"},
		"a list":             {parcel: parcel{token: good, body: `[` + body + `]`}, status: 400, result: "invalid", says: "expected an object, got array"},
		"two":                {parcel: parcel{token: good, body: body + body}, status: 400, result: "invalid", says: "it goes on after that"},
		"cut off":            {parcel: parcel{token: good, body: body[:20]}, status: 400, result: "invalid", says: "unexpected EOF"},
		"no value":           {parcel: parcel{token: good, body: `{"load": "backend"}`}, status: 400, result: "invalid", says: "value: expected a number, got none"},
		"a null value":       {parcel: parcel{token: good, body: `{"value": null}`}, status: 400, result: "invalid", says: "value: expected a number, got none"},
		"null":               {parcel: parcel{token: good, body: `null`}, status: 400, result: "invalid", says: "value: expected a number, got none"},
		"a quoted value":     {parcel: parcel{token: good, body: `{"value": "0.83"}`}, status: 400, result: "invalid", says: "value: expected a finite number, got string"},
		"NaN":                {parcel: parcel{token: good, body: `{"value": NaN}`}, status: 400, result: "invalid", says: "invalid character 'N'"},
		"beyond a double":    {parcel: parcel{token: good, body: `{"value": 1e400}`}, status: 400, result: "invalid", says: "value: expected a finite number, got number 1e400"},
		"a misspelt field":   {parcel: parcel{token: good, body: `{"value": 1, "observed": 2}`}, status: 400, result: "invalid", says: `unknown field "observed"`},
		"a bad time":         {parcel: parcel{token: good, body: `{"value": 1, "observedAt": "noon"}`}, status: 400, result: "invalid", says: `observedAt: expected a time such as 2026-03-01T12:00:00Z, got "noon"`},
		"the year 1":         {parcel: parcel{token: good, body: `{"value": 1, "observedAt": "0001-01-01T00:00:00Z"}`}, status: 400, result: "invalid", says: "observedAt: expected a time"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			d.answer = c.deliver
			got := d.send(c.parcel)
			text, _ := io.ReadAll(got.Body)
			if got.StatusCode != c.status || !strings.Contains(string(text), c.says) || strings.Join(d.results, " ") != c.result {
				t.Errorf("answered %d %q, counted %q; want %d %q, %q", got.StatusCode, text, d.results, c.status, c.says, c.result)
			}
			if retry := got.Header.Get("Retry-After"); (retry != "") != (c.status == 503) {
				t.Errorf("Retry-After is %q with %d", retry, c.status)
			}
			if c.status == 401 && got.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Error("401 does not say how to authenticate")
			}
			if strings.Contains(string(text), "10.0.0.1") || c.token != "" && strings.Contains(d.log.String(), strings.TrimPrefix(c.token, "Bearer good-")+"-hush") {
				t.Errorf("answered %q: what is behind cusme is none of the sender's business", text)
			}
			if delivered := len(d.came) > 0; delivered != (c.status == 204 || c.deliver != nil) {
				t.Errorf("delivered %v with %d", d.came, c.status)
			}
			if c.status != 204 && !strings.Contains(d.log.String(), "a pushed load was refused") {
				t.Errorf("logged %q", d.log.String())
			}
		})
	}
}

func TestWhatIsDelivered(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for body, want := range map[string]Load{
		`{"load": "backend", "value": 0.83, "observedAt": "2026-03-01T13:00:00+01:00"}`: {"shop", "webui", "backend", 0.83, noon},
		`{"value": 0}`:                      {"shop", "webui", "", 0, time.Time{}},
		` {"value": 1e-400, "load": ""} `:   {"shop", "webui", "", 0, time.Time{}},
		`{"value": 1.7976931348623157e308}`: {"shop", "webui", "", math.MaxFloat64, time.Time{}},
	} {
		d := newDesk()
		if got := d.send(parcel{token: good, body: body}); got.StatusCode != 204 || len(d.came) != 1 {
			t.Errorf("%s: answered %d, delivered %v", body, got.StatusCode, d.came)
		} else if l := d.came[0]; !l.At.Equal(want.At) || l.Value != want.Value || l.Load != want.Load || l.Namespace+l.Name != "shopwebui" {
			t.Errorf("%s: delivered %+v, want %+v", body, l, want)
		}
	}
}

// TestLimits: a burst, then so many a second, of each sender and to each LoadScaler.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		count := func(p parcel, n int) (taken int) {
			for range n {
				switch got := d.send(p); {
				case got.StatusCode == 204:
					taken++
				case got.StatusCode != 429 || got.Header.Get("Retry-After") != "1":
					t.Fatalf("answered %d with Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
				}
			}
			return taken
		}
		mine := parcel{token: good, body: `{"value": 1}`}
		if n := count(mine, 100); n != inBurst {
			t.Errorf("took %d at once, want %d", n, inBurst)
		}
		time.Sleep(time.Second)
		if n := count(mine, 100); n != perSecond {
			t.Errorf("took %d after a second, want %d", n, perSecond)
		}
		if !d.limits.sender.allow("another") || d.limits.scaler.allow("shop/webui") {
			t.Error("the limits of one are not another's, and the LoadScaler has its own")
		}
		if refused := strings.Count(d.log.String(), "refused"); refused != 1 {
			t.Errorf("logged %d refusals of one sender in a second, want 1", refused)
		}
	})
}

func TestLimitsAreBounded(t *testing.T) {
	l := newLimit(perSecond, inBurst)
	for i := range 2 * mostLimits {
		l.allow(fmt.Sprint(i))
	}
	if n := len(l.of.Keys()); n > mostLimits {
		t.Errorf("keeps %d limits, want at most %d", n, mostLimits)
	}
}

// shown is a certificate of a desk's own.
type shown struct{ certificate *tls.Certificate }

func (shown) keep(context.Context) {}

func (s shown) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.certificate == nil {
		return nil, errors.New("none yet")
	}
	return s.certificate, nil
}

func sign(t *testing.T, a authority) shown {
	t.Helper()
	certificate, err := a.sign("cusme-system", nil)
	if err != nil {
		t.Fatal(err)
	}
	return shown{certificate}
}

func makeAuthority(t *testing.T) authority {
	t.Helper()
	a, _, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serve has a desk answer over TLS, with a certificate.
func (d *desk) serve(t *testing.T, s shown) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(d)
	d.certificates = s
	server.TLS = d.server().TLSConfig
	server.Config.ErrorLog = log.New(d.complaints, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestForward: a replica that waits hands on what it gets, and the leader's answer back.
func TestForward(t *testing.T) {
	ours := makeAuthority(t)
	leader := newDesk()
	at := leader.serve(t, sign(t, ours))
	waits := newDesk()
	waits.leads = false
	waits.leader, waits.toLeader = somewhere{at: at}, newToLeader(sign(t, ours))

	long := `{"value": 1}` + strings.Repeat(" ", bodyLimit)
	for name, c := range map[string]struct {
		parcel
		status int
		says   string
		result string
	}{
		"taken":    {parcel{token: good, body: `{"value": 0.5}`}, 204, "", "forwarded"},
		"refused":  {parcel{token: "Bearer good-other", body: `{"value": 0.5}`}, 403, "other may not create", "forwarded"},
		"invalid":  {parcel{token: good, body: `{"valve": 0.5}`}, 400, `unknown field "valve"`, "forwarded"},
		"too long": {parcel{token: good, body: long}, 413, "at most 4096 bytes", "invalid"},
	} {
		waits.results = nil
		got := waits.send(c.parcel)
		text, _ := io.ReadAll(got.Body)
		if got.StatusCode != c.status || !strings.Contains(string(text), c.says) || strings.Join(waits.results, " ") != c.result {
			t.Errorf("%s: answered %d %q, counted %q; want %d %q, %s", name, got.StatusCode, text, waits.results, c.status, c.says, c.result)
		}
	}
	if len(leader.came) != 1 || leader.came[0].Value != 0.5 || len(waits.came) != 0 {
		t.Errorf("the leader got %v, and the other %v", leader.came, waits.came)
	}

	third := newDesk()
	leader.leads = false
	leader.leader, leader.toLeader = somewhere{at: third.serve(t, sign(t, ours))}, newToLeader(sign(t, ours))
	if got := waits.send(parcel{token: good, body: `{"value": 0.5}`}); got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("answered %d when nobody leads, want 503", got.StatusCode)
	}
	if len(third.results) > 0 {
		t.Error("handed on twice")
	}
}

// TestForwardGivesUp rather than wait for ever, or hand a token to a stranger.
func TestForwardGivesUp(t *testing.T) {
	ours := makeAuthority(t)
	stranger := newDesk()
	strange := stranger.serve(t, sign(t, makeAuthority(t)))
	for name, c := range map[string]struct {
		leader somewhere
		own    shown
		cause  string
	}{
		"no leader":               {somewhere{err: errNoLeader}, sign(t, ours), errNoLeader.Error()},
		"nobody there":            {somewhere{at: "127.0.0.1:1"}, sign(t, ours), "refused"},
		"of another authority":    {somewhere{at: strange}, sign(t, ours), "unknown authority"},
		"without its certificate": {somewhere{at: strange}, shown{}, "none yet"},
	} {
		d := newDesk()
		d.leads, d.leader, d.toLeader = false, c.leader, newToLeader(c.own)
		got := d.send(parcel{token: good, body: `{"value": 0.5}`})
		text, _ := io.ReadAll(got.Body)
		if got.StatusCode != 503 || got.Header.Get("Retry-After") != "1" || strings.Contains(string(text), "127.0.0.1") {
			t.Errorf("%s: answered %d %q, want 503 and no more", name, got.StatusCode, text)
		}
		if !strings.Contains(d.log.String(), c.cause) || strings.Contains(d.log.String(), good) {
			t.Errorf("%s: logged %q, want %q", name, d.log.String(), c.cause)
		}
	}
	if len(stranger.results) > 0 {
		t.Errorf("the stranger saw a request: %v", stranger.results)
	}
}

// TestComplaints: one a minute of each.
func TestComplaints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := newComplaints(logr.FromSlogHandler(slog.NewTextHandler(&log, nil)))
		c.told = cache.NewLRUExpireCacheWithClock(mostLimits, clock{})
		for range 3 {
			for range 5 {
				c.tell("a", "what")
				c.tell("b", "what")
				fmt.Fprintln(c, "http: TLS handshake error from 10.0.0.9:5: bad certificate")
			}
			time.Sleep(quiet + time.Second)
		}
		if n := strings.Count(log.String(), "\n"); n != 9 {
			t.Errorf("told %d times, want 9:\n%s", n, log.String())
		}
	})
}

type clock struct{}

func (clock) Now() time.Time { return time.Now() }
