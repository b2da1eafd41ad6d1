package main_test

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// prints returns a question: does kubectl print something that matches, literally or as an expression?
func (c cluster) prints(want string, args ...string) func(*testing.T) error {
	return func(t *testing.T) error {
		out, err := c.Kubectl(t, args...)
		if err != nil {
			return err
		}
		if expression, err := regexp.Compile(want); !strings.Contains(out, want) && (err != nil || !expression.MatchString(out)) {
			return fmt.Errorf("kubectl %s prints %q, want %q", strings.Join(args, " "), out, want)
		}
		return nil
	}
}

// A loadIndex is a back end that reports a load.
type loadIndex struct {
	*httptest.Server
	load atomic.Uint64
}

func newLoadIndex(t *testing.T, load float64) *loadIndex {
	b := &loadIndex{}
	b.reports(load)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"data":{"load_balance":%g}}`, math.Float64frombits(b.load.Load()))
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *loadIndex) reports(load float64) { b.load.Store(math.Float64bits(load)) }

// build makes the binary from the sources that are tested: a bin/cusme may be of yesterday.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "cusme")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build cusme: %v\n%s", err, out)
	}
	return binary
}

// A process is cusme as it is shipped.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	mu     sync.Mutex
	log    bytes.Buffer
}

// start runs cusme until the test ends. A controller may read loads from loopback, where the tests' back ends are.
func (c cluster) start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	if len(args) > 0 && args[0] == "controller" {
		args = append(slices.Clone(args), "--allow-cidr", "127.0.0.0/8")
	}
	p := &process{cmd: exec.Command(c.binary, args...), exited: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended does not matter: stop asks whether it lives
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("cusme %s said\n%s", strings.Join(args, " "), p.said())
		}
	})
	return p
}

// stop ends cusme as the kubelet would, and is for cleaning up too: a second time it does nothing.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt) // an error says that it has ended already
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		t.Error("cusme does not end within 30s of an interrupt")
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// Write collects what cusme logs.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *process) says(t *testing.T, text string) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		if !strings.Contains(p.said(), text) {
			return fmt.Errorf("cusme does not say %q", text)
		}
		return nil
	})
}

// saysTimes looks at what was said by now.
func (p *process) saysTimes(t *testing.T, times int, text string) {
	t.Helper()
	if got := strings.Count(p.said(), text); got != times {
		t.Errorf("cusme says %q %d times, want %d", text, got, times)
	}
}
