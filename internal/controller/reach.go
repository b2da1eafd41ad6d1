package controller

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"cusme.dev/cusme/internal/transport"
)

const (
	// lookupTimeout bounds one search for addresses of the API server: cusme scales without having found them.
	lookupTimeout = 5 * time.Second
	// lookupInterval is how often they are searched for: an API server moves, or was away when cusme began.
	lookupInterval = time.Minute
)

// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,resourceNames=kubernetes,verbs=get

// reach completes how endpoints are reached: not the API server, where cusme
// stands in and its callers do not.
func (o Options) reach(ctx context.Context, mgr manager.Manager, clients kubernetes.Interface) (transport.Options, error) {
	door := o.Door
	door.UserAgent = o.userAgent()
	if door.Guard.Operator {
		return door, nil
	}
	server := newAPIServer(o, clients)
	server.look(ctx)
	door.Guard.Refuse = server.addresses
	return door, mgr.Add(manager.RunnableFunc(server.follow))
}

func (o Options) userAgent() string { return "cusme/" + o.Version }

// An apiServer is where the API server is, as far as is known.
type apiServer struct {
	clients kubernetes.Interface
	hosts   []string // by which it is called
	log     logr.Logger

	mu    sync.Mutex
	known map[string][]netip.Prefix // by where they were found
	said  map[string]string         // what was told of a search that failed last
}

func newAPIServer(o Options, clients kubernetes.Interface) *apiServer {
	hosts := []string{hostOf(o.Config.Host), os.Getenv("KUBERNETES_SERVICE_HOST")}
	return &apiServer{
		clients: clients, log: o.Log, known: map[string][]netip.Prefix{}, said: map[string]string{},
		hosts: slices.DeleteFunc(hosts, func(host string) bool { return host == "" }),
	}
}

// addresses are those that were found last, of every way to find some. The slice is the caller's.
func (s *apiServer) addresses() []netip.Prefix {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []netip.Prefix
	for _, found := range s.known {
		all = append(all, found...)
	}
	return all
}

// follow looks again and again, until ctx ends.
func (s *apiServer) follow(ctx context.Context) error {
	wait.UntilWithContext(ctx, s.look, lookupInterval)
	return nil
}

// look searches in every way, each within a time of its own. What a search that
// fails had found before stays.
func (s *apiServer) look(ctx context.Context) {
	var searching sync.WaitGroup
	searching.Go(func() { s.find(ctx, "the addresses behind its Service", s.behindService) })
	for _, host := range s.hosts {
		searching.Go(func() {
			s.find(ctx, host, func(ctx context.Context) ([]netip.Addr, error) {
				return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
			})
		})
	}
	searching.Wait()
}

// find notes what a search finds, and says once that it fails.
func (s *apiServer) find(ctx context.Context, what string, search func(context.Context) ([]netip.Addr, error)) {
	bounded, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	ips, err := search(bounded)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.said[what] != err.Error() {
			s.said[what] = err.Error()
			s.log.Info("loads are to be kept from the API server, of which an address cannot be found; what was found before counts", "where", what, "error", err.Error())
		}
		return
	}
	delete(s.said, what)
	var found []netip.Prefix
	for _, ip := range ips {
		ip = ip.Unmap().WithZone("")
		found = append(found, netip.PrefixFrom(ip, ip.BitLen()))
	}
	s.known[what] = found
}

// behindService are the addresses that the API servers tell of themselves.
func (s *apiServer) behindService(ctx context.Context) ([]netip.Addr, error) {
	slice, err := s.clients.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for _, e := range slice.Endpoints {
		for _, text := range e.Addresses {
			ip, err := netip.ParseAddr(text)
			if err != nil {
				return nil, err
			}
			all = append(all, ip)
		}
	}
	return all, nil
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
