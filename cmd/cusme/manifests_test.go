package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"cusme.dev/cusme/internal/clustertest"
)

// These tests are of what is shipped in config: that cusme works with exactly those manifests, and may do nothing else.

const manifests = "../../config"

// What the controller may do in every namespace, beyond what every account may.
const rightsEverywhere = `deployments.apps get list watch
deployments.apps/scale get update
endpointslices.discovery.k8s.io[kubernetes] get
events.events.k8s.io create
loadscalers.cusme.dev get list watch
loadscalers.cusme.dev/status get patch
nodes get list watch
pods get list patch watch
replicasets.apps get list watch
replicasets.apps/scale get update
resourcepolicies.scheduling.alibabacloud.com get list watch
resourcepolicies.scheduling.vke.volcengine.com get list watch
statefulsets.apps get list watch
statefulsets.apps/scale get update
workloadspreads.apps.kruise.io get list watch
`

// What it may do in its own, too.
const rightsAtHome = "events create patch\nleases.coordination.k8s.io create\nleases.coordination.k8s.io[cusme-controller] get update\n"

func TestInstalledController(t *testing.T) {
	openAll(t, manifests)
	c := cluster{clustertest.Start(t, "--startup-median=500ms", "--startup-p99=1s"), build(t)}
	c.install(t)
	c.kubectl(t, "create", "namespace", "aicloud")
	account := c.ConfigFor(t, "cusme-system", "cusme")
	kubeconfig := c.KubeconfigFor(t, "cusme-system", "cusme")

	t.Run("its pods pass restricted Pod Security", func(t *testing.T) {
		c.kubectl(t, "rollout", "status", "deployment/cusme", "-n", "cusme-system", "--timeout=60s")
		_, err := c.Kubectl(t, "run", "-n", "cusme-system", "root", "--image=example.com/root")
		if err == nil || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
			t.Errorf("an ordinary pod beside them: %v; want it refused, else the namespace checks nothing", err)
		}
	})
	t.Run("it may do exactly this", func(t *testing.T) {
		c.mayExactly(t, account, "default", rightsEverywhere)
		c.mayExactly(t, account, "cusme-system", sorted(rightsEverywhere+rightsAtHome))
	})
	t.Run("the rest is refused", func(t *testing.T) { c.refusesTheRest(t, account) })
	t.Run("of pods it changes its marks only", func(t *testing.T) { c.marksOnly(t) })
	t.Run("it scales", func(t *testing.T) { c.scales(t, kubeconfig) })
	t.Run("a missing right is named, and used once granted", func(t *testing.T) { c.namesMissingRights(t, kubeconfig) })
	t.Run("applying again takes no rights away", func(t *testing.T) {
		before := c.kubectl(t, "get", "clusterrole", "cusme-targets", "-o", "jsonpath={.metadata.resourceVersion}")
		c.kubectl(t, "apply", "-k", manifests)
		if after := c.kubectl(t, "get", "clusterrole", "cusme-targets", "-o", "jsonpath={.metadata.resourceVersion}"); after != before {
			t.Errorf("the aggregated role was written: version %s, was %s", after, before)
		}
	})
	t.Run("the samples are accepted", func(t *testing.T) {
		c.kubectl(t, "apply", "--dry-run=server", "-f", filepath.Join(manifests, "samples"))
	})
	t.Run("a kind can be added", func(t *testing.T) {
		update := authorizationv1.ResourceAttributes{Namespace: "aicloud", Group: "apps.kruise.io", Resource: "clonesets", Subresource: "scale", Verb: "update"}
		c.eventuallyMay(t, account, update, false)
		c.kubectl(t, "apply", "-f", filepath.Join(manifests, "samples", "custom-kind.yaml"))
		c.eventuallyMay(t, account, update, true)
	})
	t.Run("people have LoadScalers with the roles they have", func(t *testing.T) { c.servesPeople(t) })
}

