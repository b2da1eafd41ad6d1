package controller

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// rights are those that cusme can do without.
type rights struct {
	lead      bool // hold a Lease
	readNodes bool // tell elastic nodes from ordinary ones
}

// A right is one thing to be allowed.
type right struct{ group, resource, subresource, verbs string }

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=selfsubjectaccessreviews,verbs=create

// needed are the rights without which nothing can be scaled. A watch that may
// not be read retries in silence for ever; asking first turns that into a sentence.
var needed = []right{
	{"", "pods", "", "get list watch"},
	{"apps", "deployments", "", "get list watch"},
	{"apps", "replicasets", "", "get list watch"},
}

var (
	neededForOne = []right{{"apps", "deployments", "scale", "get update"}}
	neededForAll = []right{{"cusme.dev", "loadscalers", "", "get list watch"}, {"cusme.dev", "loadscalers", "status", "get patch"}}
	toLead       = right{"coordination.k8s.io", "leases", "", "get create update"}
	toReadNodes  = right{"", "nodes", "", "get list watch"}
)

// askRights asks the API server what it will allow. Rights that are needed and
// missing are an error that spells out the rules to grant.
func askRights(ctx context.Context, o Options) (rights, error) {
	clients, err := kubernetes.NewForConfig(o.Config)
	if err != nil {
		return rights{}, finalError{err}
	}
	ask := asker{clients.AuthorizationV1().SelfSubjectAccessReviews(), o.namespace()}
	all := append(needed[:len(needed):len(needed)], neededForAll...)
	if o.Only != nil {
		all = append(needed[:len(needed):len(needed)], neededForOne...)
	}
	var missing []string
	for _, r := range all {
		denied, err := ask.denied(ctx, r, ask.namespace)
		if err != nil {
			return rights{}, fmt.Errorf("reach the API server at %s: %w", o.Config.Host, err)
		}
		if len(denied) > 0 {
			missing = append(missing, r.rule(denied))
		}
	}
	if len(missing) > 0 {
		return rights{}, fmt.Errorf("cusme's account lacks rights %s; grant these rules:\n%s", where(ask.namespace), strings.Join(missing, "\n"))
	}
	return ask.extras(ctx, o)
}

// extras asks for the rights that cusme can do without, and says once what it does without.
func (a asker) extras(ctx context.Context, o Options) (rights, error) {
	var may rights
	denied, err := a.denied(ctx, toReadNodes, "")
	if err != nil {
		return may, err
	}
	if may.readNodes = len(denied) == 0; !may.readNodes {
		o.Log.Info("nodes may not be read: no pod will be known as elastic", "grant", toReadNodes.rule(denied))
	}
	if o.LeaseNamespace == "" {
		return may, nil
	}
	if denied, err = a.denied(ctx, toLead, o.LeaseNamespace); err != nil {
		return may, err
	}
	if may.lead = len(denied) == 0; !may.lead {
		o.Log.Info("running alone, without leader election: leases may not be written in "+o.LeaseNamespace, "grant", toLead.rule(denied))
	}
	return may, nil
}

type asker struct {
	reviews   authorizationclient.SelfSubjectAccessReviewInterface
	namespace string
}

// denied returns the verbs of a right that the API server would refuse.
func (a asker) denied(ctx context.Context, r right, namespace string) ([]string, error) {
	var denied []string
	for _, verb := range strings.Fields(r.verbs) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Group: r.group, Resource: r.resource, Subresource: r.subresource, Verb: verb,
			},
		}}
		answer, err := a.reviews.Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return nil, err
		}
		if !answer.Status.Allowed {
			denied = append(denied, verb)
		}
	}
	return denied, nil
}

// rule writes what to grant as a Role's rule.
func (r right) rule(verbs []string) string {
	resource := r.resource
	if r.subresource != "" {
		resource += "/" + r.subresource
	}
	return fmt.Sprintf(`- {apiGroups: [%q], resources: [%q], verbs: [%s]}`, r.group, resource, strings.Join(verbs, ", "))
}

func where(namespace string) string {
	if namespace == "" {
		return "in all namespaces"
	}
	return "in namespace " + namespace
}
