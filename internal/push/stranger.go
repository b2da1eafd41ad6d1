package push

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
)

// Bounds of one host, whose word for who it is nobody has checked yet.
const (
	// Loads with tokens that are new, each of which is a review. Good tokens are new once, also of many applications
	// that share an address.
	newPerSecond = 10
	newInBurst   = 50
	// knownFor is how long a token is not new after its last load that was good.
	knownFor = 10 * time.Minute
	// mostConnsOfHost leaves room for others. Another replica needs mostForwarded of them.
	mostConnsOfHost = mostConns / 4
)

// admit lets few letters of one host in that bring a token nobody knows: a flood of them would use up the reviews of
// all. It is asked on every replica, before anything is done for the letter.
func (r *Receiver) admit(l *letter) error {
	token, ok := strings.CutPrefix(l.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return refuse(http.StatusUnauthorized, unauthenticated, "expected the header Authorization: Bearer TOKEN, with a token of a ServiceAccount")
	}
	l.token = token
	if host := hostOf(l.RemoteAddr); !r.acquaintances.know(token) && !r.colleague(l.TLS) && !r.limits.host.allow(host) {
		return refuse(http.StatusTooManyRequests, limited, "%s sends more than %d loads per second with tokens that are new", host, newPerSecond)
	}
	return nil
}

// hostOf is the host of an address, as far as it can be told from others: who has one IPv6 address has the 64 bits behind it.
func hostOf(address string) string {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	ip := a.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}

// acquaintances are tokens that were good a while ago, by what tells them from others without being one.
type acquaintances struct{ since *cache.LRUExpireCache }

func newAcquaintances() acquaintances {
	return acquaintances{cache.NewLRUExpireCache(mostLimits)}
}

func (a acquaintances) know(token string) bool {
	_, ok := a.since.Get(sha256.Sum256([]byte(token)))
	return ok
}

func (a acquaintances) meet(token string) {
	a.since.Add(sha256.Sum256([]byte(token)), true, knownFor)
}

// colleague reports whether another replica hands on: it shows a certificate that this one would trust as its leader's. It has
// counted the sender's host, and its own is the host of many.
func (r *Receiver) colleague(connection *tls.ConnectionState) bool {
	if connection == nil || len(connection.PeerCertificates) == 0 {
		return false
	}
	own, err := r.certificates.get(nil)
	if err != nil {
		return false
	}
	trust, err := trustLike(own)
	if err != nil {
		return false
	}
	_, err = connection.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots:     trust.RootCAs,
		DNSName:   trust.ServerName,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err == nil
}

// A crowd is a listener that takes mostConnsOfHost connections of one host, and ends at once what comes beyond.
type crowd struct {
	net.Listener

	mu sync.Mutex
	of map[string]int
}

func newCrowd(l net.Listener) *crowd { return &crowd{Listener: l, of: map[string]int{}} }

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host := hostOf(conn.RemoteAddr().String())
		if c.enter(host) {
			return &guest{conn, sync.OnceFunc(func() { c.leave(host) })}, nil
		}
		_ = conn.Close()
	}
}

func (c *crowd) enter(host string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[host] >= mostConnsOfHost {
		return false
	}
	c.of[host]++
	return true
}

func (c *crowd) leave(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[host]--; c.of[host] == 0 {
		delete(c.of, host)
	}
}

// A guest leaves the crowd when its connection is closed.
type guest struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (g *guest) Close() error {
	defer g.leave()
	return g.Conn.Close()
}
