package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"cusme.dev/cusme/internal/transport"
)

// reach says where the loads of LoadScalers may be read from, as the flags say.
type reach struct {
	allow, hosts []string
	proxy        string
}

func (r *reach) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&r.allow, "allow-cidr", nil, "`prefix` of addresses that loads may be read from although they are loopback, link-local, a cloud's metadata service or the API server's, such as 127.0.0.0/8; may be given several times")
	f.StringArrayVar(&r.hosts, "load-hosts", nil, "`host` that loads may be read from, such as *.shop.svc, an address or a prefix, and no other than those given; a target's own pods are not asked about; may be given several times; default all")
	f.StringVar(&r.proxy, "proxy", "", "`URL` of a proxy through which loads are read over HTTP, those of pods apart; external scalers, over gRPC, and Kubernetes' metrics APIs are asked directly; default none, whatever the environment says")
}

// door is the way to the loads. No error repeats a proxy, whose URL may hold a password.
func (r *reach) door() (transport.Options, error) {
	o := transport.Options{Guard: transport.Guard{Hosts: r.hosts}}
	for _, text := range r.allow {
		prefix, err := netip.ParsePrefix(text)
		if err != nil || prefix.Addr().Is4In6() {
			return o, misuseError{fmt.Errorf("--allow-cidr: expected a prefix such as 127.0.0.0/8, got %q", text), ""}
		}
		o.Guard.Allow = append(o.Guard.Allow, prefix.Masked())
	}
	for _, host := range r.hosts {
		if !isHost(host) {
			return o, misuseError{fmt.Errorf("--load-hosts: expected a host such as backend.shop or *.example.com, an address or a prefix, got %q", host), ""}
		}
	}
	if r.proxy == "" {
		return o, nil
	}
	proxy, err := url.Parse(r.proxy)
	if err != nil || proxy.Host == "" || proxy.Scheme != "http" && proxy.Scheme != "https" && proxy.Scheme != "socks5" {
		return o, misuseError{fmt.Errorf("--proxy: expected an http://, https:// or socks5:// URL with a host, such as http://proxy.example.com:3128"), ""}
	}
	o.Proxy = proxy
	return o, nil
}

// isHost reports whether a guard can mean something by it.
func isHost(text string) bool {
	if _, err := netip.ParsePrefix(text); err == nil {
		return true
	}
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	name := strings.TrimSuffix(strings.TrimPrefix(text, "*."), ".")
	return name != "" && !strings.HasPrefix(name, ".") && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}
