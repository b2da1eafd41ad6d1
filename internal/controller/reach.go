package controller

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"cusme.dev/cusme/internal/transport"
)

// lookupTimeout bounds the search for the API server's addresses: cusme scales without having found them.
const lookupTimeout = 5 * time.Second

// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,resourceNames=kubernetes,verbs=get

// reach completes how endpoints are reached: not the API server, where cusme
// stands in and its callers do not.
func (o Options) reach(ctx context.Context, clients kubernetes.Interface) transport.Options {
	door := o.Door
	door.UserAgent = o.userAgent()
	if door.Guard.Operator {
		return door
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	hosts := []string{hostOf(o.Config.Host), os.Getenv("KUBERNETES_SERVICE_HOST")}
	slice, err := clients.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		o.Log.Info("loads are kept from the API server's Service, and not from the addresses behind it, which are not known", "error", err.Error())
		slice = &discoveryv1.EndpointSlice{}
	}
	for _, e := range slice.Endpoints {
		hosts = append(hosts, e.Addresses...)
	}
	door.Guard.Refuse = append(slices.Clone(door.Guard.Refuse), addressesOf(ctx, hosts)...)
	return door
}

func (o Options) userAgent() string { return "cusme/" + o.Version }

// addressesOf looks up hosts. One that has no address is left out.
func addressesOf(ctx context.Context, hosts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, host := range hosts {
		if host == "" {
			continue
		}
		ips, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", host) // what has no address cannot be reached either
		for _, ip := range ips {
			ip = ip.Unmap().WithZone("")
			all = append(all, netip.PrefixFrom(ip, ip.BitLen()))
		}
	}
	return all
}

// hostOf is the host of an address as kubeconfigs write it: a URL, or a host and a port.
func hostOf(server string) string {
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
