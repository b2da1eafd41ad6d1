package controller

import (
	"context"
	"fmt"
	"slices"
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
	patchPods bool // choose which pods go
}

// A right is one thing to be allowed.
type right struct {
	group, resource, subresource, verbs string
	// name restricts the right to one object. The verb create has no name yet.
	name string
}

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=selfsubjectaccessreviews,verbs=create

// needed are the rights without which nothing can be scaled. A watch that may
// not be read retries in silence for ever; asking first turns that into a sentence.
var needed = []right{
	{resource: "pods", verbs: "get list watch"},
	{group: "apps", resource: "deployments", verbs: "get list watch"},
	{group: "apps", resource: "replicasets", verbs: "get list watch"},
}

var (
	toReadNodes = right{resource: "nodes", verbs: "get list watch"}
	toPatchPods = right{resource: "pods", verbs: "patch"}
	toReview    = []right{
		{group: "authentication.k8s.io", resource: "tokenreviews", verbs: "create"},
		{group: "authorization.k8s.io", resource: "subjectaccessreviews", verbs: "create"},
	}
)

// neededBy returns the rights that are needed besides: to serve LoadScalers, of
// which one of several replicas must do it, or to scale a single Deployment.
func neededBy(o Options) []right {
	if o.Only != nil {
		return []right{{group: "apps", resource: "deployments", subresource: "scale", verbs: "get update", name: o.Only.Spec.ScaleTargetRef.Name}}
	}
	return []right{
		{group: "cusme.dev", resource: "loadscalers", verbs: "get list watch"},
		{group: "cusme.dev", resource: "loadscalers", subresource: "status", verbs: "get patch"},
	}
}

func toLead(o Options) right {
	return right{group: "coordination.k8s.io", resource: "leases", verbs: "get create update", name: o.LeaseName}
}

// askRights asks the API server what it will allow. Rights that are needed and
// missing are an error that spells out the rules to grant.
func askRights(ctx context.Context, o Options) (rights, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	clients, err := kubernetes.NewForConfig(o.Config)
	if err != nil {
		return rights{}, finalError{err}
	}
	ask := asker{clients.AuthorizationV1().SelfSubjectAccessReviews(), o.namespace()}
	var missing []string
	for _, r := range slices.Concat(needed, neededBy(o)) {
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
	may := rights{}
	if may.readNodes, err = ask.readNodes(ctx, o); err != nil {
		return rights{}, err
	}
	if may.patchPods, err = ask.patchPods(ctx, o); err != nil {
		return rights{}, err
	}
	if err := ask.review(ctx, o); err != nil {
		return rights{}, err
	}
	may.lead, err = ask.lead(ctx, o)
	return may, err
}

// review asks whether senders of loads can be reviewed, where loads are received, and says so when they cannot.
func (a asker) review(ctx context.Context, o Options) error {
	if o.Push.Address == "" {
		return nil
	}
	for _, r := range toReview {
		denied, err := a.denied(ctx, r, "")
		if err != nil {
			return err
		}
		if len(denied) > 0 {
			o.Log.Info("no pushed load will be taken, as who sends it may not be reviewed", "grant", r.rule(denied))
		}
	}
	return nil
}

// readNodes asks whether elastic nodes can be told from ordinary ones, and says so when they cannot.
func (a asker) readNodes(ctx context.Context, o Options) (bool, error) {
	denied, err := a.denied(ctx, toReadNodes, "")
	if len(denied) > 0 {
		o.Log.Info("nodes may not be read: no pod will be known as elastic", "grant", toReadNodes.rule(denied))
	}
	return err == nil && len(denied) == 0, err
}

// patchPods asks whether pods can be chosen for removal, and says so when they cannot.
func (a asker) patchPods(ctx context.Context, o Options) (bool, error) {
	denied, err := a.denied(ctx, toPatchPods, a.namespace)
	if len(denied) > 0 {
		o.Log.Info("pods may not be patched: which of them go is left to the ReplicaSet controller", "grant", toPatchPods.rule(denied))
	}
	return err == nil && len(denied) == 0, err
}

// lead asks whether a Lease can be held. A lone LoadScaler goes on without, and
// says so; the controller does not, as two replicas would both scale.
func (a asker) lead(ctx context.Context, o Options) (bool, error) {
	if o.LeaseNamespace == "" {
		return false, nil
	}
	denied, err := a.denied(ctx, toLead(o), o.LeaseNamespace)
	if err != nil || len(denied) == 0 {
		return err == nil, err
	}
	grant := toLead(o).rule(denied)
	if o.Only == nil {
		return false, fmt.Errorf("cusme's account may not hold a Lease %s; grant this rule, or run a single replica with --leader-elect=false:\n%s", where(o.LeaseNamespace), grant)
	}
	o.Log.Info("running alone, without leader election: leases may not be written "+where(o.LeaseNamespace), "grant", grant)
	return false, nil
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
				Namespace: namespace, Group: r.group, Resource: r.resource, Subresource: r.subresource, Verb: verb, Name: r.objectOf(verb),
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

func (r right) objectOf(verb string) string {
	if verb == "create" {
		return ""
	}
	return r.name
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