// refusesTheRest tries, as cusme, what a stolen token would be used for.
func (c cluster) refusesTheRest(t *testing.T, account *rest.Config) {
	c.Apply(t, `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: aicloud}}`)
	client, err := dynamic.NewForConfig(account)
	if err != nil {
		t.Fatal(err)
	}
	in := func(group, version, resource, namespace string) dynamic.ResourceInterface {
		return client.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: resource}).Namespace(namespace)
	}
	secrets, pods, deployments := in("", "v1", "secrets", "aicloud"), in("", "v1", "pods", "aicloud"), in("apps", "v1", "deployments", "aicloud")
	if _, err := pods.List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Fatalf("not even pods may be read, so that the refusals below prove nothing: %v", err)
	}
	object := func(apiVersion, kind string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": "x"}}}
	}
	get := func(r dynamic.ResourceInterface) error {
		_, err := r.Get(t.Context(), "s", metav1.GetOptions{})
		return err
	}
	list := func(r dynamic.ResourceInterface) error {
		_, err := r.List(t.Context(), metav1.ListOptions{})
		return err
	}
	remove := func(r dynamic.ResourceInterface) error { return r.Delete(t.Context(), "x", metav1.DeleteOptions{}) }
	patch := func(r dynamic.ResourceInterface, subresources ...string) error {
		_, err := r.Patch(t.Context(), "x", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{}, subresources...)
		return err
	}
	create := func(r dynamic.ResourceInterface, o *unstructured.Unstructured, subresources ...string) error {
		_, err := r.Create(t.Context(), o, metav1.CreateOptions{}, subresources...)
		return err
	}
	for what, err := range map[string]error{
		"get a Secret":                  get(secrets),
		"list Secrets":                  list(secrets),
		"list Secrets at home":          list(in("", "v1", "secrets", "cusme-system")),
		"list all Secrets":              list(in("", "v1", "secrets", "")),
		"list ConfigMaps":               list(in("", "v1", "configmaps", "aicloud")),
		"delete a pod":                  remove(pods),
		"delete all pods":               pods.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}),
		"run a command in a pod":        create(pods, object("v1", "PodExecOptions"), "exec"),
		"create a pod":                  create(pods, object("v1", "Pod")),
		"patch a Deployment":            patch(deployments),
		"patch a Deployment's scale":    patch(deployments, "scale"),
		"delete a Deployment":           remove(deployments),
		"patch a node":                  patch(in("", "v1", "nodes", "")),
		"patch a LoadScaler":            patch(in("cusme.dev", "v1alpha1", "loadscalers", "aicloud")),
		"delete a LoadScaler":           remove(in("cusme.dev", "v1alpha1", "loadscalers", "aicloud")),
		"take a Lease elsewhere":        create(in("coordination.k8s.io", "v1", "leases", "kube-system"), object("coordination.k8s.io/v1", "Lease")),
		"widen its role":                patch(in("rbac.authorization.k8s.io", "v1", "clusterroles", "")),
		"bind itself to another":        create(in("rbac.authorization.k8s.io", "v1", "clusterrolebindings", ""), object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding")),
		"ask for an account's token":    create(in("", "v1", "serviceaccounts", "kube-system"), object("authentication.k8s.io/v1", "TokenRequest"), "token"),
		"change its Deployment's image": patch(in("apps", "v1", "deployments", "cusme-system")),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v; want it forbidden", what, err)
		}
	}
}

// scales runs cusme as its Deployment would, and looks at everything that it should write.
func (c cluster) scales(t *testing.T, kubeconfig string) {
	b := newLoadIndex(t, 0.95)
	c.service(t, "webui")
	c.loadScaler(t, "webui", b.URL)
	c.start(t, nil, append(c.argumentsOf(t, "cusme-system"), "--kubeconfig", kubeconfig)...)

	c.eventuallyAbove(t, "webui", 2)
	b.reports(0.65)
	clustertest.Eventually(t, patience, func() error {
		return errors.Join(
			c.prints("^[1-9]", "get", "loadscaler", "webui", "-n", "aicloud", "-o", "jsonpath={.status.desiredReplicas}")(t),
			c.prints("ScaledUp LoadScaler", "get", "events.events.k8s.io", "-n", "aicloud", "-o", `jsonpath={range .items[*]}{.reason} {.regarding.kind}{"\n"}{end}`)(t),
			c.prints(".", "get", "lease", "cusme-controller", "-n", "cusme-system", "-o", "jsonpath={.spec.holderIdentity}")(t),
		)
	})
	c.wasNeverRefused(t, "cusme-system")
}

