// Package clustertest gives tests a real Kubernetes control plane: it runs localcluster, a program of this repository, and
// only tests import it.
//
// A cluster takes a few seconds to start, so the tests of one package usually share one:
//
//	func TestMain(m *testing.M) { clustertest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		c := clustertest.Shared(t)
//		ns := c.Namespace(t)
//		…
//	}
//
// A test that breaks its cluster takes one of its own with Start.
//
// No cluster outlives its test process, however that ends: localcluster stops when its standard input closes, and its
// components stop when localcluster is gone.
package clustertest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is the cluster of the test process.
var shared struct {
	mu      sync.Mutex
	main    bool // Main was called, so somebody stops the cluster
	flags   []string
	cluster *Cluster
	err     error
}

// Main runs a package's tests and stops their shared cluster, if one was started, before it exits. Call it from TestMain.
// The flags are those of localcluster run, such as --gpu-nodes=4.
func Main(m *testing.M, flags ...string) {
	shared.mu.Lock()
	shared.main, shared.flags = true, flags
	shared.mu.Unlock()

	code := m.Run()

	shared.mu.Lock()
	defer shared.mu.Unlock()
	if c := shared.cluster; c != nil {
		if err := c.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "clustertest:", err)
			code = max(code, 1)
		}
		if code != 0 {
			fmt.Fprintf(os.Stderr, "clustertest: the cluster's logs are kept in %s\n", c.dir)
		} else if err := os.RemoveAll(c.dir); err != nil {
			fmt.Fprintln(os.Stderr, "clustertest: remove the cluster's folder:", err)
		}
	}
	os.Exit(code)
}

// Shared returns the cluster that all tests of the package share, and starts it for the first of them. Without
// localcluster the test is skipped with the command that builds it; with CUSME_CI set it fails instead.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		t.Fatal("nobody would stop a shared cluster: add func TestMain(m *testing.M) { clustertest.Main(m) }, or use clustertest.Start")
	}
	program := need(t)
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.err = start(program, shared.flags)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

// Start returns a cluster of the test's own, which ends with the test. The flags are those of localcluster run. Like
// Shared, it skips without localcluster, and fails instead with CUSME_CI set.
func Start(t testing.TB, flags ...string) *Cluster {
	t.Helper()
	c, err := start(need(t), flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the cluster's logs are kept in %s", c.dir)
			return
		}
		if err := os.RemoveAll(c.dir); err != nil {
			t.Errorf("remove the cluster's folder: %v", err)
		}
	})
	return c
}

// need returns localcluster's file, or skips the test with the command that brings it; with CUSME_CI set it fails.
func need(t testing.TB) string {
	t.Helper()
	program, err := findProgram()
	if err != nil {
		lacks(t, err)
	}
	return program
}
