package transport

import "net/netip"

// noLoads are addresses at which no load can be: what is there trusts whoever
// can reach it. The first that holds an address names it.
var noLoads = []struct {
	what     string
	prefixes []netip.Prefix
}{
	{"a loopback address", prefixes("127.0.0.0/8", "::1/128")},
	{"an unspecified address", prefixes("0.0.0.0/8", "::/128")}, // Linux takes 0.0.0.0 for loopback
	{"a cloud's metadata service", prefixes(
		"169.254.169.254/32",     // AWS, Azure, Google Cloud, Huawei Cloud and most others
		"100.96.0.96/32",         // Volcengine
		"100.100.100.200/32",     // Alibaba Cloud
		"168.63.129.16/32",       // Azure's host
		"fd00:ec2::254/128",      // AWS
		"fd00:ec2::23/128",       // AWS, EKS Pod Identity
		"fd20:ce::254/128",       // Google Cloud
		"fd00:c1::a9fe:a9fe/128", // Oracle Cloud
		"fd00:42::42/128",        // Scaleway
	)},
	{"a link-local address", prefixes("169.254.0.0/16", "fe80::/10")},
	{"a multicast address", prefixes("224.0.0.0/4", "ff00::/8")},
	{"a reserved or broadcast address", prefixes("240.0.0.0/4")},
}

// carriers are prefixes of IPv6 addresses that hold an IPv4 address, which a
// gateway on the way may take out.
var carriers = []struct {
	prefix netip.Prefix
	at     [4]int // where its bytes are
	turned bool   // all bits are the other way round
}{
	{prefix: netip.MustParsePrefix("::/96"), at: last},                   // IPv4-compatible, RFC 4291
	{prefix: netip.MustParsePrefix("::ffff:0:0:0/96"), at: last},         // IPv4-translated, RFC 2765
	{prefix: netip.MustParsePrefix("64:ff9b::/96"), at: last},            // NAT64, RFC 6052
	{prefix: netip.MustParsePrefix("2002::/16"), at: [4]int{2, 3, 4, 5}}, // 6to4, RFC 3056
	{prefix: netip.MustParsePrefix("2001::/32"), at: last, turned: true}, // Teredo, RFC 4380
	// NAT64 of a site's own, RFC 8215, which may be any prefix in it of the lengths of RFC 6052: 48, 56, 64 and 96.
	{prefix: netip.MustParsePrefix("64:ff9b:1::/48"), at: [4]int{6, 7, 9, 10}},
	{prefix: netip.MustParsePrefix("64:ff9b:1::/48"), at: [4]int{7, 9, 10, 11}},
	{prefix: netip.MustParsePrefix("64:ff9b:1::/48"), at: [4]int{9, 10, 11, 12}},
	{prefix: netip.MustParsePrefix("64:ff9b:1::/48"), at: last},
}

// last is where most carriers have the IPv4 address.
var last = [4]int{12, 13, 14, 15}

// forms are an address, without its zone, and the IPv4 addresses that it leads
// to. An IPv4-mapped one is IPv4. No gateway passes 0.0.0.0/8 on, which is what
// the zeros of an address in another layout look like.
func forms(ip netip.Addr) []netip.Addr {
	ip = ip.Unmap().WithZone("")
	all := []netip.Addr{ip}
	for _, c := range carriers {
		if !c.prefix.Contains(ip) {
			continue
		}
		b := ip.As16()
		var v4 [4]byte
		for i, at := range c.at {
			v4[i] = b[at]
			if c.turned {
				v4[i] = ^b[at]
			}
		}
		if v4[0] != 0 {
			all = append(all, netip.AddrFrom4(v4))
		}
	}
	return all
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}
