package controller

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
)

// granted says of each Secret whether it may be read; of no other anything is known.
type granted map[string]bool

func (g granted) Denied(_, name string) (denied, known bool) {
	may, known := g[name]
	return known && !may, known
}

func (g granted) Grant(namespace string, names []string) string {
	return namespace + ":" + strings.Join(names, ",") + strings.Repeat(" ", maxSentence)
}

func key(name string) *v1alpha1.SecretValue {
	return &v1alpha1.SecretValue{SecretKeyRef: v1alpha1.SecretKey{Name: name, Key: "x"}}
}

func naming(names ...string) *v1alpha1.LoadScaler {
	ls := &v1alpha1.LoadScaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Generation: 3}}
	for _, name := range names {
		l := v1alpha1.Load{Name: name, HTTP: &v1alpha1.HTTPSource{}}
		l.HTTP.Auth = &v1alpha1.Auth{Bearer: key(name)}
		ls.Spec.Loads = append(ls.Spec.Loads, l)
	}
	return ls
}

func TestSecretsThatMayNotBeRead(t *testing.T) {
	var status v1alpha1.LoadScalerStatus
	says := func(g grants, ls *v1alpha1.LoadScaler, want string) {
		t.Helper()
		tellSecrets(g, ls, &status)
		c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSecretsReadable)
		got := ""
		if c != nil {
			got = string(c.Status) + " " + c.Reason
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	says(nil, naming("a"), "")
	says(granted{}, naming(), "")
	says(granted{}, naming("a"), "")
	says(granted{"a": true}, naming("a"), "") // what never lacked needs no word
	says(granted{"a": true, "b": false}, naming("a", "b"), "False NotGranted")
	c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSecretsReadable)
	sentence, manifest, _ := strings.Cut(c.Message, "\n")
	if sentence != "# cusme may not read in namespace shop: Secret b. Whoever may write LoadScalers there can then have it sent anywhere. Pipe this message into kubectl apply -f - to grant it:" || !strings.HasPrefix(manifest, "shop:b ") || len(manifest) < maxSentence {
		t.Errorf("says %q", c.Message)
	}
	if at := c.LastTransitionTime; !at.Equal(new(at.Rfc3339Copy())) {
		t.Errorf("changed at %s, want whole seconds", at.Time)
	}
	says(granted{"a": true}, naming("a", "b"), "False NotGranted") // b is not known just now
	says(granted{"a": true, "b": true}, naming("a", "b"), "True Granted")
	says(granted{}, naming(), "")
}

func TestOneMessageGrantsNoMoreThanFit(t *testing.T) {
	ls, g := naming(), granted{}
	for i := range 20 {
		name := strings.Repeat("x", i+1)
		ls.Spec.Loads = append(ls.Spec.Loads, naming(name).Spec.Loads...)
		g[name] = false
	}
	var status v1alpha1.LoadScalerStatus
	tellSecrets(g, ls, &status)
	if got := strings.Count(status.Conditions[0].Message, "Secret x"); got != grantLimit {
		t.Errorf("grants %d, want %d", got, grantLimit)
	}
}

// TestEverySecretIsFound wherever a spec can name one.
func TestEverySecretIsFound(t *testing.T) {
	connection := v1alpha1.Connection{
		Auth: &v1alpha1.Auth{
			Bearer:  key("bearer"),
			Basic:   &v1alpha1.BasicAuth{Username: *key("user"), Password: *key("password")},
			OAuth2:  &v1alpha1.OAuth2{ClientID: *key("id"), ClientSecret: *key("secret")},
			APIKeys: []v1alpha1.APIKey{{SecretKeyRef: key("api-key").SecretKeyRef}},
		},
		TLS: &v1alpha1.TLS{CA: key("ca"), Certificate: key("certificate"), Key: key("key")},
	}
	spec := v1alpha1.LoadScalerSpec{Loads: []v1alpha1.Load{
		{HTTP: &v1alpha1.HTTPSource{Connection: connection}},
		{Prometheus: &v1alpha1.PrometheusSource{Connection: v1alpha1.Connection{Auth: &v1alpha1.Auth{Bearer: key("prometheus")}}}},
		{Pods: &v1alpha1.PodsSource{Connection: v1alpha1.Connection{Auth: &v1alpha1.Auth{Bearer: key("pods")}}}},
		{External: &v1alpha1.ExternalSource{MetadataFrom: map[string]v1alpha1.SecretValue{"password": *key("metadata")}, TLS: &v1alpha1.TLS{CA: key("ca")}}},
	}}
	want := []string{"api-key", "bearer", "ca", "certificate", "id", "key", "metadata", "password", "pods", "prometheus", "secret", "user"}
	if got := secretNames(spec); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
