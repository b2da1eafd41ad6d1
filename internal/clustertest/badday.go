package clustertest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Kill ends one component at once, as the kernel would for want of memory, and returns when it is gone. localcluster starts
// it again after a moment. The components are etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok.
func (c *Cluster) Kill(t testing.TB, component string) {
	t.Helper()
	pid, err := c.pid(component)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s, process %d: %v", component, pid, err)
	}
	Eventually(t, stopDeadline, func() error {
		if now, err := c.pid(component); err == nil && now == pid {
			return fmt.Errorf("%s is still process %d", component, pid)
		}
		return nil
	})
}

func (c *Cluster) pidFile(component string) string { return filepath.Join(c.dir, "pids", component) }

// pid of a component; an error while it does not run.
func (c *Cluster) pid(component string) (int, error) {
	data, err := os.ReadFile(c.pidFile(component))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("no component %q runs in %s", component, c.dir)
	}
	if err != nil {
		return 0, fmt.Errorf("read the pid of %s: %w", component, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("read the pid of %s: %w", component, err)
	}
	return pid, nil
}

// Fault lets a fault befall every new pod until the test ends. The faults are those of localcluster fault: sold-out,
// provider-failed, never-ready and crash-loop; one is on at a time.
func (c *Cluster) Fault(t testing.TB, name string) {
	t.Helper()
	if _, err := c.run(invocation{args: []string{"fault", "--dir=" + c.dir, name, "on"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.run(invocation{args: []string{"fault", "--dir=" + c.dir, name, "off"}}); err != nil {
			t.Error(err)
		}
	})
}
