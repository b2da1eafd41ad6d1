package clustertest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// orphanEnv makes the test binary play a test process that is killed while its cluster runs.
const orphanEnv = "CLUSTERTEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanEnv) != "" {
		beOrphaned()
	}
	Main(m)
}

func TestAppliesAndReadsBack(t *testing.T) {
	c := Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: "+ns+"}, data: {k: v}}")

	got, err := c.Kubectl(t, "get", "configmap", "a", "-n", ns, "-o", "jsonpath={.data.k}")
	if err != nil || got != "v" {
		t.Fatalf("read back %q, %v; want v", got, err)
	}
	_, err = c.Kubectl(t, "get", "configmap", "b", "-n", ns)
	if err == nil || !strings.Contains(err.Error(), `configmaps "b" not found`) {
		t.Fatalf("error %v; want kubectl's own words", err)
	}
}

func TestInstallsTheCRD(t *testing.T) {
	c := Shared(t)
	c.InstallCRD(t)
	if _, err := c.Kubectl(t, "get", "lsc", "--all-namespaces"); err != nil {
		t.Fatal(err)
	}
}

func TestNamespaceGoesWithItsTest(t *testing.T) {
	c := Shared(t)
	var ns string
	t.Run("inner", func(t *testing.T) { ns = c.Namespace(t) })
	Eventually(t, time.Minute, func() error {
		_, err := c.Kubectl(t, "get", "namespace", ns)
		if err == nil {
			return fmt.Errorf("namespace %s is still there", ns)
		}
		if !strings.Contains(err.Error(), "not found") {
			return err
		}
		return nil
	})
}

func TestServiceAccountHasItsOwnRightsOnly(t *testing.T) {
	c := Shared(t)
	ns := c.Namespace(t)
	client, err := kubernetes.NewForConfig(c.ConfigFor(t, ns, "nobody"))
	if err != nil {
		t.Fatal(err)
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: ns, Verb: "list", Resource: "pods"},
	}}
	got, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Status.Allowed {
		t.Error("a ServiceAccount without a role may list pods")
	}
	user, err := c.Kubectl(t, "--kubeconfig", c.KubeconfigFor(t, ns, "nobody"), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	if want := "system:serviceaccount:" + ns + ":nobody"; err != nil || user != want {
		t.Errorf("the kubeconfig is of %q, %v; want %s", user, err, want)
	}
}

func TestAuditLogNamesTheRequest(t *testing.T) {
	c := Shared(t)
	ns := c.Namespace(t)
	mark := c.Mark(t)
	c.Apply(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: "+ns+"}}")

	filter := Filter{UserAgent: "kubectl/", User: "admin", Verbs: []string{"create", "patch"}, Resource: "configmaps", Namespace: ns}
	Eventually(t, time.Minute, func() error {
		got := c.Requests(t, mark, filter)
		if len(got) != 1 {
			return fmt.Errorf("%d requests made a ConfigMap, want 1", len(got))
		}
		if r := got[0]; r.Code != 201 || time.Since(r.Received) > time.Minute || r.Received.IsZero() {
			t.Errorf("the request is %+v; want status 201, received just now", r)
		}
		return nil
	})
	if got := c.Requests(t, c.Mark(t), filter); len(got) != 0 {
		t.Errorf("after a later mark there are %+v", got)
	}
}

func TestKilledComponentComesBack(t *testing.T) {
	c := Start(t, "--gpu-nodes=1")
	before, err := c.pid("kube-apiserver")
	if err != nil {
		t.Fatal(err)
	}
	c.Kill(t, "kube-apiserver")
	if alive(before) {
		t.Errorf("process %d lives on", before)
	}
	Eventually(t, time.Minute, func() error {
		_, err := c.Kubectl(t, "get", "--raw=/readyz")
		return err
	})
}

func TestMissingProgramNamesTheCommand(t *testing.T) {
	t.Setenv("CUSME_LOCALCLUSTER", filepath.Join(t.TempDir(), "localcluster"))
	_, err := findProgram()
	if err == nil || !strings.Contains(err.Error(), "run make localcluster") {
		t.Fatalf("error %v; want the command that builds it", err)
	}
}

func TestMissingProgramSkipsButFailsInCI(t *testing.T) {
	t.Setenv("CUSME_LOCALCLUSTER", filepath.Join(t.TempDir(), "localcluster"))
	for name, lookFor := range map[string]func(testing.TB){
		"localcluster": func(t testing.TB) { need(t) },
		"another":      func(t testing.TB) { Program(t, "no-such-program", "apt-get install it") },
	} {
		for _, ci := range []string{"", "1"} {
			t.Setenv("CUSME_CI", ci)
			r := &recorder{TB: t}
			done := make(chan struct{})
			go func() { defer close(done); lookFor(r) }()
			<-done
			if r.failed != (ci != "") || r.skipped != (ci == "") {
				t.Errorf("%s with CUSME_CI=%q: skipped %t, failed %t", name, ci, r.skipped, r.failed)
			}
		}
	}
}

// recorder notes how a test would have ended.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Skip(...any)           { r.skipped = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true; runtime.Goexit() }

func TestFailedStartShowsTheReason(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // a cluster that fails to start keeps its folder
	_, err := start(need(t), []string{"--gpu-nodes=-1"})
	if err == nil || !strings.Contains(err.Error(), "--gpu-nodes is -1") {
		t.Fatalf("error %v; want localcluster's own last line", err)
	}
}

// TestNothingOutlivesAKilledTest kills a test process that has a cluster, as a timeout in CI would.
func TestNothingOutlivesAKilledTest(t *testing.T) {
	need(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), orphanEnv+"=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if killed := cmd.Process.Kill(); killed != nil || err != nil {
		t.Fatal(errors.Join(err, killed))
	}
	_ = cmd.Wait()

	var pids []int
	for field := range strings.FieldsSeq(line) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatalf("the other process says %q; want the pids of its cluster", line)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 6 {
		t.Fatalf("pids %v; want localcluster and five components", pids)
	}
	Eventually(t, time.Minute, func() error {
		for _, pid := range pids {
			if alive(pid) {
				return fmt.Errorf("process %d of the killed test's cluster lives on", pid)
			}
		}
		return nil
	})
}

// beOrphaned starts a cluster, prints its pids and waits to be killed.
func beOrphaned() {
	program, err := findProgram()
	if err != nil {
		panic(err)
	}
	c, err := start(program, nil)
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"localcluster", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"} {
		pid, err := c.pid(name)
		if err != nil {
			panic(err)
		}
		fmt.Print(pid, " ")
	}
	fmt.Println()
	select {}
}

// alive reports whether a process exists; a zombie, which only waits to be collected, does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // no /proc, as on macOS
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