// namesMissingRights takes rights from cusme, all that it may scale and then a single one, and gives the first back while it runs.
func (c cluster) namesMissingRights(t *testing.T, kubeconfig string) {
	account := c.ConfigFor(t, "cusme-system", "cusme")
	readPods := authorizationv1.ResourceAttributes{Namespace: "aicloud", Resource: "pods", Verb: "list"}
	arguments := append(c.argumentsOf(t, "cusme-system"), "--kubeconfig", kubeconfig)
	b := newLoadIndex(t, 0.95)
	c.service(t, "late")
	c.loadScaler(t, "late", b.URL)

	c.kubectl(t, "delete", "clusterrolebinding", "cusme-targets")
	c.eventuallyMay(t, account, readPods, false)
	p := c.start(t, nil, arguments...)
	p.says(t, "grant these rules:")
	p.says(t, `- {apiGroups: [\"apps\"], resources: [\"deployments\"], verbs: [get, list, watch]}`)
	c.kubectl(t, "apply", "-f", filepath.Join(manifests, "rbac"))
	c.eventuallyAbove(t, "late", 2)
	p.stop(t)

	updateScale := authorizationv1.ResourceAttributes{Namespace: "aicloud", Group: "apps", Resource: "deployments", Subresource: "scale", Verb: "update"}
	c.kubectl(t, "patch", "clusterrole", "cusme-targets-builtin", "--type=json", "-p", `[{"op": "remove", "path": "/rules/2"}]`)
	c.eventuallyMay(t, account, updateScale, false)
	c.service(t, "mute")
	c.loadScaler(t, "mute", b.URL)
	c.start(t, nil, arguments...)
	clustertest.Eventually(t, patience, func() error {
		return c.prints(`resources: ["deployments/scale"], verbs: ["update"]}`, "get", "loadscaler", "mute", "-n", "aicloud", "-o", "jsonpath={.status.conditions[*].message}")(t)
	})
	c.kubectl(t, "apply", "-f", filepath.Join(manifests, "rbac"))
	c.eventuallyAbove(t, "mute", 2)
}

// servesPeople looks at what the cluster's own roles allow with LoadScalers.
func (c cluster) servesPeople(t *testing.T) {
	for role, verbs := range map[string]map[string]bool{
		"view":  {"get": true, "list": true, "create": false, "patch": false, "delete": false},
		"edit":  {"get": true, "list": true, "create": true, "patch": true, "delete": true},
		"admin": {"get": true, "list": true, "create": true, "patch": true, "delete": true},
	} {
		account := c.ConfigFor(t, "aicloud", role)
		c.kubectl(t, "create", "rolebinding", role, "-n", "aicloud", "--clusterrole="+role, "--serviceaccount=aicloud:"+role)
		for verb, allowed := range verbs {
			c.eventuallyMay(t, account, authorizationv1.ResourceAttributes{Namespace: "aicloud", Group: "cusme.dev", Resource: "loadscalers", Verb: verb}, allowed)
		}
		c.eventuallyMay(t, account, authorizationv1.ResourceAttributes{Namespace: "aicloud", Group: "cusme.dev", Resource: "loadscalers", Subresource: "status", Verb: "patch"}, false)
	}
}

// What the drop-in may do in its target's namespace.
const rightsOfDropIn = `deployments.apps get list watch
deployments.apps/scale get update
events create patch
events.events.k8s.io create
leases.coordination.k8s.io create get update
nodes get list watch
pods get list patch watch
replicasets.apps get list watch
resourcepolicies.scheduling.alibabacloud.com get list watch
resourcepolicies.scheduling.vke.volcengine.com get list watch
workloadspreads.apps.kruise.io get list watch
`

func TestDropInManifest(t *testing.T) {
	openAll(t, manifests)
	c := cluster{clustertest.Start(t, "--startup-median=500ms", "--startup-p99=1s"), build(t)}
	c.Apply(t, `
{apiVersion: v1, kind: Namespace, metadata: {name: aicloud}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: sre, labels: {pod-security.kubernetes.io/enforce: restricted}}}`)
	c.kubectl(t, "apply", "-f", filepath.Join(manifests, "drop-in.yaml"))
	account := c.ConfigFor(t, "sre", "cusme")
	kubeconfig := c.KubeconfigFor(t, "sre", "cusme")
	c.service(t, "webui")
	b := newLoadIndex(t, 0.95)
	env := []string{"ThirdUrl=" + b.URL, "KUBECONFIG_PATH=" + kubeconfig}

	// scalesOnce is one decision of the original: above 0.8, three more.
	scalesOnce := func(t *testing.T) *process {
		c.kubectl(t, "scale", "deployment/webui", "-n", "aicloud", "--replicas=2")
		c.kubectl(t, "rollout", "status", "deployment/webui", "-n", "aicloud", "--timeout=60s")
		p := c.start(t, env, c.argumentsOf(t, "sre")...)
		clustertest.Eventually(t, patience, func() error {
			return c.prints("^5$", "get", "deployment", "webui", "-n", "aicloud", "-o", "jsonpath={.spec.replicas}")(t)
		})
		return p
	}

	t.Run("its pod passes restricted Pod Security", func(t *testing.T) {
		c.kubectl(t, "rollout", "status", "deployment/cusme", "-n", "sre", "--timeout=60s")
	})
	t.Run("it may do exactly this", func(t *testing.T) {
		c.mayExactly(t, account, "aicloud", rightsOfDropIn)
		c.mayExactly(t, account, "sre", "nodes get list watch\n")
	})
	t.Run("it scales, with a Lease", func(t *testing.T) {
		p := scalesOnce(t)
		clustertest.Eventually(t, patience, func() error {
			return errors.Join(
				c.prints(".", "get", "lease", "cusme-webui", "-n", "aicloud", "-o", "jsonpath={.spec.holderIdentity}")(t),
				c.prints("ScaledUp Deployment", "get", "events.events.k8s.io", "-n", "aicloud", "-o", `jsonpath={range .items[*]}{.reason} {.regarding.kind}{"\n"}{end}`)(t),
			)
		})
		c.wasNeverRefused(t, "sre")
		p.saysTimes(t, 0, "grant")
	})
	t.Run("without a Lease it runs alone, and says so once", func(t *testing.T) {
		c.kubectl(t, "delete", "rolebinding", "cusme-lease", "-n", "aicloud")
		c.eventuallyMay(t, account, authorizationv1.ResourceAttributes{Namespace: "aicloud", Group: "coordination.k8s.io", Resource: "leases", Verb: "create"}, false)
		p := scalesOnce(t)
		p.saysTimes(t, 1, "running alone, without leader election")
		p.saysTimes(t, 1, `resources: [\"leases\"], verbs: [get, create, update]`)
		c.wasNeverRefused(t, "sre")
	})
	t.Run("without nodes it knows no elastic pods, and says so once", func(t *testing.T) {
		c.kubectl(t, "delete", "clusterrolebinding", "cusme-nodes")
		c.eventuallyMay(t, account, authorizationv1.ResourceAttributes{Resource: "nodes", Verb: "list"}, false)
		p := scalesOnce(t)
		p.saysTimes(t, 1, "nodes may not be read: no pod will be known as elastic")
		c.wasNeverRefused(t, "sre")
	})
}

