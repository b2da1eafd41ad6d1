// Command localcluster is a real Kubernetes control plane in one binary: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler and kubectl from the official modules, and kwok in place of kubelets. Each component runs as a process of
// its own, because a process can be killed (tests of bad days need that) and because upstream mains want signals, flags and
// feature gates for themselves.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes: 0 is fine.
const (
	exitFailed = 1
	exitMisuse = 2
)

// misuse is an error in how the command was called.
type misuse struct{ error }

func main() {
	// The name decides, as in busybox: a component is this same file started under the component's name.
	if c, ok := componentNamed(filepath.Base(os.Args[0])); ok {
		exitWithParent()
		c.main()
		return
	}
	// Importing the components fills the global flag set, and cobra would offer all of it on every verb.
	pflag.CommandLine = pflag.NewFlagSet("localcluster", pflag.ContinueOnError)
	if err := rootCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		if m := (misuse{}); errors.As(err, &m) {
			os.Exit(exitMisuse)
		}
		os.Exit(exitFailed)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "localcluster",
		Short:         "A real Kubernetes control plane in one binary, for demos and tests",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misuse{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(runCommand(), kubectlCommand(), faultCommand())
	for _, c := range append(root.Commands(), root) {
		if check := c.Args; check != nil {
			c.Args = func(cmd *cobra.Command, args []string) error {
				if err := check(cmd, args); err != nil {
					return misuse{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
				}
				return nil
			}
		}
	}
	return root
}
