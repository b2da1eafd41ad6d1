// Command cusme moves the replicas of GPU services by the load they report.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the image has no time zones of its own
)

// Exit codes.
const (
	exitFine   = 0
	exitFailed = 1
	exitMisuse = 2
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments. The original's flags are
// recognised before cobra, which does not know -minPodAge with one dash.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var err error
	if isDropIn(args, getenv) {
		err = runDropIn(ctx, args, getenv, stderr)
	} else {
		root := newRoot(getenv)
		root.SetArgs(args)
		root.SetOut(stdout)
		root.SetErr(stderr)
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		return exitFine
	}
	fmt.Fprintln(stderr, "cusme: error:", err)
	var misuse misuseError
	if errors.As(err, &misuse) {
		if misuse.hint != "" {
			fmt.Fprintln(stderr, "cusme: hint:", misuse.hint)
		}
		return exitMisuse
	}
	return exitFailed
}

// misuseError is a command line that cannot be meant; hint says how to mend it.
type misuseError struct {
	error
	hint string
}

func (e misuseError) Unwrap() error { return e.error }
