package push

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// addressLabel of the Lease says where the leader receives loads. It is written
// together with the leader's name, so that the two never contradict each other.
const addressLabel = "cusme.dev/push-address"

// LeaseLabels returns what a replica writes on the Lease when it leads: where
// the others find it. One that listens on all of its addresses is found under the
// one by which it reaches the API server, which in a pod is the pod's. Without a
// receiver there are none.
func (r *Receiver) LeaseLabels() (map[string]string, error) {
	if r == nil {
		return nil, nil
	}
	own := r.listener.Addr().(*net.TCPAddr).AddrPort()
	ip := own.Addr()
	if ip.IsUnspecified() {
		var err error
		if ip, err = outbound(r.Config.Host); err != nil {
			return nil, err
		}
	}
	return map[string]string{addressLabel: labelOf(netip.AddrPortFrom(ip, own.Port()))}, nil
}

// outbound is the address that this replica has toward the API server. Nothing is sent: a UDP socket only looks up the route.
func outbound(server string) (netip.Addr, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		u = &url.URL{Host: server}
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	conn, err := net.Dial("udp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the address under which other replicas reach this one: %w", err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr(), nil
}

// labelOf writes an address as a label may be written: without colons, and without an end that is no letter or digit.
func labelOf(a netip.AddrPort) string {
	return fmt.Sprintf("%s_%d", strings.ReplaceAll(a.Addr().Unmap().WithZone("").StringExpanded(), ":", "-"), a.Port())
}

// addressIn reads what labelOf wrote.
func addressIn(label string) (string, error) {
	host, port, _ := strings.Cut(label, "_")
	ip, err := netip.ParseAddr(strings.ReplaceAll(host, "-", ":"))
	if err != nil || port == "" {
		return "", fmt.Errorf("the Lease's label %s: expected an address, got %q", addressLabel, label)
	}
	return net.JoinHostPort(ip.String(), port), nil
}

// leaseKept is how long an address from the Lease is used without a new look. A leader that
// changed is noticed when the old one does not answer any more, or not as the leader.
const leaseKept = time.Second

// A lease finds the leader by the Lease.
type lease struct {
	client  coordinationclient.LeaseInterface
	name    string
	looking singleflight.Group

	mu   sync.Mutex
	last sighting
}

// A sighting is where the leader was found, or why it was not.
type sighting struct {
	address string
	err     error
	at      time.Time
}

var errNoLeader = errors.New("no replica of cusme leads at the moment")

// address implements leader. Of many pushes one looks, and the others wait for what it finds, each as long as it can.
func (l *lease) address(ctx context.Context) (string, error) {
	if s := l.kept(); !s.at.IsZero() && time.Since(s.at) < leaseKept {
		return s.address, s.err
	}
	look := l.looking.DoChan("", func() (any, error) {
		found, err := l.look(context.WithoutCancel(ctx)) // the others want to know as well
		l.keep(sighting{found, err, time.Now()})
		return found, err
	})
	select {
	case found := <-look:
		return found.Val.(string), found.Err
	case <-ctx.Done():
		return "", fmt.Errorf("find the replica that leads: %w", ctx.Err())
	}
}

func (l *lease) kept() sighting {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *lease) keep(s sighting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = s
}

func (l *lease) look(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	lease, err := l.client.Get(ctx, l.name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read the Lease: %w", err)
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return "", errNoLeader
	}
	return addressIn(lease.Labels[addressLabel])
}

// forward hands a letter on to the leader, which reviews it as if it had come there at first.
func (r *Receiver) forward(w http.ResponseWriter, l letter) {
	if l.Header.Get(forwardedHeader) != "" {
		r.turnAway(w, l, cannot("this replica of cusme does not lead any more", nil))
		return
	}
	text, err := l.text()
	if err != nil {
		r.turnAway(w, l, err)
		return
	}
	ctx, cancel := context.WithTimeout(l.Context(), forwardTimeout)
	defer cancel()
	address, err := r.leader.address(ctx)
	if err != nil {
		r.turnAway(w, l, cannot("the replica of cusme that leads is not known at the moment", err))
		return
	}
	proxy := httputil.ReverseProxy{
		Transport: r.toLeader,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "https", Host: address})
			p.Out.Header.Set(forwardedHeader, "1")
			p.Out.Body, p.Out.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		},
		ModifyResponse: func(answer *http.Response) error {
			r.Count(forwarded)
			if answer.StatusCode == http.StatusNoContent {
				r.acquaintances.meet(l.token)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			r.turnAway(w, l, cannot("the replica of cusme that leads does not answer", err))
		},
		ErrorLog: log.New(r.complaints, "", 0),
	}
	proxy.ServeHTTP(w, l.WithContext(ctx))
}

// Bounds of the way to the leader. Its node may be gone: then nothing answers at all.
const (
	mostForwarded = 64 // at a time
	dialTimeout   = 2 * time.Second
	// forwardTimeout is a review's, and a little more: a slow review is answered by the leader itself. A body may
	// take readTimeout before, and both fit into answerTimeout.
	forwardTimeout = reviewTimeout + time.Second
)

// newToLeader returns what carries letters to the leader. It trusts what it shows itself: replicas have certificates by one authority,
// or the very same one. Anything else could be sent the token by whoever may write the Lease.
func newToLeader(own certificates) *http.Transport {
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			certificate, err := own.get(nil)
			if err != nil {
				return nil, err
			}
			config, err := trustLike(certificate)
			if err != nil {
				return nil, err
			}
			config.Certificates = []tls.Certificate{*certificate}
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			return (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
		},
		MaxConnsPerHost:     mostForwarded,
		MaxIdleConnsPerHost: mostForwarded,
		IdleConnTimeout:     idleTimeout / 2, // before the leader ends the connection, just as the next load is written to it
	}
}

// trustLike trusts a certificate, its authorities, and those of the system, under the name it is for.
func trustLike(own *tls.Certificate) (*tls.Config, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	for _, der := range own.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		roots.AddCert(c)
	}
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: nameIn(leaf)}, nil
}

// nameIn is a name that a certificate is good for.
func nameIn(leaf *x509.Certificate) string {
	switch {
	case len(leaf.DNSNames) > 0:
		return strings.Replace(leaf.DNSNames[0], "*", "cusme-push", 1)
	case len(leaf.IPAddresses) > 0:
		return leaf.IPAddresses[0].String()
	default:
		return ""
	}
}
