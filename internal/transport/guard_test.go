package transport

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"cusme.dev/cusme/api/v1alpha1"
)

func refuse(texts ...string) func() []netip.Prefix {
	return func() []netip.Prefix { return prefixes(texts...) }
}

func TestGuardRefuses(t *testing.T) {
	g := Guard{Refuse: refuse("10.96.0.1/32", "2001:db8::1/128")}
	for address, want := range map[string]string{
		"127.0.0.1":                     "127.0.0.1 is a loopback address, which no load may be read from; the operator can allow it with --allow-cidr 127.0.0.0/8",
		"127.255.0.9":                   "loopback",
		"::1":                           "loopback address, which no load may be read from; the operator can allow it with --allow-cidr ::1/128",
		"::ffff:127.0.0.1":              "leads to 127.0.0.1, a loopback address",
		"::ffff:7f00:1":                 "loopback",
		"::127.0.0.1":                   "loopback",
		"::ffff:0:127.0.0.1":            "loopback",
		"64:ff9b::127.0.0.1":            "loopback",
		"64:ff9b:1::127.0.0.1":          "loopback",
		"2002:7f00:1::":                 "loopback",
		"2001::80ff:fffe":               "loopback",
		"0.0.0.0":                       "unspecified",
		"0.1.2.3":                       "unspecified",
		"::":                            "unspecified",
		"169.254.169.254":               "a cloud's metadata service, which no load may be read from; the operator can allow it with --allow-cidr 169.254.169.254/32",
		"64:ff9b::169.254.169.254":      "metadata",
		"2002:a9fe:a9fe::1":             "metadata",
		"100.96.0.96":                   "metadata",
		"100.100.100.200":               "metadata",
		"168.63.129.16":                 "metadata",
		"fd00:ec2::254":                 "metadata",
		"fd00:ec2::23":                  "metadata",
		"fd00:c1::a9fe:a9fe":            "metadata",
		"fd00:42::42":                   "metadata",
		"64:ff9b:1:a9fe:a9:fe00::":      "metadata", // RFC 6052, a prefix of 48 bits
		"64:ff9b:1:12a9:fe:a9fe::":      "metadata", // of 56
		"64:ff9b:1:1234:a9:fea9:fe00:0": "metadata", // of 64
		"64:ff9b:1:1234::a9fe:a9fe":     "metadata", // of 96
		"fd20:ce::254":                  "metadata",
		"169.254.170.2":                 "link-local",
		"fe80::1":                       "link-local",
		"fe80::1%eth0":                  "link-local",
		"224.0.0.1":                     "multicast",
		"ff02::1":                       "multicast",
		"255.255.255.255":               "broadcast",
		"10.96.0.1":                     "10.96.0.1 is the API server's address, which no load may be read from; the operator can allow it with --allow-cidr 10.96.0.1/32",
		"::ffff:10.96.0.1":              "API server",
		"64:ff9b::10.96.0.1":            "API server",
		"2001:db8::1":                   "API server",
		"10.0.0.1":                      "",
		"192.168.1.1":                   "",
		"100.96.0.97":                   "",
		"8.8.8.8":                       "",
		"fd00::1":                       "",
		"2001:db8::2":                   "",
		"64:ff9b::10.0.0.1":             "",
		"64:ff9b:1::10.0.0.1":           "",
		"64:ff9b:1:a00:0:100::":         "",
		"2002:a00:1::1":                 "",
	} {
		err := g.check("backend", netip.MustParseAddr(address))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: expected %q, got %v", address, want, err)
		}
	}
}

