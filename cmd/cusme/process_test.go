package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
)

// TestMain lets the package's tests share one control plane, on which a pod is
// ready two seconds after its creation.
func TestMain(m *testing.M) {
	// The tests mostly wait, so that many can wait at a time on two processors.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	clustertest.Main(m, "--startup-median=2s", "--startup-p99=3s")
}

// patience is how long a test waits for what should happen soon. Long, as a
// machine that runs other tests beside this one is slow.
const patience = 2 * time.Minute

var built struct {
	once sync.Once
	path string
	err  error
}

// program builds cusme once, as the image does, and returns its path.
func program(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		built.path = filepath.Join(os.TempDir(), fmt.Sprintf("cusme-test-%d", os.Getpid()), "cusme")
		if out, err := exec.Command("go", "build", "-o", built.path, ".").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build cusme: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// A process is cusme, running on its own.
type process struct {
	*exec.Cmd
	log  *lockedBuffer
	done chan error
}

// reachingLoopback are the arguments with which a controller reads the loads of the tests' own back ends.
func reachingLoopback(args []string) []string {
	if len(args) > 0 && args[0] == "controller" {
		return append(slices.Clone(args), "--allow-cidr", "127.0.0.0/8")
	}
	return args
}

// start runs cusme until the test ends, and then stops it as Kubernetes does. A controller may read loads from loopback.
func start(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	return startGuarded(t, env, reachingLoopback(args)...)
}

// startGuarded is start, with a controller that reads loads from nowhere but where the arguments say.
func startGuarded(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(program(t), args...), log: &lockedBuffer{}, done: make(chan error, 1)}
	p.Env = append(os.Environ(), env...)
	p.Stdout, p.Stderr = p.log, p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.Wait() }()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("cusme's log:\n%s", p.log)
		}
	})
	return p
}

// stop ends cusme, which must go cleanly.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if p.done == nil {
		return
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			t.Errorf("cusme did not end cleanly: %v", err)
		}
	case <-time.After(patience):
		t.Errorf("cusme did not end within %s of SIGTERM", patience)
		_ = p.Process.Kill()
	}
	p.done = nil
}

// alive fails the test when cusme has ended.
func (p *process) alive(t testing.TB) {
	t.Helper()
	select {
	case err := <-p.done:
		p.done = nil
		t.Fatalf("cusme ended: %v\n%s", err, p.log)
	default:
	}
}

// says waits until the log holds the text.
func (p *process) says(t testing.TB, text string) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error {
		if strings.Contains(p.log.String(), text) {
			return nil
		}
		return fmt.Errorf("expected the log to say %q, got:\n%s", text, p.log)
	})
}

// ended runs cusme to its end and returns its exit code and what it printed.
func ended(t testing.TB, env []string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(program(t), args...)
	cmd.Dir = t.TempDir() // no ./config there
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// lockedBuffer is a buffer that a process fills while a test reads it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// backend is an application that reports its load.
type backend struct {
	*httptest.Server
	asked  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc]
}

// newBackend starts a back end that reports the load.
func newBackend(t testing.TB, load string) *backend {
	b := &backend{}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	b.reports(load)
	return b
}

// ServeHTTP answers as it was last told to.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.asked.Add(1)
	(*b.answer.Load())(w, r)
}

// reports makes load the index from now on; any JSON value.
func (b *backend) reports(load string) {
	b.says(`{"data":{"load_balance":` + load + `}}`)
}

// says makes body the whole answer from now on.
func (b *backend) says(body string) {
	b.does(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
}

func (b *backend) does(h http.HandlerFunc) { b.answer.Store(&h) }

// isAskedAgain waits for so many more requests, and so for as many decisions
// at least but one.
func (b *backend) isAskedAgain(t testing.TB, times int64) {
	t.Helper()
	before := b.asked.Load()
	clustertest.Eventually(t, patience, func() error {
		if n := b.asked.Load() - before; n < times {
			return fmt.Errorf("expected %d requests for the load, got %d", times, n)
		}
		return nil
	})
}
