package push

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (d *desk) counted(result string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.results {
		if r == result {
			n++
		}
	}
	return n
}

// flood sends tokens that are nobody's until a host is told to send less.
func (d *desk) flood(t *testing.T, from string) {
	t.Helper()
	for i := range 100 * newInBurst {
		switch got := d.send(parcel{token: fmt.Sprint("Bearer bad-", i), body: `{"value": 1}`, from: from}); got.StatusCode {
		case 401:
		case 429:
			if got.Header.Get("Retry-After") != "1" {
				t.Error("429 does not say when to come back")
			}
			return
		default:
			t.Fatalf("answered %d", got.StatusCode)
		}
	}
	t.Fatal("a flood is not limited")
}

// TestFloodOfBadTokens costs few reviews, and shuts out neither who is known nor who comes from elsewhere.
func TestFloodOfBadTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		mine := parcel{token: good, body: `{"value": 1}`, from: "10.0.0.1:5000"}
		if got := d.send(mine); got.StatusCode != 204 {
			t.Fatalf("answered %d", got.StatusCode)
		}
		d.flood(t, "10.0.0.1:6000")
		if n := d.counted(unauthenticated); n != newInBurst-1 {
			t.Errorf("%d tokens were reviewed, want %d beside the good one", n, newInBurst-1)
		}
		if got := d.send(mine); got.StatusCode != 204 {
			t.Errorf("a token that was good is answered %d in the flood", got.StatusCode)
		}
		if got := d.send(parcel{token: "Bearer good-another", from: mine.from}); got.StatusCode != 429 {
			t.Errorf("a token that is new is answered %d in the flood", got.StatusCode)
		}
		mine.from, mine.token = "10.0.0.2:5000", "Bearer good-other"
		if got := d.send(mine); got.StatusCode != 403 {
			t.Errorf("another host is answered %d", got.StatusCode)
		}
		if got := d.send(parcel{from: "10.0.0.1:5000"}); got.StatusCode != 401 {
			t.Errorf("without a token answered %d, which costs nothing", got.StatusCode)
		}
		time.Sleep(time.Second)
		if got := d.send(parcel{token: "Bearer good-other", from: "10.0.0.1:5000"}); got.StatusCode != 403 {
			t.Errorf("a second after the flood answered %d", got.StatusCode)
		}
	})
}

// TestFloodThroughAnotherReplica is limited there, for each host: to the leader, all that is handed on comes from one.
func TestFloodThroughAnotherReplica(t *testing.T) {
	ours := makeAuthority(t)
	leader, waits := newDesk(), newDesk()
	waits.leads = false
	waits.leader, waits.toLeader = somewhere{at: leader.serve(t, sign(t, ours))}, newToLeader(sign(t, ours))
	mine := parcel{token: good, body: `{"value": 1}`}
	if got := waits.send(mine); got.StatusCode != 204 {
		t.Fatalf("answered %d", got.StatusCode)
	}
	waits.flood(t, "192.0.2.1:6000")
	if got := waits.send(mine); got.StatusCode != 204 {
		t.Errorf("a token that was good is answered %d in the flood", got.StatusCode)
	}
	waits.flood(t, "192.0.2.2:6000")
	if reviewed, limited := leader.counted(unauthenticated), leader.counted(limited); reviewed < 2*newInBurst-1 || limited > 0 {
		t.Errorf("the leader reviewed %d tokens and limited %d, want %d and none", reviewed, limited, 2*newInBurst-1)
	}
	before := leader.counted(unauthenticated)
	if got := waits.send(parcel{body: `{"value": 1}`}); got.StatusCode != 401 || leader.counted(unauthenticated) != before {
		t.Errorf("without a token answered %d, and handed on", got.StatusCode)
	}
}

// TestColleague is who shows a certificate of this one's authority, and not who says so.
func TestColleague(t *testing.T) {
	ours := makeAuthority(t)
	d := newDesk()
	d.certificates = sign(t, ours)
	for name, c := range map[string]struct {
		shows shown
		want  bool
	}{
		"another replica":       {sign(t, ours), true},
		"of another authority":  {sign(t, makeAuthority(t)), false},
		"without a certificate": {shown{}, false},
	} {
		state := &tls.ConnectionState{}
		if c.shows.certificate != nil {
			state.PeerCertificates = append(state.PeerCertificates, c.shows.certificate.Leaf)
		}
		if got := d.colleague(state); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
	if d.colleague(nil) {
		t.Error("without TLS: taken for one")
	}
	d.certificates = shown{}
	if d.colleague(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{sign(t, ours).certificate.Leaf}}) {
		t.Error("before there is a certificate: taken for one")
	}
}

func TestHosts(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.5:8443":               "10.0.0.5",
		"[::ffff:10.0.0.5]:8443":      "10.0.0.5",
		"[2001:db8:1:2:3:4:5:6]:8443": "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:1":    "2001:db8:1:2::/64",
		"[fe80::1%eth0]:8443":         "fe80::/64",
		"somewhere":                   "somewhere",
	} {
		if got := hostOf(address); got != want {
			t.Errorf("%s is of %s, want %s", address, got, want)
		}
	}
}

// TestCrowd: one host holds so many connections, and gives each back.
func TestCrowd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(listener)
	accepted := make(chan net.Conn, 2*mostConnsOfHost)
	go func() {
		for {
			conn, err := c.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	var inside []net.Conn
	for range mostConnsOfHost {
		dial()
		inside = append(inside, <-accepted)
	}
	if _, err := io.ReadAll(dial()); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("beyond the bound: %v, want the end of the connection", err)
	}
	inside[0].Close()
	inside[0].Close() // gives back one
	dial()
	inside = append(inside[1:], <-accepted)
	if _, err := io.ReadAll(dial()); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("beyond the bound again: %v, want the end of the connection", err)
	}
	for _, conn := range inside {
		conn.Close()
	}
	listener.Close()
	<-accepted
	if len(c.of) != 0 {
		t.Errorf("keeps %v when all have left", c.of)
	}
}
