package transport

import "net/netip"

// A Guard says which addresses may be reached. The zero value refuses loopback,
// link-local and unspecified addresses and the clouds' metadata services, in
// every form they can be written in.
type Guard struct {
	// Operator lets everything be reached: it is the operator who named it.
	Operator bool
	// Allow are reached although they would be refused.
	Allow []netip.Prefix
	// Refuse are refused besides, such as the API server's addresses.
	Refuse []netip.Prefix
	// Hosts are the only ones that may be named: host names, "*." with a domain
	// for all names in it, addresses and prefixes. Empty allows all.
	Hosts []string
}
