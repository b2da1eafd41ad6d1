// Command localcluster is a real Kubernetes control plane in one binary.
package main

import (
	"os"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
	_ "github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	_ "k8s.io/kubectl/pkg/cmd/util"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

func main() {
	etcdmain.Main(os.Args)
	cli.Run(apiserver.NewAPIServerCommand())
	cli.Run(kcm.NewControllerManagerCommand())
	cli.Run(scheduler.NewSchedulerCommand(nil, nil))
	_ = kubectl.NewDefaultKubectlCommand()
	ctx := signals.SetupSignalContext()
	f := pflag.NewFlagSet("x", pflag.ContinueOnError)
	ctx, _ = log.InitFlags(ctx, f)
	ctx, _ = config.InitFlags(ctx, f)
	_ = kwok.NewCommand(ctx)
}