// patience is how long a test waits for what should happen soon, on a machine that does much else.
const patience = 90 * time.Second

// A cluster is one to install cusme in, with the binary that is to run there.
type cluster struct {
	*clustertest.Cluster
	binary string
}

// openAll opens a folder's files in this process: the go command then knows that a cached result is void when one changes.
func openAll(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// kubectl fails the test when the command does.
func (c cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// install applies the whole of config, as users do, and waits until the rights are there.
func (c cluster) install(t *testing.T) {
	t.Helper()
	c.kubectl(t, "apply", "-k", manifests)
	c.kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd/loadscalers.cusme.dev")
	c.eventuallyMay(t, c.ConfigFor(t, "cusme-system", "cusme"), authorizationv1.ResourceAttributes{Resource: "pods", Verb: "list"}, true)
}

// argumentsOf are the arguments in cusme's Deployment, but for the addresses: several tests may run on one machine.
func (c cluster) argumentsOf(t *testing.T, namespace string) []string {
	t.Helper()
	args := strings.Fields(c.kubectl(t, "get", "deployment", "cusme", "-n", namespace, "-o", `jsonpath={range .spec.template.spec.containers[0].args[*]}{@}{"\n"}{end}`))
	return append(args, "--health-address=127.0.0.1:0", "--metrics-address=127.0.0.1:0")
}

// service makes a Deployment of two ready pods.
func (c cluster) service(t *testing.T, name string) {
	t.Helper()
	c.Apply(t, strings.ReplaceAll(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: aicloud}
spec:
  replicas: 2
  selector: {matchLabels: {service: NAME}}
  template:
    metadata: {labels: {service: NAME}}
    spec: {containers: [{name: c, image: example.com/c}]}`, "NAME", name))
	c.kubectl(t, "rollout", "status", "deployment/"+name, "-n", "aicloud", "--timeout=60s")
}

// loadScaler makes the minimal sample, for a service and a URL of the test's own.
func (c cluster) loadScaler(t *testing.T, name, url string) {
	t.Helper()
	sample := read(t, manifests+"/samples/minimal.yaml")
	for from, to := range map[string]string{"webui": name, "http://backend.aicloud/internal/subtask/load": url, "maxReplicas: 20": "maxReplicas: 20\n  interval: 1s"} {
		if !strings.Contains(sample, from) {
			t.Fatalf("samples/minimal.yaml has no %q any more", from)
		}
		sample = strings.ReplaceAll(sample, from, to)
	}
	c.Apply(t, sample)
}

func (c cluster) eventuallyAbove(t *testing.T, deployment string, replicas int) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		out := c.kubectl(t, "get", "deployment", deployment, "-n", "aicloud", "-o", "jsonpath={.spec.replicas}")
		var n int
		if _, err := fmt.Sscan(out, &n); err != nil || n <= replicas {
			return fmt.Errorf("%s has %q replicas, want more than %d", deployment, out, replicas)
		}
		return nil
	})
}

func client(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
