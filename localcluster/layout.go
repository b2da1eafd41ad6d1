package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// clusterDir is the folder of one cluster. Everything a cluster writes is in it.
type clusterDir string

func (d clusterDir) path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

func (d clusterDir) kubeconfig() string          { return d.path("kubeconfig") }
func (d clusterDir) ready() string               { return d.path("ready") }
func (d clusterDir) auditLog() string            { return d.path("audit.log") }
func (d clusterDir) auditPolicy() string         { return d.path("audit-policy.yaml") }
func (d clusterDir) stages() string              { return d.path("stages.yaml") }
func (d clusterDir) settings() string            { return d.path("settings.json") }
func (d clusterDir) etcdData() string            { return d.path("etcd") }
func (d clusterDir) pki(file string) string      { return d.path("pki", file) }
func (d clusterDir) log(component string) string { return d.path("logs", component+".log") }
func (d clusterDir) pid(component string) string { return d.path("pids", component) }

// defaultDir is the same wherever a command is started, so that kubectl in a second terminal finds the cluster.
func defaultDir() (string, error) {
	if dir := os.Getenv("LOCALCLUSTER_DIR"); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no default folder for the cluster, give one with --dir: %w", err)
	}
	return filepath.Join(cache, "localcluster"), nil
}

// openDir turns a flag's value, possibly empty, into an absolute folder.
func openDir(flag string) (clusterDir, error) {
	if flag == "" {
		var err error
		if flag, err = defaultDir(); err != nil {
			return "", err
		}
	}
	abs, err := filepath.Abs(flag)
	if err != nil {
		return "", fmt.Errorf("folder of the cluster: %w", err)
	}
	return clusterDir(abs), nil
}

// claim locks the folder for one running cluster and clears what an earlier one left. It removes only names it knows,
// so a wrong --dir loses nothing. The lock goes with the process, however that ends.
func (d clusterDir) claim() (*os.File, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, fmt.Errorf("make the cluster's folder: %w", err)
	}
	lock, err := os.OpenFile(d.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the cluster's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("a cluster is already running in %s: stop it, or give another folder with --dir", d)
		}
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	for _, old := range []string{d.ready(), d.kubeconfig(), d.auditLog(), d.settings(), d.stages(), d.etcdData(), d.path("pki"), d.path("logs"), d.path("pids")} {
		if err := os.RemoveAll(old); err != nil {
			return nil, fmt.Errorf("clear what an earlier cluster left: %w", err)
		}
	}
	for _, sub := range []string{"pki", "logs", "pids"} {
		if err := os.MkdirAll(d.path(sub), 0o700); err != nil {
			return nil, fmt.Errorf("make the cluster's folder: %w", err)
		}
	}
	return lock, nil
}
