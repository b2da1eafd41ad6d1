package main_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"cusme.dev/cusme/internal/clustertest"
)

// TestShippedRightsAreThoseTheCodeNames compares the roles with the markers in the code.
func TestShippedRightsAreThoseTheCodeNames(t *testing.T) {
	openAll(t, "../../internal")
	cmd := exec.Command("go", "tool", "controller-gen", "rbac:roleName=all", "paths=./internal/...", "output:stdout")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("generate the role: %v", err)
	}
	named := rulesIn(t, string(out))
	shipped := append(rulesIn(t, read(t, manifests+"/rbac/role.yaml")), rulesIn(t, read(t, manifests+"/rbac/targets.yml"))...)
	if len(named) == 0 || rightsIn(shipped) != rightsIn(named) {
		t.Errorf("config/rbac has\n%s\nthe markers want\n%s", rightsIn(shipped), rightsIn(named))
	}
}

func rulesIn(t *testing.T, documents string) []rbacv1.PolicyRule {
	t.Helper()
	var rules []rbacv1.PolicyRule
	for document := range strings.SplitSeq(documents, "---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		rules = append(rules, role.Rules...)
	}
	return rules
}

// rightsIn writes rules one resource a line, so that two ways to write the same rights read the same.
func rightsIn(rules []rbacv1.PolicyRule) string {
	verbs := map[string][]string{}
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, full := range rule.Resources {
				resource, subresource, _ := strings.Cut(full, "/")
				name := strings.TrimSuffix(resource+"."+group, ".")
				if subresource != "" {
					name += "/" + subresource
				}
				if len(rule.ResourceNames) > 0 {
					name += fmt.Sprint(rule.ResourceNames)
				}
				verbs[name] = append(verbs[name], rule.Verbs...)
			}
		}
	}
	var lines strings.Builder
	for name, v := range verbs {
		slices.Sort(v)
		fmt.Fprintln(&lines, name, strings.Join(slices.Compact(v), " "))
	}
	return sorted(lines.String())
}

func sorted(lines string) string {
	return strings.Join(slices.Sorted(strings.Lines(lines)), "")
}

// eventuallyMay waits until the API server allows a thing, or does not: it learns of roles through a watch.
func (c cluster) eventuallyMay(t *testing.T, account *rest.Config, what authorizationv1.ResourceAttributes, want bool) {
	t.Helper()
	reviews := client(t, account).AuthorizationV1().SelfSubjectAccessReviews()
	clustertest.Eventually(t, patience, func() error {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what}}
		got, err := reviews.Create(t.Context(), review, metav1.CreateOptions{})
		if err == nil && got.Status.Allowed != want {
			err = fmt.Errorf("allowed is %t for %+v, want %t", got.Status.Allowed, what, want)
		}
		return err
	})
}

// mayExactly compares all that an account may do in a namespace, beyond what any account may, with a list.
func (c cluster) mayExactly(t *testing.T, account *rest.Config, namespace, want string) {
	t.Helper()
	common := strings.SplitAfter(rightsOf(t, c.ConfigFor(t, namespace, "nobody"), namespace), "\n")
	got := slices.DeleteFunc(strings.SplitAfter(rightsOf(t, account, namespace), "\n"), func(line string) bool { return slices.Contains(common, line) })
	if strings.Join(got, "") != want {
		t.Errorf("in %s cusme may\n%s\nwant\n%s", namespace, strings.Join(got, ""), want)
	}
}

func rightsOf(t *testing.T, account *rest.Config, namespace string) string {
	t.Helper()
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	answer, err := client(t, account).AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(), review, metav1.CreateOptions{})
	if err != nil || answer.Status.Incomplete {
		t.Fatalf("ask for all rights: %v, incomplete: %t", err, answer.Status.Incomplete)
	}
	var rules []rbacv1.PolicyRule
	for _, r := range answer.Status.ResourceRules {
		rules = append(rules, rbacv1.PolicyRule{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames})
	}
	return rightsIn(rules)
}

// wasNeverRefused proves that no right is missing for anything that cusme itself asked so far.
func (c cluster) wasNeverRefused(t *testing.T, namespace string) {
	t.Helper()
	asked := c.Requests(t, 0, clustertest.Filter{User: "system:serviceaccount:" + namespace + ":cusme", UserAgent: "cusme/"})
	if len(asked) == 0 {
		t.Error("cusme has asked nothing of the API server")
	}
	for _, r := range asked {
		if r.Code == http.StatusForbidden {
			t.Errorf("refused: %s %s %s", r.Verb, r.Resource, r.URI)
		}
	}
}
