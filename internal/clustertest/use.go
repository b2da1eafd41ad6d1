package clustertest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// commandDeadline is far above what any kubectl of a test takes, waiting ones included.
const commandDeadline = 5 * time.Minute

// Config returns a copy of the administrator's configuration, without a limit on requests per second.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.admin) }

// Kubectl runs the official kubectl as the administrator and returns what it prints. The error holds what it says on
// standard error.
func (c *Cluster) Kubectl(t testing.TB, args ...string) (string, error) {
	t.Helper()
	return c.run(invocation{args: append([]string{"kubectl"}, args...)})
}

// invocation is one run of localcluster beside the cluster's own.
type invocation struct {
	args  []string
	stdin string
}

// run returns what the program prints. It does not end with the test's context, so that a test's cleanup may use it.
func (c *Cluster) run(i invocation) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, i.args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	cmd.Stdin = strings.NewReader(i.stdin)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(i.args, " "), err, strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}

// Apply applies manifests as the administrator, and fails the test if one is refused.
func (c *Cluster) Apply(t testing.TB, yaml string) {
	t.Helper()
	if _, err := c.run(invocation{args: []string{"kubectl", "apply", "-f", "-"}, stdin: yaml}); err != nil {
		t.Fatal(err)
	}
}

// InstallCRD installs the repository's own CustomResourceDefinition, and returns when LoadScalers can be created. It may be
// called by every test that shares a cluster.
func (c *Cluster) InstallCRD(t testing.TB) {
	t.Helper()
	c.installing.Lock() // of two that apply at once the later is refused: it exists already
	defer c.installing.Unlock()
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	// Read here and not by kubectl: go test takes a result from its cache unless a file that the test itself has read changed.
	file := filepath.Join(root, "config", "crd", "cusme.dev_loadscalers.yaml")
	crd, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read the CRD, which make manifests generates: %v", err)
	}
	c.Apply(t, string(crd))
	if _, err := c.Kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd/loadscalers.cusme.dev"); err != nil {
		t.Fatal(err)
	}
	// Established says that the API is served, but the server's own table of resources follows a moment later.
	Eventually(t, time.Minute, func() error {
		_, err := c.Kubectl(t, "get", "loadscalers.cusme.dev", "--all-namespaces")
		return err
	})
}

// Namespace makes a namespace for the test and returns its name. Its deletion begins when the test ends, and goes on behind
// the next one.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	namespaces := c.client(t).CoreV1().Namespaces()
	made, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("make a namespace for the test: %v", err)
	}
	t.Cleanup(func() {
		// Not with the test's context, which has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := namespaces.Delete(ctx, made.Name, metav1.DeleteOptions{}); err != nil {
			t.Logf("delete the test's namespace: %v", err)
		}
	})
	return made.Name
}

func (c *Cluster) client(t testing.TB) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		t.Fatalf("client of the cluster: %v", err)
	}
	return client
}
