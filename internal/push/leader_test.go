package push

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"
)

func TestAddressesAsLabels(t *testing.T) {
	for address, label := range map[string]string{
		"10.0.0.5:8443":          "10.0.0.5_8443",
		"[2001:db8::1]:8443":     "2001-0db8-0000-0000-0000-0000-0000-0001_8443",
		"[::1]:65535":            "0000-0000-0000-0000-0000-0000-0000-0001_65535",
		"[::ffff:10.0.0.5]:8443": "10.0.0.5_8443",
		"[fe80::1%eth0]:8443":    "fe80-0000-0000-0000-0000-0000-0000-0001_8443",
	} {
		a := netip.MustParseAddrPort(address)
		got := labelOf(a)
		if got != label || len(validation.IsValidLabelValue(got)) > 0 {
			t.Errorf("%s: label %q, want %q; %v", address, got, label, validation.IsValidLabelValue(got))
		}
		if back, err := addressIn(got); err != nil || back != netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()).String() {
			t.Errorf("%s: read back as %q, %v", address, back, err)
		}
	}
	for _, label := range []string{"", "10.0.0.5", "_8443", "leader_8443", "10.0.0.5_"} {
		if got, err := addressIn(label); err == nil {
			t.Errorf("label %q is taken for %q", label, got)
		}
	}
}

// TestLeaseLabels: a replica that listens everywhere is found where it talks to the API server from.
func TestLeaseLabels(t *testing.T) {
	for listens, want := range map[string]string{"127.0.0.1:0": "127.0.0.1_", ":0": "127.0.0.1_"} {
		r, err := New(Options{Address: listens, Config: &rest.Config{Host: "https://127.0.0.1:6443"}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got, err := r.LeaseLabels()
		if err != nil || !strings.HasPrefix(got["cusme.dev/push-address"], want) || strings.HasSuffix(got["cusme.dev/push-address"], "_0") {
			t.Errorf("%s: %v, %v", listens, got, err)
		}
	}
	var none *Receiver
	if got, err := none.LeaseLabels(); got != nil || err != nil {
		t.Errorf("without a receiver: %v, %v", got, err)
	}
	none.Close()
	if _, err := New(Options{Address: "127.0.0.1:99999", Config: &rest.Config{}}); err == nil || !strings.Contains(err.Error(), "--push-address: ") {
		t.Errorf("got %v", err)
	}
}

// TestLease: one look serves all pushes of a second, also one that found nobody.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		holder, looks := "", 0
		var broken error
		client := fake.NewClientset()
		client.PrependReactor("get", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			looks++
			return true, &coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{addressLabel: "10.0.0.5_8443"}},
				Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder},
			}, broken
		})
		l := &lease{client: client.CoordinationV1().Leases(home), name: "cusme-controller"}
		expect := func(want string, wantErr error, wantLooks int) {
			t.Helper()
			for range 3 {
				if got, err := l.address(t.Context()); got != want || !errors.Is(err, wantErr) || looks != wantLooks {
					t.Errorf("found %q, %v in %d looks; want %q, %v in %d", got, err, looks, want, wantErr, wantLooks)
				}
			}
			time.Sleep(leaseKept)
		}
		expect("", errNoLeader, 1)
		holder = "cusme-1"
		expect("10.0.0.5:8443", nil, 2)
		broken = errors.New("gone")
		expect("", broken, 3)
	})
}

// TestForwardIsBounded: a leader whose node is gone answers nothing, neither at the dial nor to what is written, and there may be
// nobody to ask who leads. The sender is told within forwardTimeout, which with the body's time fits into the answer's.
func TestForwardIsBounded(t *testing.T) {
	if readTimeout+forwardTimeout >= answerTimeout {
		t.Errorf("a body may take %s and the leader %s, and the answer must begin within %s", readTimeout, forwardTimeout, answerTimeout)
	}
	for name, c := range map[string]struct {
		leader leader
		hole   http.RoundTripper
	}{
		"no Lease":  {unheard{}, unheard{}},
		"no answer": {somewhere{at: "192.0.2.1:8443"}, unheard{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk()
				d.leads, d.leader, d.toLeader = false, c.leader, c.hole
				began := time.Now()
				got := d.send(parcel{token: good, body: `{"value": 0.5}`})
				if took := time.Since(began); got.StatusCode != 503 || got.Header.Get("Retry-After") != "1" || took > forwardTimeout {
					t.Errorf("answered %d after %s, want 503 within %s", got.StatusCode, took, forwardTimeout)
				}
			})
		})
	}
}

// unheard is a network that swallows everything.
type unheard struct{}

func (unheard) address(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }

func (unheard) RoundTrip(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// TestDialIsBounded: a host that takes the connection, and then says nothing, is left while there is time to answer.
func TestDialIsBounded(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = newToLeader(sign(t, makeAuthority(t))).DialTLSContext(ctx, "tcp", silent.Addr().String())
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("got %v after a dial without a handshake, want its own deadline exceeded", err)
	}
}

// TestLookAtTheLease holds up nobody longer than they can wait, and goes on for the others when who began it has hung up.
func TestLookAtTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 3 * time.Second
		looks := 0
		client := fake.NewClientset()
		client.PrependReactor("get", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			looks++
			time.Sleep(slow)
			return true, &coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{addressLabel: "10.0.0.5_8443"}},
				Spec:       coordinationv1.LeaseSpec{HolderIdentity: ptr.To("cusme-1")},
			}, nil
		})
		l := &lease{client: client.CoordinationV1().Leases(home), name: "cusme-controller"}
		began := time.Now()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				hurried, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if got, err := l.address(hurried); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
					t.Errorf("who waits a second got %q, %v after %s", got, err, time.Since(began))
				}
			})
			synctest.Wait()
			all.Go(func() {
				if got, err := l.address(t.Context()); got != "10.0.0.5:8443" || err != nil || time.Since(began) != slow {
					t.Errorf("who waits got %q, %v after %s", got, err, time.Since(began))
				}
			})
		}
		all.Wait()
		if looks != 1 {
			t.Errorf("looked %d times, want once for all", looks)
		}
	})
}
