package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/push"
)

const controllerExample = `  # in a cluster, with the account of its pod
  cusme controller

  # from a workstation, for one namespace, without a Lease
  cusme controller --kubeconfig ~/.kube/config --namespace aicloud --leader-elect=false`

func newController(getenv func(string) string) *cobra.Command {
	o := controller.Options{LeaseName: "cusme-controller"}
	var kubeconfig, logFormat string
	var lead bool
	var settle time.Duration
	var rules []string
	var loads reach
	var ticks tickFlags
	cmd := &cobra.Command{
		Use:     "controller",
		Short:   "Serve the LoadScalers of a cluster",
		Long:    "Serve the LoadScalers of a cluster: read their loads, decide, and move the replicas of their targets.",
		Example: controllerExample,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Log, err = newLogger(cmd.ErrOrStderr(), logFormat); err != nil {
				return err
			}
			klog.SetLogger(push.Quiet(o.Log))
			if o.Target, err = steering(settle, rules); err != nil {
				return err
			}
			if o.Door, err = loads.door(); err != nil {
				return err
			}
			if err = checkPush(o.Push); err != nil {
				return err
			}
			log, err := ticks.open(cmd.OutOrStdout(), &o)
			if err != nil {
				return err
			}
			defer log.Close()
			if o.Config, err = restConfig(kubeconfig, "pass --kubeconfig, or set KUBECONFIG", getenv); err != nil {
				return err
			}
			o.Push.Namespace = o.LeaseNamespace
			if !lead {
				o.LeaseNamespace = ""
			}
			o.Version = version
			return controller.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig `file`; default $KUBECONFIG, else the account of the pod that cusme runs in")
	f.StringVar(&o.Namespace, "namespace", "", "serve the LoadScalers of this namespace only; default all")
	f.BoolVar(&lead, "leader-elect", true, "hold a Lease, so that of several replicas one scales")
	f.StringVar(&o.LeaseNamespace, "lease-namespace", "cusme-system", "namespace of the Lease")
	f.StringVar(&o.MetricsAddress, "metrics-address", "127.0.0.1:8080", "`address` that serves /metrics; 0 for none")
	f.StringVar(&o.HealthAddress, "health-address", "127.0.0.1:8081", "`address` that serves /healthz and /readyz; 0 for none")
	f.IntVar(&o.Workers, "workers", 8, "how many LoadScalers are decided at a time")
	f.DurationVar(&settle, "settle-time", settleTime, "how long marks on the pods to remove may take to reach the ReplicaSet controller")
	f.StringArrayVar(&rules, "elastic", nil, elasticUsage)
	pushFlags(cmd, &o.Push)
	f.StringVar(&logFormat, "log-format", "text", "text or json")
	ticks.addTo(cmd)
	loads.addTo(cmd)
	return cmd
}

// newLogger returns a logger that writes lines of text or JSON.
func newLogger(w io.Writer, format string) (logr.Logger, error) {
	switch format {
	case "text":
		return logr.FromSlogHandler(slog.NewTextHandler(w, nil)), nil
	case "json":
		return logr.FromSlogHandler(slog.NewJSONHandler(w, nil)), nil
	default:
		return logr.Logger{}, misuseError{fmt.Errorf("--log-format: expected text or json, got %q", format), ""}
	}
}

// restConfig says how to reach the API server: by a kubeconfig when one is
// named, else by the account of the pod. howToReach is the advice when there is neither.
func restConfig(kubeconfig, howToReach string, getenv func(string) string) (*rest.Config, error) {
	if kubeconfig == "" {
		kubeconfig = getenv("KUBECONFIG")
	}
	config, err := loadConfig(kubeconfig)
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, fmt.Errorf("no kubeconfig is given, and this is no pod in a cluster: %s", howToReach)
	}
	if err != nil {
		return nil, err
	}
	config.UserAgent = "cusme/" + version
	return config, nil
}

func loadConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		return rest.InClusterConfig()
	}
	if _, err := os.Stat(kubeconfig); err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	return config, nil
}
