package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A component that ends comes back after 200 ms, doubling to 5 s while it keeps ending at once: quick for a test that
// kills it, bearable for a machine on which it cannot start.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
	// settled is how long a component must have run for the pause to start from the beginning.
	settled = 10 * time.Second
)

// lifelineFD is where a component finds the pipe that closes when localcluster is gone.
const lifelineFD = 3

// exitWithParent ends this component when localcluster ends in any way, SIGKILL included: the kernel then closes the only
// write end of the pipe. This works on Linux and macOS alike, where Linux's parent-death signal would not.
func exitWithParent() {
	lifeline := os.NewFile(lifelineFD, "lifeline")
	go func() {
		_, err := lifeline.Read(make([]byte, 1))
		if errors.Is(err, io.EOF) {
			os.Exit(exitFailed)
		}
	}()
}

// supervisor keeps the components running.
type supervisor struct {
	cluster  *cluster
	program  string
	lifeline [2]*os.File // read end for the components, write end never written
	keepers  []*keeper
}

// keeper runs one component again and again.
type keeper struct {
	component component
	cancel    context.CancelFunc
	done      chan struct{}

	mu      sync.Mutex
	process *os.Process
}

func newSupervisor(c *cluster) (*supervisor, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program to start the components from: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make the pipe that ends the components: %w", err)
	}
	return &supervisor{cluster: c, program: program, lifeline: [2]*os.File{r, w}}, nil
}

// start keeps one component running until stop.
func (s *supervisor) start(part component) {
	ctx, cancel := context.WithCancel(context.Background())
	k := &keeper{component: part, cancel: cancel, done: make(chan struct{})}
	s.keepers = append(s.keepers, k)
	go func() {
		defer close(k.done)
		pause := firstPause
		for ctx.Err() == nil {
			began := time.Now()
			err := s.runOnce(ctx, k)
			if ctx.Err() != nil {
				return
			}
			if time.Since(began) > settled {
				pause = firstPause
			}
			fmt.Fprintf(s.cluster.out, "%s ended (%v), starting it again in %s; log %s\n", part.name, err, pause, s.cluster.dir.log(part.name))
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, lastPause)
		}
	}()
}

// runOnce returns when the process has ended, with what ended it.
func (s *supervisor) runOnce(ctx context.Context, k *keeper) error {
	dir, name := s.cluster.dir, k.component.name
	if before := k.component.before; before != nil {
		if err := before(ctx, s.cluster); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(dir.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(s.program)
	// The first argument makes this file the component, and gives it its own user agent and field manager.
	cmd.Args = append([]string{name}, k.component.args(s.cluster)...)
	// kwok would read a configuration from the home folder.
	cmd.Env = append(os.Environ(), "KWOK_WORKDIR="+dir.path("kwok"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{s.lifeline[0]}
	// Its own process group: Ctrl-C must reach localcluster alone, which stops the components in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	k.mu.Lock()
	if ctx.Err() != nil {
		k.mu.Unlock()
		return ctx.Err()
	}
	if err := cmd.Start(); err != nil {
		k.mu.Unlock()
		return fmt.Errorf("start: %w", err)
	}
	k.process = cmd.Process
	k.mu.Unlock()
	if err := writeWhole(dir.pid(name), fmt.Appendln(nil, cmd.Process.Pid)); err != nil {
		fmt.Fprintln(s.cluster.out, "localcluster:", err)
	}
	err = cmd.Wait()
	_ = os.Remove(dir.pid(name))
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// stop ends all components, the last started first, and returns when none is left.
func (s *supervisor) stop() {
	for _, k := range slices.Backward(s.keepers) {
		k.stop()
	}
	_ = s.lifeline[0].Close()
	_ = s.lifeline[1].Close()
}

func (k *keeper) stop() {
	k.mu.Lock()
	k.cancel()
	process := k.process
	k.mu.Unlock()
	if process != nil {
		_ = process.Signal(syscall.SIGTERM)
	}
	select {
	case <-k.done:
	case <-time.After(k.component.patience):
		_ = process.Kill()
		<-k.done
	}
}

// writeWhole replaces a file at once, so that a reader sees the old or the new content and never half of it.
func writeWhole(file string, data []byte) error {
	next := file + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := os.Rename(next, file); err != nil {
		return fmt.Errorf("put in place: %w", err)
	}
	return nil
}
