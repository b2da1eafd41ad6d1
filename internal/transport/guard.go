package transport

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// A Guard says which addresses may be reached. The zero value refuses loopback,
// link-local, multicast and unspecified addresses and the clouds' metadata
// services, in every form they can be written in.
//
// It judges the address that is about to be dialled, so that it does not matter
// by which name it was found, or whether the name meant something else a moment
// ago. Where a proxy dials, only the proxy sees that address: then the guard
// judges what is written, an address or a name. What a name means to the proxy
// is for the proxy to judge; one that runs beside what is refused here needs a
// guard of its own.
type Guard struct {
	// Operator lets everything be reached: it is the operator who named it.
	Operator bool
	// Allow are reached although they would be refused.
	Allow []netip.Prefix
	// Refuse returns the API server's addresses as they are now, which are refused
	// besides; nil refuses nothing more. It is called by every dial.
	Refuse func() []netip.Prefix
	// Hosts are the only ones that may be named: host names, "*." with a domain
	// for all names in it, addresses and prefixes. A name that is not listed will
	// do when the address it leads to is. Empty allows all.
	Hosts []string
}

// control judges the addresses that a host turns out to have, each before it is
// dialled; for a net.Dialer.
func (g Guard) control(host string) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("expected an IP and a port to dial, got %q", address)
		}
		return g.check(host, to.Addr())
	}
}

// check says why an address that a host leads to may not be reached.
func (g Guard) check(host string, ip netip.Addr) error {
	if g.Operator {
		return nil
	}
	if len(g.Hosts) > 0 && !g.lists(host) && !g.listsAddress(ip) {
		return unlisted(host)
	}
	for _, form := range forms(ip) {
		what, prefix := g.refused(form)
		if what == "" || covers(g.Allow, form) {
			continue
		}
		is := "is"
		if form != ip {
			is = fmt.Sprintf("leads to %s,", form)
		}
		return fmt.Errorf("%s %s %s, which no load may be read from; the operator can allow it with --allow-cidr %s", ip, is, what, prefix)
	}
	return nil
}

// checkUnseen says why a host may not be asked of a proxy, whose way there
// cannot be seen.
func (g Guard) checkUnseen(host string) error {
	if g.Operator {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return g.check(host, ip)
	}
	name := canonical(host)
	switch {
	case name == "localhost" || strings.HasSuffix(name, ".localhost"):
		return g.check(host, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	case numeric(name):
		return fmt.Errorf("%s is a number and no name: expected an address in its usual form, such as 10.0.0.1", host)
	case len(g.Hosts) > 0 && !g.lists(host):
		return unlisted(host)
	}
	return nil
}

func unlisted(host string) error {
	return fmt.Errorf("%s is not among the hosts that loads may be read from; the operator can add it with --load-hosts %s", host, host)
}

// refused says what an address is that no load can be at, and within which prefix.
func (g Guard) refused(ip netip.Addr) (what string, within netip.Prefix) {
	for _, n := range noLoads {
		for _, prefix := range n.prefixes {
			if prefix.Contains(ip) {
				return n.what, prefix
			}
		}
	}
	if g.Refuse == nil {
		return "", netip.Prefix{}
	}
	for _, prefix := range g.Refuse() {
		if prefix.Contains(ip) {
			return "the API server's address", prefix
		}
	}
	return "", netip.Prefix{}
}

// lists reports whether a host is listed by its name.
func (g Guard) lists(host string) bool {
	name := canonical(host)
	for _, entry := range g.Hosts {
		entry = canonical(entry)
		domain, all := strings.CutPrefix(entry, "*")
		if name == entry || all && strings.HasPrefix(domain, ".") && strings.HasSuffix(name, domain) && len(name) > len(domain) {
			return true
		}
	}
	return false
}

// listsAddress reports whether an address is listed, by itself or in a prefix.
func (g Guard) listsAddress(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for _, entry := range g.Hosts {
		if prefix, err := netip.ParsePrefix(entry); err == nil && prefix.Contains(ip) {
			return true
		}
		if listed, err := netip.ParseAddr(entry); err == nil && listed.Unmap() == ip {
			return true
		}
	}
	return false
}

// canonical is a name in lower case, without the dot of a whole one.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// numeric reports whether old resolvers take a name for an address: its last
// part is a number, as in 2130706433 and 0x7f.1.
func numeric(name string) bool {
	last := name[strings.LastIndex(name, ".")+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

func covers(prefixes []netip.Prefix, ip netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
