package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Ports by what listens on them.
const (
	portEtcd              = "etcd"
	portEtcdPeer          = "etcd-peer"
	portAPIServer         = "kube-apiserver"
	portControllerManager = "kube-controller-manager"
	portScheduler         = "kube-scheduler"
)

// readyDeadline is far above the few seconds a start takes: it only ends a start that cannot succeed.
const readyDeadline = 2 * time.Minute

// options are the flags of run.
type options struct {
	dir           string
	gpuNodes      int
	vci           bool
	audit         bool
	hpaSyncPeriod time.Duration
	startup       startup
	stopWithStdin bool
}

// cluster is one run.
type cluster struct {
	dir     clusterDir
	options options
	ports   map[string]int
	out     io.Writer
}

func (c *cluster) url(scheme, port string) string {
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, c.ports[port])
}

func runCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Start a cluster from nothing and keep it until interrupted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return misuse{err}
			}
			return run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "", "folder of the cluster (default $LOCALCLUSTER_DIR, else localcluster in the user's cache folder)")
	f.IntVar(&o.gpuNodes, "gpu-nodes", 2, "ordinary nodes, each with 8 nvidia.com/gpu")
	f.BoolVar(&o.vci, "vci", true, "add one virtual node ("+virtualNodeName+")")
	f.BoolVar(&o.audit, "audit", true, "write every request to DIR/audit.log, at level Metadata")
	f.DurationVar(&o.hpaSyncPeriod, "hpa-sync-period", 15*time.Second, "how often the HorizontalPodAutoscaler controller looks")
	f.DurationVar(&o.startup.Median, "startup-median", 20*time.Second, "half of the pods are Ready after this")
	f.DurationVar(&o.startup.P99, "startup-p99", 0, "99 of 100 pods are Ready after this (default 2.5 times the median)")
	f.BoolVar(&o.stopWithStdin, "stop-with-stdin", false, "also stop when standard input closes: a test that dies takes its cluster along")
	return cmd
}

func (o *options) check() error {
	if o.startup.P99 == 0 {
		o.startup.P99 = o.startup.Median * 5 / 2
	}
	switch {
	case o.gpuNodes < 0 || o.gpuNodes > 1000:
		return fmt.Errorf("--gpu-nodes is %d: give 0 to 1000", o.gpuNodes)
	case o.gpuNodes == 0 && !o.vci:
		return errors.New("--gpu-nodes=0 and --vci=false leave no node: allow one of them")
	case o.hpaSyncPeriod <= 0:
		return fmt.Errorf("--hpa-sync-period is %s: give more than 0s", o.hpaSyncPeriod)
	case o.startup.Median < 0:
		return fmt.Errorf("--startup-median is %s: give 0s or more", o.startup.Median)
	case o.startup.P99 < o.startup.Median:
		return fmt.Errorf("--startup-p99 is %s, below --startup-median %s: give at least the median", o.startup.P99, o.startup.Median)
	}
	return nil
}

func run(ctx context.Context, o options, out io.Writer) error {
	began := time.Now()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if o.stopWithStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	dir, err := openDir(o.dir)
	if err != nil {
		return err
	}
	lock, err := dir.claim()
	if err != nil {
		return err
	}
	defer lock.Close()
	c := &cluster{dir: dir, options: o, out: out}
	if err := c.prepare(); err != nil {
		return err
	}
	s, err := newSupervisor(c)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, part := range components {
		s.start(part)
	}
	if err := c.becomeReady(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // interrupted while starting: that is what was asked for
		}
		return fmt.Errorf("%w; the components' logs are in %s", err, dir.path("logs"))
	}
	took := fmt.Sprintf("%.1fs", time.Since(began).Seconds())
	if err := os.WriteFile(dir.ready(), []byte(took+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the marker that the cluster is ready: %w", err)
	}
	fmt.Fprintf(out, "ready in %s  kubeconfig %s\n", took, dir.kubeconfig())
	<-ctx.Done()
	_ = os.Remove(dir.ready())
	return nil
}

// prepare writes all the files the components read.
func (c *cluster) prepare() error {
	names := []string{portEtcd, portEtcdPeer, portAPIServer, portControllerManager, portScheduler}
	ports, err := freePorts(len(names))
	if err != nil {
		return err
	}
	c.ports = map[string]int{}
	for i, name := range names {
		c.ports[name] = ports[i]
	}
	if err := os.WriteFile(c.dir.pid("localcluster"), fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		return fmt.Errorf("write own pid: %w", err)
	}
	if err := writePKI(c.dir); err != nil {
		return err
	}
	server := c.url("https", portAPIServer)
	for _, user := range []string{"system:kube-controller-manager", "system:kube-scheduler", "kwok"} {
		if err := writeKubeconfig(c.dir, user, server, c.dir.pki(user+".kubeconfig")); err != nil {
			return err
		}
	}
	if err := writeKubeconfig(c.dir, "admin", server, c.dir.kubeconfig()); err != nil {
		return err
	}
	const policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
	if err := os.WriteFile(c.dir.auditPolicy(), []byte(policy), 0o600); err != nil {
		return fmt.Errorf("write the audit policy: %w", err)
	}
	return settings{Startup: c.options.startup}.write(c.dir)
}

// becomeReady waits for the API, makes the nodes and waits until pods can be scheduled on all of them.
func (c *cluster) becomeReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyDeadline)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", c.dir.kubeconfig())
	if err != nil {
		return fmt.Errorf("read own kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("client for the new cluster: %w", err)
	}
	err = poll(ctx, func() error {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("kube-apiserver did not become ready: %w", err)
	}
	return makeNodes(ctx, client, c.options)
}

// poll asks until there is no error, and returns the last one when ctx ends.
func poll(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
