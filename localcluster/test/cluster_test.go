// Package test proves what localcluster promises, on the built binary, and what cusme promises about Kubernetes' own
// controllers. It is a folder of its own so that it links client-go and one package of Kubernetes, and not a second copy of
// the whole control plane.
package test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// deadline is for one condition on a busy machine; a quiet one needs a few seconds.
const deadline = 40 * time.Second

var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}

// shared is the cluster most tests use, each with Deployments of its own name.
var shared *cluster

type cluster struct {
	dir     string
	process *exec.Cmd
	ended   chan struct{}
	client  *kubernetes.Clientset
	out     *lockedBuffer
}

// lockedBuffer collects a process's output while a test may read it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	if _, err := os.Stat(binary()); err != nil {
		return m.Run() // each test says what is missing
	}
	dir, err := os.MkdirTemp("", "localcluster-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared, err = start(dir, "--startup-median=1s", "--startup-p99=3s", "--hpa-sync-period=1s")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.interrupt()
	return m.Run()
}

func binary() string {
	if file := os.Getenv("CUSME_LOCALCLUSTER"); file != "" {
		return file
	}
	file, err := filepath.Abs("../../bin/localcluster")
	if err != nil {
		return "../../bin/localcluster"
	}
	return file
}

// needBinary skips, or fails under CUSME_CI=1, when localcluster is not built.
func needBinary(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(binary()); err != nil {
		say := t.Skipf
		if os.Getenv("CUSME_CI") == "1" {
			say = t.Fatalf
		}
		say("%s is not built (%v): go -C localcluster build -o ../bin/localcluster . with the flags in its README, or set CUSME_LOCALCLUSTER", binary(), err)
	}
}

// start runs a cluster in dir and waits until it is ready. It ends with this process.
func start(dir string, flags ...string) (*cluster, error) {
	c := &cluster{dir: dir, ended: make(chan struct{}), out: &lockedBuffer{}}
	c.process = exec.Command(binary(), append([]string{"run", "--dir", dir, "--stop-with-stdin"}, flags...)...)
	c.process.Stdout, c.process.Stderr = c.out, c.out
	if _, err := c.process.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.process.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = c.process.Wait()
		close(c.ended)
	}()
	err := within(2*deadline, func() error {
		_, err := os.Stat(filepath.Join(dir, "ready"))
		return err
	})
	if err != nil {
		c.interrupt()
		return nil, fmt.Errorf("cluster did not become ready: %w\n%s", err, c.out)
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // tests poll
	c.client, err = kubernetes.NewForConfig(config)
	return c, err
}

func (c *cluster) interrupt() {
	_ = c.process.Process.Signal(syscall.SIGINT)
	<-c.ended
}

func (c *cluster) pid(component string) (int, error) {
	data, err := os.ReadFile(filepath.Join(c.dir, "pids", component))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

// run calls localcluster's own verbs.
func (c *cluster) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := c.try(stdin, args...)
	if err != nil {
		t.Fatalf("localcluster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *cluster) try(stdin string, args ...string) (string, error) {
	// Not the test's own context, which ends before its cleanups run.
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(), args...)
	cmd.Env = append(os.Environ(), "LOCALCLUSTER_DIR="+c.dir, "KUBECONFIG=")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// within asks until there is no error or the time is over, and returns the last error.
func within(d time.Duration, ask func() error) error {
	end := time.Now().Add(d)
	for {
		err := ask()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// eventually is within the usual deadline, or the test fails.
func eventually(t *testing.T, ask func() error) {
	t.Helper()
	if err := within(deadline, ask); err != nil {
		t.Fatalf("after %s: %v", deadline, err)
	}
}
