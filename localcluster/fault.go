package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// faultNone as an annotation keeps a pod from the fault that is switched on.
const faultNone = "none"

// faults by name, as in the annotation and in the command.
var faults = []string{"sold-out", "provider-failed", "never-ready", "crash-loop"}

// kwokDeadline is how long a fresh kwok may take; it takes about a second.
const kwokDeadline = 20 * time.Second

func faultCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "fault {" + strings.Join(faults, "|") + "} {on|off}",
		Short: "Let a fault befall every new pod, or stop it",
		Long: `Let a fault befall every new pod, or stop it. Pods that are Ready stay so; one fault is on at a time.
A pod's own annotation ` + annotationFault + ` goes first; "none" there keeps it well.

  sold-out         on the virtual node: phase Failed, reason ProviderFailed
  provider-failed  on the virtual node: stays Pending, reason ProviderFailed
  never-ready      runs, never becomes Ready
  crash-loop       CrashLoopBackOff, restart count rising`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(faults, args[0]) {
				return misuse{fmt.Errorf("unknown fault %q: give one of %s", args[0], strings.Join(faults, ", "))}
			}
			if args[1] != "on" && args[1] != "off" {
				return misuse{fmt.Errorf("%q after %s: give on or off", args[1], args[0])}
			}
			d, err := openDir(dir)
			if err != nil {
				return err
			}
			if err := switchFault(cmd.Context(), d, args[0], args[1] == "on"); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is %s\n", args[0], args[1])
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the cluster (default as in run)")
	return cmd
}

// switchFault writes the new stages and lets kwok come back with them: it reads its stages only when it starts.
func switchFault(ctx context.Context, d clusterDir, fault string, on bool) error {
	s, err := readSettings(d)
	if err != nil {
		return err
	}
	switch {
	case on && s.Fault != "" && s.Fault != fault:
		return fmt.Errorf("%s is on, and one fault is on at a time: switch it off first", s.Fault)
	case on == (s.Fault == fault):
		return nil
	case on:
		s.Fault = fault
	default:
		s.Fault = ""
	}
	if err := s.write(d); err != nil {
		return err
	}
	return restartKwok(ctx, d)
}

// restartKwok ends kwok, which localcluster run starts again, and waits for the new one to be at work.
func restartKwok(ctx context.Context, d clusterDir) error {
	ctx, cancel := context.WithTimeout(ctx, kwokDeadline)
	defer cancel()
	old, err := readPid(d, "kwok")
	if err != nil {
		return err
	}
	before, err := os.ReadFile(d.log("kwok"))
	if err != nil {
		return fmt.Errorf("read kwok's log: %w", err)
	}
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		return fmt.Errorf("end kwok (process %d) so that it comes back with the new stages: %w", old, err)
	}
	return poll(ctx, func() error {
		log, err := os.ReadFile(d.log("kwok"))
		if err != nil {
			return fmt.Errorf("read kwok's log: %w", err)
		}
		if len(log) < len(before) || !bytes.Contains(log[len(before):], []byte("Watch all nodes")) {
			return fmt.Errorf("kwok did not come back, see %s", d.log("kwok"))
		}
		return nil
	})
}

func readPid(d clusterDir, component string) (int, error) {
	data, err := os.ReadFile(d.pid(component))
	if err != nil {
		return 0, fmt.Errorf("%s is not running: is localcluster run still there? %w", component, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s holds %q, a process id was expected: start the cluster again", d.pid(component), data)
	}
	return pid, nil
}
