package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// The demo's cluster has one ordinary node with 8 GPUs: the evening's peak needs more.
const ordinaryNodes = "1"

// clusterDeadline is far above the five seconds a start takes: it only ends a start that cannot succeed.
const clusterDeadline = 2 * time.Minute

func (d *demo) clusterDir() string { return filepath.Join(d.dir, "cluster") }

// startCluster starts localcluster and waits until it is ready.
func (d *demo) startCluster(ctx context.Context) error {
	var err error
	d.cluster, err = start("the cluster", filepath.Join(d.dir, "cluster.log"), d.localcluster, "run",
		"--dir", d.clusterDir(), "--gpu-nodes", ordinaryNodes, "--audit=false",
		"--startup-median", d.startup.String(), "--stop-with-stdin")
	if err != nil {
		return err
	}
	err = d.wait(ctx, clusterDeadline, func() bool {
		_, err := os.Stat(filepath.Join(d.clusterDir(), "ready"))
		return err == nil
	})
	if err != nil {
		return logged{fmt.Errorf("the cluster does not come up: %w", err), d.cluster.log}
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(d.clusterDir(), "kubeconfig"))
	if err != nil {
		return fmt.Errorf("read the cluster's kubeconfig: %w", err)
	}
	if d.client, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("client for the cluster: %w", err)
	}
	if d.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return fmt.Errorf("client for the cluster: %w", err)
	}
	return nil
}

// apply runs kubectl apply on a file or folder; a folder with a kustomization is built with it.
func (d *demo) apply(ctx context.Context, path string) error {
	how := "-f"
	if _, err := os.Stat(filepath.Join(path, "kustomization.yaml")); err == nil {
		how = "-k"
	}
	return d.kubectl(ctx, "apply", how, path)
}

// kubectl runs the cluster's own kubectl; all its output is in one log.
func (d *demo) kubectl(ctx context.Context, args ...string) error {
	log, err := os.OpenFile(filepath.Join(d.dir, "kubectl.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open kubectl's log: %w", err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, d.localcluster, append([]string{"kubectl", "--dir", d.clusterDir()}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return logged{fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err), log.Name()}
	}
	return nil
}

// errDeadline says that what was waited for did not come.
var errDeadline = errors.New("deadline passed")

// wait returns when a condition holds, and with an error when one of the
// demo's processes ends or the deadline passes before.
func (d *demo) wait(ctx context.Context, deadline time.Duration, holds func() bool) error {
	expired := time.After(deadline)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-expired:
			return fmt.Errorf("%w after %s", errDeadline, deadline)
		case c := <-d.anyEnded():
			return c.ended()
		case <-look.C:
		}
	}
	return nil
}

// anyEnded yields a process of the demo's that has ended. It never yields one
// that still runs; ask again after each look.
func (d *demo) anyEnded() <-chan *child {
	ended := make(chan *child, 1)
	for _, c := range []*child{d.controller, d.cluster} {
		if c == nil {
			continue
		}
		select {
		case <-c.done:
			ended <- c
			return ended
		default:
		}
	}
	return ended
}