func TestGuardAllows(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	carried := netip.MustParseAddr("64:ff9b::127.0.0.1")
	for name, c := range map[string]struct {
		guard Guard
		ip    netip.Addr
		ok    bool
	}{
		"nobody":                    {Guard{}, loopback, false},
		"the operator":              {Guard{Operator: true, Hosts: []string{"x"}}, loopback, true},
		"a prefix":                  {Guard{Allow: prefixes("127.0.0.0/8")}, loopback, true},
		"a prefix, carried":         {Guard{Allow: prefixes("127.0.0.0/8")}, carried, true},
		"the carrier alone":         {Guard{Allow: prefixes("64:ff9b::/96")}, carried, false},
		"another prefix":            {Guard{Allow: prefixes("10.0.0.0/8")}, loopback, false},
		"what is refused besides":   {Guard{Refuse: refuse("10.0.0.1/32"), Allow: prefixes("10.0.0.0/8")}, netip.MustParseAddr("10.0.0.1"), true},
		"a listed host is no allow": {Guard{Hosts: []string{"127.0.0.1"}}, loopback, false},
	} {
		if err := c.guard.check("backend", c.ip); (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestGuardHosts(t *testing.T) {
	g := Guard{Hosts: []string{"Backend.shop", "*.example.com", "10.1.0.0/16", "10.2.0.1", "fd00::/64"}}
	for host, leads := range map[string]struct {
		to string
		ok bool
	}{
		"backend.shop":        {"10.9.0.1", true},
		"BACKEND.SHOP.":       {"10.9.0.1", true},
		"api.example.com":     {"10.9.0.1", true},
		"a.b.example.com":     {"10.9.0.1", true},
		"example.com":         {"10.9.0.1", false},
		"evilexample.com":     {"10.9.0.1", false},
		"backend.shop.evil":   {"10.9.0.1", false},
		"other":               {"10.9.0.1", false},
		"in.a.listed.prefix":  {"10.1.2.3", true},
		"a.listed.address":    {"10.2.0.1", true},
		"mapped":              {"::ffff:10.2.0.1", true},
		"beside.it":           {"10.2.0.2", false},
		"of.the.other.family": {"fd00::9", true},
		"rebound.example.com": {"127.0.0.1", false},
		"169.254.169.254":     {"169.254.169.254", false},
	} {
		err := g.check(host, netip.MustParseAddr(leads.to))
		if (err == nil) != leads.ok {
			t.Errorf("%s at %s: got %v", host, leads.to, err)
		}
	}
	if err := g.check("other", netip.MustParseAddr("10.9.0.1")); err == nil || err.Error() != "other is not among the hosts that loads may be read from; the operator can add it with --load-hosts other" {
		t.Errorf("got %v", err)
	}
}

// TestGuardBeforeAProxy judges what is written, as nothing else can be seen.
func TestGuardBeforeAProxy(t *testing.T) {
	for _, c := range []struct {
		guard Guard
		host  string
		ok    bool
	}{
		{Guard{}, "backend.shop", true},
		{Guard{}, "10.0.0.1", true},
		{Guard{}, "127.0.0.1", false},
		{Guard{}, "::ffff:127.0.0.1", false},
		{Guard{}, "fe80::1%eth0", false},
		{Guard{}, "localhost", false},
		{Guard{}, "LOCALHOST.", false},
		{Guard{}, "a.localhost", false},
		{Guard{Allow: prefixes("127.0.0.0/8")}, "localhost", true},
		{Guard{}, "2130706433", false},
		{Guard{}, "0x7f.1", false},
		{Guard{}, "0x7f.0x1.", false},
		{Guard{}, "127.1", false},
		{Guard{}, "0177.0.0.01", false},
		{Guard{}, "", false},
		{Guard{Hosts: []string{"backend.shop"}}, "other", false},
		{Guard{Hosts: []string{"backend.shop"}}, "backend.shop", true},
		{Guard{Operator: true}, "2130706433", true},
	} {
		if err := c.guard.checkUnseen(c.host); (err == nil) != c.ok {
			t.Errorf("%q under %+v: got %v", c.host, c.guard, err)
		}
	}
}

// TestForms reaches for a server on loopback in every way to write it, and
// never gets there.
func TestForms(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	rt := tripper(t, NewDoor(Options{}), v1alpha1.Connection{})
	for _, host := range []string{
		"127.0.0.1", "localhost", "localhost.", "LOCALHOST", "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "0",
		"0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
		"[::1%25lo]", "[fe80::1%25lo]", "127.0.0.1.", "user@127.0.0.1",
	} {
		text, err := get(t, rt, "http://"+host+":"+port+"/")
		if err == nil {
			t.Errorf("%s was reached: %s", host, text)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
	allowed := tripper(t, NewDoor(Options{Guard: Guard{Allow: prefixes("127.0.0.0/8")}}), v1alpha1.Connection{})
	mustGet(t, allowed, server.URL)
}

// TestGuardOfATokenURL: it is judged as the address of a load is.
func TestGuardOfATokenURL(t *testing.T) {
	var asked atomic.Int32
	login := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	d := NewDoor(Options{Secrets: keep("id", "me", "secret", "hush")})
	rt := tripper(t, d, v1alpha1.Connection{Auth: &v1alpha1.Auth{OAuth2: &v1alpha1.OAuth2{TokenURL: login.URL, ClientID: from("id"), ClientSecret: from("secret")}}})
	_, err := get(t, rt, "http://backend.invalid/")
	if err == nil || !strings.Contains(err.Error(), "is a loopback address") || !strings.Contains(err.Error(), "auth.oauth2: "+login.URL) {
		t.Errorf("got %v", err)
	}
	if asked.Load() != 0 {
		t.Error("the token URL was asked")
	}
}

// TestProxy: everything goes through it but what the guard refuses by its name,
// and what goes without a proxy.
func TestProxy(t *testing.T) {
	var hosts []string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hosts = append(hosts, r.URL.Host) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // is not asked
	to, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDoor(Options{Proxy: to})
	rt := tripper(t, d, v1alpha1.Connection{})
	mustGet(t, rt, "http://backend.shop/load")
	for _, url := range []string{"http://127.0.0.1/", "http://2130706433/", "http://localhost/", "http://169.254.169.254/"} {
		if _, err := get(t, rt, url); err == nil {
			t.Errorf("the proxy was asked for %s", url)
		}
	}
	if _, err := get(t, tripper(t, d.ToPods(), v1alpha1.Connection{}), proxy.URL); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("without the proxy: got %v", err)
	}
	if len(hosts) != 1 || hosts[0] != "backend.shop" {
		t.Errorf("the proxy was asked for %v", hosts)
	}
}

func TestOnlyTCP(t *testing.T) {
	for network, address := range map[string]string{"unix": "/var/run/docker.sock", "udp": "10.0.0.1:53", "tcp": "no port"} {
		if _, err := open(nil).DialContext(t.Context(), network, address); err == nil {
			t.Errorf("%s %s was dialled", network, address)
		}
	}
}

// FuzzGuard: whatever an address looks like, none gets through that Go itself
// takes for one of a node's own.
func FuzzGuard(f *testing.F) {
	for _, seed := range []string{"127.0.0.1", "::ffff:127.0.0.1", "fe80::1%eth0", "2002:7f00:1::", "10.0.0.1", "::", "0.0.0.0", "64:ff9b::1.2.3.4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if ip, err := netip.ParseAddr(text); err == nil {
			own := ip.Unmap()
			bad := own.IsLoopback() || own.IsLinkLocalUnicast() || own.IsMulticast() || own.IsUnspecified()
			if err := (Guard{}).check("backend", ip); bad && err == nil {
				t.Errorf("%s gets through", text)
			}
			if err := (Guard{}).checkUnseen(text); bad && err == nil {
				t.Errorf("%s gets to the proxy", text)
			}
			if err := (Guard{Allow: prefixes("0.0.0.0/0", "::/0")}).check("backend", ip); err != nil {
				t.Errorf("%s is refused though all are allowed: %v", text, err)
			}
			return
		}
		_ = Guard{Hosts: []string{text}}.checkUnseen(text)
		_ = Guard{Hosts: []string{"*." + text}}.lists("a." + text)
	})
}
