package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/ticklog"
)

// tickFlags say whether and where decisions are written down.
type tickFlags struct {
	path string
	pods bool
	size int64 // MiB
}

func (t *tickFlags) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.path, "tick-log", "", "`file` to which decisions are added, one JSON line for each reading, for cusme simulate and cusme decide; - is the standard output; default none")
	f.BoolVar(&t.pods, "tick-log-pods", false, "have each line of --tick-log hold the target's pods, for cusme decide")
	f.Int64Var(&t.size, "tick-log-size", 64, "`MiB` at which the file of --tick-log is moved to FILE.1, in place of the one before")
}

// open has a controller's ticks written to the log that the flags ask for; nil without one.
func (t *tickFlags) open(out io.Writer, o *controller.Options) (*ticklog.Log, error) {
	switch {
	case t.size < 1 || t.size > 1<<20:
		return nil, misuseError{fmt.Errorf("--tick-log-size: expected 1 to %d MiB, got %d", 1<<20, t.size), ""}
	case t.path == "" && t.pods:
		return nil, misuseError{errors.New("--tick-log-pods: it is about --tick-log, which is not given"), ""}
	case t.path == "":
		return nil, nil
	}
	log, err := ticklog.Open(ticklog.Options{Path: t.path, Out: out, MaxBytes: t.size << 20, Pods: t.pods, Log: o.Log})
	o.Ticks = log.Write
	return log, err
}
