package secrets

import (
	"encoding/json"
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NotGrantedError says that cusme may not read a Secret.
type NotGrantedError struct{ Namespace, Name string }

func (e NotGrantedError) Error() string {
	return fmt.Sprintf("cusme may not read Secret %s/%s: apply the Role and RoleBinding that the condition SecretsReadable holds", e.Namespace, e.Name)
}

// NotFoundError says that there is no such Secret.
type NotFoundError struct{ Namespace, Name string }

func (e NotFoundError) Error() string {
	return fmt.Sprintf("there is no Secret %s/%s", e.Namespace, e.Name)
}

// NoKeyError says that a Secret has no such key.
type NoKeyError struct{ Namespace, Name, Key string }

func (e NoKeyError) Error() string {
	return fmt.Sprintf("Secret %s/%s has no key %s", e.Namespace, e.Name, e.Key)
}

// shipped is whom the manifests in config run cusme as.
var shipped = rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "cusme-system", Name: "cusme"}

// Account is the subject of rights that are granted to a user by this name, and
// the shipped account for none.
func Account(user string) rbacv1.Subject {
	if user == "" {
		return shipped
	}
	namespace, name, ok := strings.Cut(strings.TrimPrefix(user, "system:serviceaccount:"), ":")
	if ok && strings.HasPrefix(user, "system:serviceaccount:") {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}
}

// grant writes a Role and a RoleBinding for each Secret, so that those of two
// LoadScalers go together.
func grant(account rbacv1.Subject, namespace string, names []string) string {
	list := struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      []any  `json:"items"`
	}{APIVersion: "v1", Kind: "List"}
	for _, name := range names {
		meta := metav1.ObjectMeta{Namespace: namespace, Name: "cusme-reads-" + name}
		list.Items = append(list.Items,
			rbacv1.Role{
				TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
				ObjectMeta: meta,
				Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{name}, Verbs: []string{"get", "list", "watch"}}},
			},
			rbacv1.RoleBinding{
				TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
				ObjectMeta: meta,
				Subjects:   []rbacv1.Subject{account},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err.Error() // values of strings alone can always be written
	}
	return string(text)
}
