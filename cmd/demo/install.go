package main

import (
	"context"
	_ "embed" // for webui.yaml
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"cusme.dev/cusme/api/v1alpha1"
)

// Names the manifests in config use.
const (
	controllerNamespace = "cusme-system"
	controllerAccount   = "cusme"
)

// serviceNamespace is where webui.yaml puts the service.
const serviceNamespace = "aicloud"

//go:embed webui.yaml
var manifests string

// urlPlaceholder stands in webui.yaml for the URL that is known only once a port is open.
const urlPlaceholder = "http://127.0.0.1:0/load"

// loadScalerYAML is the part of webui.yaml that a user of cusme writes.
func loadScalerYAML() string {
	_, after, _ := strings.Cut(manifests, "\n---\n")
	return after
}

// loadScaler is the same, parsed: band and minPodAge are shown from it.
func loadScaler() (v1alpha1.LoadScaler, error) {
	var s v1alpha1.LoadScaler
	if err := yaml.UnmarshalStrict([]byte(loadScalerYAML()), &s); err != nil {
		return s, fmt.Errorf("read the demo's own LoadScaler: %w", err)
	}
	return s, nil
}

// install brings cusme's CRD and RBAC, and an account for the controller.
func (d *demo) install(ctx context.Context) error {
	if err := d.apply(ctx, filepath.Join(d.config, "crd")); err != nil {
		return fmt.Errorf("install the CRD: %w", err)
	}
	if err := d.kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "crd/loadscalers.cusme.dev"); err != nil {
		return fmt.Errorf("install the CRD: %w", err)
	}
	for _, part := range []string{"namespace.yaml", "rbac"} {
		if err := d.apply(ctx, filepath.Join(d.config, part)); err != nil {
			return fmt.Errorf("install the controller's account and RBAC: %w", err)
		}
	}
	return d.writeControllerKubeconfig(ctx)
}

func (d *demo) makeNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := d.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}

// tokenLife is above any demo: the token is not renewed.
const tokenLife = 24 * time.Hour

func (d *demo) controllerKubeconfig() string { return filepath.Join(d.dir, "controller.kubeconfig") }

// writeControllerKubeconfig lets the controller be its ServiceAccount, with that account's rights and no others.
func (d *demo) writeControllerKubeconfig(ctx context.Context) error {
	seconds := int64(tokenLife / time.Second)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := d.client.CoreV1().ServiceAccounts(controllerNamespace).CreateToken(ctx, controllerAccount, request, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("ask for a token for the controller: %w", err)
	}
	config, err := clientcmd.LoadFromFile(filepath.Join(d.clusterDir(), "kubeconfig"))
	if err != nil {
		return fmt.Errorf("read the cluster's kubeconfig: %w", err)
	}
	context := config.Contexts[config.CurrentContext]
	if context == nil {
		return errors.New("the cluster's kubeconfig names no context")
	}
	context.AuthInfo = controllerAccount
	config.AuthInfos = map[string]*api.AuthInfo{controllerAccount: {Token: answer.Status.Token}}
	if err := clientcmd.WriteToFile(*config, d.controllerKubeconfig()); err != nil {
		return fmt.Errorf("write the controller's kubeconfig: %w", err)
	}
	return nil
}

// deploy creates the service and its LoadScaler, which reads the load at a URL.
func (d *demo) deploy(ctx context.Context, url string) error {
	if err := d.makeNamespace(ctx, serviceNamespace); err != nil {
		return err
	}
	file := filepath.Join(d.dir, "webui.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(manifests, urlPlaceholder, url, 1)), 0o600); err != nil {
		return fmt.Errorf("write the demo's manifests: %w", err)
	}
	if err := d.apply(ctx, file); err != nil {
		return fmt.Errorf("create the service and its LoadScaler: %w", err)
	}
	return nil
}

// startController starts cusme as a process of its own, which is nobody but its ServiceAccount.
func (d *demo) startController() error {
	var err error
	d.controller, err = start("the cusme controller", filepath.Join(d.dir, "controller.log"), d.cusme, "controller",
		"--kubeconfig", d.controllerKubeconfig(), "--metrics-address=0", "--health-address=0",
		"--allow-cidr", "127.0.0.0/8") // the service's queue runs beside the demo
	return err
}
