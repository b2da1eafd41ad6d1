package controller

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/go-logr/logr"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"cusme.dev/cusme/internal/transport"
)

// TestAPIServerIsOutOfReach by the addresses of all the ways to it, besides what the operator refuses.
func TestAPIServerIsOutOfReach(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
	clients := fake.NewClientset(&discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"192.168.7.1"}}, {Addresses: []string{"fd00::7"}}},
	})
	own := netip.MustParsePrefix("10.0.0.0/8")
	o := Options{Config: &rest.Config{Host: "https://203.0.113.9:6443"}, Version: "v1", Log: logr.Discard(), Door: transport.Options{Guard: transport.Guard{Refuse: []netip.Prefix{own}}}}
	var got []string
	for _, p := range o.reach(t.Context(), clients).Guard.Refuse {
		got = append(got, p.String())
	}
	if want := []string{"10.0.0.0/8", "203.0.113.9/32", "10.96.0.1/32", "192.168.7.1/32", "fd00::7/128"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(o.Door.Guard.Refuse) != 1 {
		t.Error("the options were changed")
	}
	o.Door.Guard.Operator = true
	if got := o.reach(t.Context(), fake.NewClientset()).Guard.Refuse; len(got) != 1 {
		t.Errorf("of an operator's door: %v", got)
	}
}

func TestAPIServerThatCannotBeFound(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	o := Options{Config: &rest.Config{Host: "127.0.0.1:6443"}, Log: logr.Discard()}
	got := o.reach(t.Context(), fake.NewClientset()).Guard.Refuse
	if len(got) != 1 || got[0].String() != "127.0.0.1/32" {
		t.Errorf("got %v", got)
	}
}
