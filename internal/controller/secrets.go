package controller

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/secrets"
)

// grantLimit is how many Secrets one message can have granted: a condition's is
// refused from 32 KiB on, and each can take 2.
const grantLimit = 8

// grants says which Secrets may be read, and how to grant the others.
type grants interface {
	Denied(namespace, name string) (denied, known bool)
	Grant(namespace string, names []string) string
}

var _ grants = (*secrets.Secrets)(nil)

// openSecrets is where the credentials of loads come from.
func openSecrets(ctx context.Context, config *rest.Config) (*secrets.Secrets, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // the watches limit themselves
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	me, err := clients.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		me = &authenticationv1.SelfSubjectReview{} // rights are then written out for the account of the shipped manifests
	}
	return secrets.New(clients, secrets.Account(me.Status.UserInfo.Username)), nil
}

// tellSecrets says in a status which of the Secrets that a LoadScaler names may
// not be read. A LoadScaler that never lacked one has no such condition, and
// what is not known just now leaves it as it is.
func tellSecrets(g grants, ls *v1alpha1.LoadScaler, status *v1alpha1.LoadScalerStatus) {
	if g == nil {
		return
	}
	names := secretNames(ls.Spec)
	var denied []string
	for _, name := range names {
		is, known := g.Denied(ls.Namespace, name)
		if !known {
			return
		}
		if is {
			denied = append(denied, name)
		}
	}
	had := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSecretsReadable) != nil
	switch {
	case len(denied) > 0:
		setSecrets(ls, status, condition{v1alpha1.ConditionSecretsReadable, metav1.ConditionFalse, "NotGranted", askFor(g, ls.Namespace, denied)})
	case len(names) == 0:
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionSecretsReadable)
	case had:
		setSecrets(ls, status, condition{v1alpha1.ConditionSecretsReadable, metav1.ConditionTrue, "Granted", "cusme may read every Secret that is named"})
	}
}

// setSecrets leaves the message whole: it is to be applied.
func setSecrets(ls *v1alpha1.LoadScaler, status *v1alpha1.LoadScalerStatus, c condition) {
	c.set(&status.Conditions, ls.Generation)
}

// askFor is a sentence and the manifest that it asks for. The sentence is a
// comment, so that kubectl takes the two together.
func askFor(g grants, namespace string, denied []string) string {
	granted := denied[:min(len(denied), grantLimit)]
	return fmt.Sprintf("# cusme may not read in namespace %s: Secret %s. Whoever may write LoadScalers there can then have it sent anywhere. Pipe this message into kubectl apply -f - to grant it:\n%s",
		namespace, strings.Join(granted, ", Secret "), g.Grant(namespace, granted))
}

// secretNames are the Secrets that a spec names wherever it may, sorted.
func secretNames(spec v1alpha1.LoadScalerSpec) []string {
	var names []string
	visitKeys(reflect.ValueOf(spec.Loads), func(k v1alpha1.SecretKey) { names = append(names, k.Name) })
	slices.Sort(names)
	return slices.Compact(names)
}

// visitKeys finds every key of a Secret, so that no source of loads has to list its own.
func visitKeys(v reflect.Value, visit func(v1alpha1.SecretKey)) {
	if v.Type() == reflect.TypeFor[v1alpha1.SecretKey]() {
		visit(v.Interface().(v1alpha1.SecretKey))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visitKeys(v.Elem(), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visitKeys(v.Index(i), visit)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			visitKeys(v.MapIndex(key), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				visitKeys(v.Field(i), visit)
			}
		}
	default: // holds no key
	}
}
