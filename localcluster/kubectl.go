package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // so that this kubectl also works against other clusters
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl [--dir DIR] ARGUMENTS...",
		Short: "The official kubectl: on --dir's cluster, else on $KUBECONFIG, else on the default folder's cluster",
		// Everything but a leading --dir is kubectl's own.
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			dir, given, args, err := leadingDir(args)
			if err != nil {
				return misuse{err}
			}
			if given || os.Getenv("KUBECONFIG") == "" {
				cluster, err := openDir(dir)
				if err != nil {
					return err
				}
				if _, err := os.Stat(cluster.kubeconfig()); err != nil {
					return fmt.Errorf("no cluster in %s: start one with localcluster run: %w", cluster, err)
				}
				if err := os.Setenv("KUBECONFIG", cluster.kubeconfig()); err != nil {
					return fmt.Errorf("point kubectl at the cluster: %w", err)
				}
			}
			kubectlMain(args)
			return nil
		},
	}
}

// leadingDir takes --dir off the front of kubectl's arguments; further back it would be kubectl's.
func leadingDir(args []string) (dir string, given bool, rest []string, err error) {
	switch {
	case len(args) > 0 && strings.HasPrefix(args[0], "--dir="):
		dir, rest = strings.TrimPrefix(args[0], "--dir="), args[1:]
	case len(args) > 1 && args[0] == "--dir":
		dir, rest = args[1], args[2:]
	case len(args) == 1 && args[0] == "--dir":
		return "", false, nil, fmt.Errorf("--dir needs a folder: localcluster kubectl --dir DIR get pods")
	default:
		return "", false, args, nil
	}
	if dir == "" {
		return "", false, nil, fmt.Errorf("--dir is empty: give a folder or leave it out")
	}
	return dir, true, rest, nil
}

// kubectlMain follows kubectl's own main. It reads os.Args, and its name becomes the user agent and the field manager.
func kubectlMain(args []string) {
	os.Args = append([]string{"kubectl"}, args...)
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
