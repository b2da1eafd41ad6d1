package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

const about = `cusme moves the replicas of GPU services by the load they report, so that
people wait less and money is not burnt.

  cusme controller          serves the LoadScalers of a cluster
  cusme probe -f FILE       reads the loads of a LoadScaler once, and shows how
  cusme decide -f FILE      decides on observations, one JSON line each
  cusme simulate -f FILE    replays a demand under a LoadScaler, beside others
  cusme tune -f FILE        searches its settings on the history of its target
  cusme -d webui -n aicloud ...
                            scales one Deployment without them, as cusme 1.0
                            did: see "cusme help drop-in"`

const dropInHelp = `The command line of cusme 1.0 still works: it scales one Deployment, and needs no
LoadScaler and no CRD.

  ThirdUrl=http://backend/internal/subtask/load \
  cusme -t 1 -n aicloud -d webui -ad 3 -rd 1 -dr 0 -ma 20 -minPodAge 10m

Environment:
  ThirdUrl         the load index: GET answers {"data":{"load_balance":0.83}}
  KUBECONFIG_PATH  kubeconfig; default ./config when that file exists, else the
                   account of the pod that cusme runs in

Flags, with one dash or two:
`

func newRoot(getenv func(string) string) *cobra.Command {
	root := &cobra.Command{
		Use:           "cusme",
		Short:         "Scale GPU services by the load they report",
		Long:          about,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuseError{fmt.Errorf("unknown command %q", args[0]), `"cusme --help" lists the commands`}
			}
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misuseError{err, fmt.Sprintf("%q explains the flags", cmd.CommandPath()+" --help")}
	})
	root.AddCommand(newController(getenv), newProbe(getenv), newSimulate(getenv), newDecide(), newTune(getenv), newVersion(), newDropInTopic())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  cusme version",
		Args:    noArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "cusme %s (%s, %s/%s%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, revision())
		},
	}
}

// revision is the commit that was built, where the build recorded it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return ", commit " + s.Value
		}
	}
	return ""
}

func newDropInTopic() *cobra.Command {
	topic := &cobra.Command{
		Use:     "drop-in",
		Short:   "About the command line of cusme 1.0",
		Example: "  ThirdUrl=http://backend/load cusme -t 1 -n aicloud -d webui",
		Args:    noArgs,
	}
	topic.Run = func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), dropInUsage()) }
	topic.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), dropInUsage()) })
	return topic
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misuseError{fmt.Errorf("%q takes no arguments, got %q", cmd.CommandPath(), args), fmt.Sprintf("%q explains it", cmd.CommandPath()+" --help")}
}
