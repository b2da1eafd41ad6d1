package main

import (
	"os"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics, as the official binaries serve them
	_ "k8s.io/component-base/metrics/prometheus/version"  // build_info, as the official binaries serve it
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	"sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

func etcdMain() { etcdmain.Main(os.Args) }

func apiserverMain() { os.Exit(cli.Run(apiserver.NewAPIServerCommand())) }

func controllerManagerMain() { os.Exit(cli.Run(controllermanager.NewControllerManagerCommand())) }

func schedulerMain() { os.Exit(cli.Run(scheduler.NewSchedulerCommand())) }

// kwokMain follows kwok's own main. The fresh global flag set is ours: component-base has registered a --version that is
// not a bool, and kwok refuses to share it.
func kwokMain() {
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}

	ctx, logger := log.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		logger.Error("Init config flags", "err", err)
		os.Exit(exitFailed)
	}
	command := kwok.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	if err := command.ExecuteContext(ctx); err != nil {
		logger.Error("Execute exit", "err", err)
		os.Exit(exitFailed)
	}
}
