package clustertest

import (
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// TokenFor returns a token of a ServiceAccount, good for an hour, and makes the ServiceAccount if there is none. Without
// audiences it is for the API server.
func (c *Cluster) TokenFor(t testing.TB, namespace, serviceAccount string, audiences ...string) string {
	t.Helper()
	accounts := c.client(t).CoreV1().ServiceAccounts(namespace)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: serviceAccount}}
	if _, err := accounts.Create(t.Context(), account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("make ServiceAccount %s/%s: %v", namespace, serviceAccount, err)
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	token, err := accounts.CreateToken(t.Context(), serviceAccount, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("token of ServiceAccount %s/%s: %v", namespace, serviceAccount, err)
	}
	return token.Status.Token
}

// ConfigFor returns a configuration that has a ServiceAccount's rights and nothing more.
func (c *Cluster) ConfigFor(t testing.TB, namespace, serviceAccount string) *rest.Config {
	t.Helper()
	config := rest.AnonymousClientConfig(c.admin)
	config.BearerToken = c.TokenFor(t, namespace, serviceAccount)
	return config
}

// KubeconfigFor returns the path of a kubeconfig that has a ServiceAccount's rights and nothing more. The file goes with
// the test.
func (c *Cluster) KubeconfigFor(t testing.TB, namespace, serviceAccount string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		t.Fatalf("read the cluster's kubeconfig: %v", err)
	}
	config.AuthInfos = map[string]*api.AuthInfo{serviceAccount: {Token: c.TokenFor(t, namespace, serviceAccount)}}
	for _, context := range config.Contexts {
		context.AuthInfo, context.Namespace = serviceAccount, namespace
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatalf("write a ServiceAccount's kubeconfig: %v", err)
	}
	return file
}
