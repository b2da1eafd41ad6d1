package test

import (
	"fmt"
	"syscall"
	"testing"
)

func TestKilledComponentComesBack(t *testing.T) {
	needBinary(t)
	for _, name := range components {
		t.Run(name, func(t *testing.T) {
			old, err := shared.pid(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() error {
				if now, err := shared.pid(name); err != nil || now == old {
					return fmt.Errorf("%s has not come back: process %d, %v", name, now, err)
				}
				return nil
			})
			// It works again when a pod becomes Ready: that takes all five.
			eventually(t, func() error {
				_, err := shared.try("", "kubectl", "get", "--raw=/readyz")
				return err
			})
			deploy(t, "after-"+name, 1, map[string]string{"localcluster.cusme.dev/startup": "100ms"})
			allReady(t, "after-"+name, 1)
		})
	}
}

func TestNothingIsLeftAfter(t *testing.T) {
	needBinary(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			c, err := start(t.TempDir(), "--gpu-nodes=1", "--vci=false", "--audit=false")
			if err != nil {
				t.Fatal(err)
			}
			var pids []int
			for _, name := range components {
				pid, err := c.pid(name)
				if err != nil {
					t.Fatal(err)
				}
				pids = append(pids, pid)
			}
			_ = c.process.Process.Signal(signal)
			<-c.ended
			if code := c.process.ProcessState.ExitCode(); signal != syscall.SIGKILL && code != 0 {
				t.Errorf("exit code %d after %s, 0 was expected\n%s", code, signal, c.out)
			}
			eventually(t, func() error {
				for i, pid := range pids {
					if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
						return fmt.Errorf("%s (process %d) is still there: %v", components[i], pid, err)
					}
				}
				return nil
			})
		})
	}
}
