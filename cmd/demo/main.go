// Command demo shows cusme at its main job, on a real Kubernetes control plane
// on this machine: a service that makes images, a synthetic day of requests,
// and cusme moving the service's replicas by the load the service reports.
//
// The API server, the scheduler, the controllers and cusme are the real ones,
// and cusme runs under its own RBAC. Nodes and pods are simulated (nothing runs
// in them), and so is the service: a queue whose workers are the pods that are
// ready.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Exit codes: 0 is fine.
const (
	exitFailed = 1
	exitMisuse = 2
)

// options are the demo's flags.
type options struct {
	localcluster, cusme, config string
	day, length, startup        time.Duration
	seed                        uint64
	keep, lines                 bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second Ctrl-C ends the demo at once, and the kernel then ends its processes
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout *os.File, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "demo: %v; see demo --help\n", err)
		return exitMisuse
	}
	if err := show(ctx, o, stdout); err != nil {
		fmt.Fprint(stderr, complaint(err))
		return exitFailed
	}
	return 0
}

func parse(args []string, help io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.SetOutput(io.Discard) // one message is enough, and it is ours
	f.StringVar(&o.localcluster, "localcluster", "", "the localcluster program (default: beside this one, else bin/localcluster)")
	f.StringVar(&o.cusme, "cusme", "", "the cusme program (default: beside this one, else bin/cusme)")
	f.StringVar(&o.config, "config", "config", "folder with cusme's manifests: its CRD and its RBAC")
	f.DurationVar(&o.day, "day", 6*time.Minute, "how long the synthetic day of 24 hours takes")
	f.DurationVar(&o.length, "for", 0, "how long the demo runs (default: one day)")
	f.DurationVar(&o.startup, "startup", 20*time.Second, "half of the pods are ready after this, in real time")
	f.Uint64Var(&o.seed, "seed", 1, "of the requests' arrivals and sizes: the same seed gives the same day")
	f.BoolVar(&o.keep, "keep", false, "keep the folder with all logs")
	f.BoolVar(&o.lines, "lines", false, "print plain lines even on a terminal")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(help, "demo runs a day of image requests against a real Kubernetes control plane and lets cusme scale it.")
		fmt.Fprintln(help, "\nFlags:")
		f.SetOutput(help)
		f.PrintDefaults()
		return o, err
	}
	if err != nil {
		return o, err
	}
	return o, o.check(f.Args())
}

// check refuses what can't be meant, and fills in the defaults that depend on other flags.
func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is no flag, and demo takes nothing else", rest[0])
	case o.day < time.Minute:
		return fmt.Errorf("--day is %s: give 1m or more, a pod could not start in a shorter day", o.day)
	case o.length < 0:
		return fmt.Errorf("--for is %s: give 0s or more", o.length)
	case o.startup < 0 || o.startup > 10*time.Minute:
		return fmt.Errorf("--startup is %s: give 0s to 10m", o.startup)
	}
	if o.length == 0 {
		o.length = o.day
	}
	return nil
}

// findPrograms fills in the programs' paths, and tells what to do when one is missing.
func (o *options) findPrograms() error {
	for _, p := range []struct {
		name string
		path *string
		make string
	}{
		{"localcluster", &o.localcluster, "make localcluster"},
		{"cusme", &o.cusme, "make build"},
	} {
		found, err := program(p.name, *p.path)
		if err != nil {
			return fmt.Errorf("%w: build it with %q, or give its path with --%s", err, p.make, p.name)
		}
		*p.path = found
	}
	return nil
}

// program returns the absolute path of a program: the given one, else the one beside this program, else the one in bin.
func program(name, given string) (string, error) {
	candidates := []string{given}
	if given == "" {
		candidates = []string{filepath.Join("bin", name)}
		if self, err := os.Executable(); err == nil {
			candidates = append([]string{filepath.Join(filepath.Dir(self), name)}, candidates...)
		}
	}
	for _, path := range candidates {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			continue
		}
		return filepath.Abs(path)
	}
	return "", fmt.Errorf("there is no program %s", candidates[len(candidates)-1])
}

// complaint says what went wrong, and how the log that knows more ends.
func complaint(err error) string {
	out := fmt.Sprintf("demo: %v\n", err)
	var l logged
	if errors.As(err, &l) {
		out += fmt.Sprintf("its log is %s, and ends:\n    %s\n", l.log, strings.Join(lastLines(l.log, 8), "\n    "))
	}
	return out
}
