package clustertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// readyDeadline is many times the 3 to 6 s a start takes, for machines that do much else at the same time.
	readyDeadline = 3 * time.Minute
	// stopDeadline is above the sum of what localcluster grants its components.
	stopDeadline = 30 * time.Second
	// lastLines is how many lines of each log stand in an error.
	lastLines = 5
)

// Cluster is a running control plane.
type Cluster struct {
	// Kubeconfig is the file that makes its reader the administrator.
	Kubeconfig string

	dir     string
	program string
	admin   *rest.Config
	stdin   io.Closer
	exited  chan struct{} // closed when the process has ended
	end     error         // how it ended; read after exited

	installing sync.Mutex // held by the test that installs the CRD
}

// findProgram returns localcluster's file: $CUSME_LOCALCLUSTER, else bin/localcluster of the repository.
func findProgram() (string, error) {
	program := os.Getenv("CUSME_LOCALCLUSTER")
	if program == "" {
		root, err := repository()
		if err != nil {
			return "", err
		}
		program = filepath.Join(root, "bin", "localcluster")
	}
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("this test needs a Kubernetes control plane, and %s is not there: run make localcluster (once; 7 to 10 minutes on two cores)", program)
	}
	return program, nil
}

// repository finds the root of the module that the test belongs to: go test runs a test in its package's folder.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("find the repository: no go.mod in %s or above it", dir)
		}
	}
}

// start runs localcluster in a new temporary folder and returns when the cluster is ready.
func start(program string, flags []string) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "cusme-cluster-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the cluster: %w", err)
	}
	c := &Cluster{
		Kubeconfig: filepath.Join(dir, "kubeconfig"),
		dir:        dir,
		program:    program,
		exited:     make(chan struct{}),
	}
	if err := c.launch(flags); err != nil {
		return nil, err
	}
	if err := c.awaitReady(); err != nil {
		err = fmt.Errorf("start a cluster: %w; its folder is %s\n%s", err, dir, c.lastWords())
		return nil, errors.Join(err, c.stop())
	}
	if c.admin, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		return nil, errors.Join(fmt.Errorf("read the cluster's kubeconfig: %w", err), c.stop())
	}
	c.admin.QPS = -1 // a test must not be slowed by its own client
	return c, nil
}

// launch starts the process. Its standard input is a pipe that only this process holds: the kernel closes it when this
// process ends, by a panic or a SIGKILL too, and then localcluster stops.
func (c *Cluster) launch(flags []string) error {
	log, err := os.Create(filepath.Join(c.dir, "localcluster.log"))
	if err != nil {
		return fmt.Errorf("make the cluster's log: %w", err)
	}
	defer log.Close() // the process has its own copy
	args := append([]string{"run", "--dir=" + c.dir, "--stop-with-stdin"}, flags...)
	cmd := exec.Command(c.program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return fmt.Errorf("make the pipe that ends the cluster: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", c.program, err)
	}
	go func() {
		c.end = cmd.Wait()
		close(c.exited)
	}()
	return nil
}

func (c *Cluster) awaitReady() error {
	late := time.After(readyDeadline)
	for {
		if _, err := os.Stat(filepath.Join(c.dir, "ready")); err == nil {
			return nil
		}
		select {
		case <-c.exited:
			return fmt.Errorf("localcluster ended (%v) before the cluster was ready", c.end)
		case <-late:
			return fmt.Errorf("not ready after %s", readyDeadline)
		case <-time.After(pause):
		}
	}
}

// stop ends the cluster and returns when no process of it is left.
func (c *Cluster) stop() error {
	_ = c.stdin.Close() // already closed when localcluster ended by itself
	select {
	case <-c.exited:
		return nil
	case <-time.After(stopDeadline):
		return fmt.Errorf("the cluster in %s did not stop within %s\n%s", c.dir, stopDeadline, c.lastWords())
	}
}

// lastWords are the last lines of every log of the cluster.
func (c *Cluster) lastWords() string {
	logs, _ := filepath.Glob(filepath.Join(c.dir, "logs", "*.log"))
	logs = append(logs, filepath.Join(c.dir, "localcluster.log"))
	var b strings.Builder
	for _, file := range logs {
		data, err := os.ReadFile(file)
		if err != nil || len(data) == 0 {
			continue
		}
		lines := slices.Collect(bytes.Lines(data))
		fmt.Fprintf(&b, "--- last lines of %s\n%s", filepath.Base(file), bytes.Join(lines[max(0, len(lines)-lastLines):], nil))
	}
	return b.String()
}
