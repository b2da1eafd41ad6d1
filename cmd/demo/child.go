package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A child is a process of the demo's own that must not outlive it.
type child struct {
	name string
	log  string        // path of the file with its output
	done chan struct{} // closed when it has ended
	err  error         // how it ended; to be read after done

	process *os.Process
	stdin   io.Closer
}

// start runs a command with its output in a log file. It gets a process group
// of its own, so that Ctrl-C reaches the demo alone, which ends things in order.
func start(name, log string, command ...string) (*child, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("create the log of %s: %w", name, err)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = diesWithParent()
	stdin, err := cmd.StdinPipe() // closes when the demo ends in whatever way: localcluster listens to that
	if err != nil {
		return nil, fmt.Errorf("open a pipe to %s: %w", name, errors.Join(err, file.Close()))
	}
	c := &child{name: name, log: log, done: make(chan struct{}), stdin: stdin}
	started := make(chan error)
	go func() {
		// The parent-death signal comes when the starting *thread* ends, so it must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer file.Close()
		err := cmd.Start()
		c.process = cmd.Process
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// stop asks the child to end and returns when it has; after the patience it is killed.
func (c *child) stop(patience time.Duration) {
	_ = c.process.Signal(syscall.SIGTERM) // it may have ended already: then there is nothing to do
	select {
	case <-c.done:
	case <-time.After(patience):
		_ = syscall.Kill(-c.process.Pid, syscall.SIGKILL)
		<-c.done
	}
	_ = c.stdin.Close()
}

// ended returns the error of a child that ended by itself, which none should.
func (c *child) ended() error {
	how := "exit status 0"
	if c.err != nil {
		how = c.err.Error()
	}
	return logged{fmt.Errorf("%s ended by itself (%s)", c.name, how), c.log}
}

// logged is an error that a log file tells more about.
type logged struct {
	error
	log string
}

func (l logged) Unwrap() error { return l.error }

// lastLines returns the end of a log, or why there is none.
func lastLines(log string, n int) []string {
	file, err := os.Open(log)
	if err != nil {
		return []string{"(no log: " + err.Error() + ")"}
	}
	defer file.Close()
	var lines []string
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		if strings.TrimSpace(scan.Text()) == "" {
			continue
		}
		lines = append(lines, scan.Text())
		lines = lines[max(0, len(lines)-n):]
	}
	if len(lines) == 0 {
		return []string{"(the log is empty)"}
	}
	return lines
}
