package controller

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
)

// behindService is what the API servers tell of themselves.
func behindService(addresses ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}}
	for _, a := range addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}})
	}
	return slice
}

func (s *apiServer) mustBeAt(t *testing.T, want ...string) {
	t.Helper()
	s.look(t.Context())
	var got []string
	for _, p := range s.addresses() {
		got = append(got, p.String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestAPIServerIsOutOfReach by the addresses of all the ways to it, as they are now; what cannot be looked up stays as it
// was, and is told once.
func TestAPIServerIsOutOfReach(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
	var told []string
	log := funcr.New(func(_, args string) { told = append(told, args) }, funcr.Options{})
	clients := fake.NewClientset()
	s := newAPIServer(Options{Config: &rest.Config{Host: "https://203.0.113.9:6443"}, Log: log}, clients)
	s.mustBeAt(t, "203.0.113.9/32", "10.96.0.1/32")
	s.mustBeAt(t, "203.0.113.9/32", "10.96.0.1/32")
	if len(told) != 1 || !strings.Contains(told[0], `"kubernetes\" not found`) {
		t.Errorf("told %q", told)
	}
	if err := clients.Tracker().Add(behindService("192.168.7.1", "fd00::7")); err != nil {
		t.Fatal(err)
	}
	s.mustBeAt(t, "203.0.113.9/32", "10.96.0.1/32", "192.168.7.1/32", "fd00::7/128")
	if err := clients.Tracker().Update(discoveryv1.SchemeGroupVersion.WithResource("endpointslices"), behindService("192.168.7.2"), "default"); err != nil {
		t.Fatal(err)
	}
	s.mustBeAt(t, "203.0.113.9/32", "10.96.0.1/32", "192.168.7.2/32")
	away := errors.New("away")
	clients.PrependReactor("get", "endpointslices", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, away })
	s.mustBeAt(t, "203.0.113.9/32", "10.96.0.1/32", "192.168.7.2/32")
	if len(told) != 2 {
		t.Errorf("told %q", told)
	}
}

// TestASearchThatHangs takes no time from the others, and one that is given up is no news.
func TestASearchThatHangs(t *testing.T) {
	s := newAPIServer(Options{Config: &rest.Config{Host: "127.0.0.1:6443"}}, fake.NewClientset())
	found := func(context.Context) ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil }
	s.find(t.Context(), "here", found)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.find(ended, "here", func(ctx context.Context) ([]netip.Addr, error) { return nil, ctx.Err() })
	if len(s.addresses()) != 1 || len(s.said) != 0 {
		t.Errorf("known %v, said %v", s.known, s.said)
	}
}
