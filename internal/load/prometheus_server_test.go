package load

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/scaling"
)

// These tests ask a real Prometheus, which scrapes a real exporter and an
// application whose gauge the test sets, every second.

// patience is how long a test waits for what should happen soon.
const patience = time.Minute

// installPrometheus brings what these tests run.
const installPrometheus = "apt-get install prometheus prometheus-node-exporter, or https://prometheus.io/download"

// An application exposes the length of its queue.
type application struct {
	*httptest.Server
	queue atomic.Int64
}

func newApplication(t *testing.T) *application {
	a := &application{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "queue_length{queue=\"images\"} %d\n", a.queue.Load())
	}))
	t.Cleanup(a.Close)
	return a
}

// startPrometheus returns its URL.
func startPrometheus(t *testing.T, a *application) string {
	t.Helper()
	exporter := serveUntilTheEnd(t, clustertest.Program(t, "prometheus-node-exporter", installPrometheus), "--web.listen-address=127.0.0.1:0")
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yaml")
	scrapes := fmt.Sprintf(`global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- {job_name: app, static_configs: [{targets: [%q]}]}
- {job_name: node, static_configs: [{targets: [%q]}]}
`, a.Listener.Addr(), exporter)
	if err := os.WriteFile(config, []byte(scrapes), 0o600); err != nil {
		t.Fatal(err)
	}
	return "http://" + serveUntilTheEnd(t, clustertest.Program(t, "prometheus", installPrometheus),
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
}

// listens is how Prometheus' programs say where.
var listens = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// serveUntilTheEnd runs a program, which ends with the test or the whole test
// process: a shell waits for its standard input to close. It returns where the
// program listens.
func serveUntilTheEnd(t *testing.T, program string, args ...string) string {
	t.Helper()
	shell := exec.Command("sh", append([]string{"-c", `"$@" & read -r _; kill $!; wait $!`, "sh", program}, args...)...)
	stdin, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	shell.Stdout, shell.Stderr = out, out
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	address := make(chan string, 1)
	go follow(log, address)
	t.Cleanup(func() {
		stdin.Close()
		_ = shell.Wait() // it says how the program ended, which was killed
	})
	select {
	case a, ok := <-address:
		if !ok {
			t.Fatalf("%s ended before it listened", program)
		}
		return a
	case <-time.After(patience):
		t.Fatalf("%s does not listen after %s", program, patience)
		return ""
	}
}

// follow reads a log to its end and sends where the program listens.
func follow(log io.ReadCloser, address chan<- string) {
	defer log.Close()
	defer close(address)
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if at := listens.FindStringSubmatch(lines.Text()); at != nil {
			select {
			case address <- at[1]:
			default: // it has been told
			}
		}
	}
}

// TestRealPrometheus walks a load from its first scrape to after the last.
func TestRealPrometheus(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	app.queue.Store(7)
	begun := time.Now()
	url := startPrometheus(t, app)
	ask := func(query, observedAt string) scaling.Reading {
		t.Helper()
		return read(t, queryLoad(url, query, observedAt))
	}
	const selector, total, newest = `queue_length{queue="images"}`, "sum(queue_length)", "max(timestamp(queue_length))"

	for _, c := range [][2]string{{selector, ""}, {total, ""}, {total, newest}} {
		arrives(t, 7, func() scaling.Reading { return ask(c[0], c[1]) }, begun)
	}
	app.queue.Store(9)
	arrives(t, 9, func() scaling.Reading { return ask(selector, "") }, begun)
	clustertest.Eventually(t, patience, func() error { return wants(ask(`clamp_max(count({job="node"}), 100)`, ""), "", 100, "") })

	for query, want := range map[string]struct {
		state scaling.State
		value float64
		says  string
	}{
		"no_such_metric or vector(0)": {"", 0, ""},
		"1.5":                         {"", 1.5, ""},
		"no_such_metric":              {scaling.Invalid, 0, "prometheus.query found nothing; where nothing means 0, say so: no_such_metric or vector(0)"},
		"node_cpu_seconds_total":      {scaling.Invalid, 0, "series, expected one: aggregate, e.g. sum(node_cpu_seconds_total)"},
		"{__name__=~\"node_.*\"}":     {scaling.Invalid, 0, "series, expected one: aggregate"},
		"up[5m]":                      {scaling.Invalid, 0, "yields a range of samples"},
		"'seven'":                     {scaling.Invalid, 0, "yields a string"},
		"vector(0) / 0":               {scaling.Invalid, 0, "yielded NaN"},
		"-1":                          {scaling.Invalid, 0, "yielded -1"},
		"sum(":                        {scaling.Failed, 0, `refused the query: bad_data: invalid parameter "query": 1:5: parse error: unclosed left parenthesis`},
		"up{":                         {scaling.Failed, 0, "parse error"},
		"queue_lenght{} # {}":         {scaling.Invalid, 0, "found nothing"},
	} {
		if err := wants(ask(query, ""), want.state, want.value, want.says); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}

	app.Close()
	closed := time.Now()
	clustertest.Eventually(t, patience, func() error { return wants(ask(selector, ""), scaling.Invalid, 0, "found nothing") })
	const last, lastSeen = "last_over_time(queue_length[5m])", "max(max_over_time(timestamp(queue_length)[5m:1s]))"
	kept := ask(last, lastSeen)
	if err := wants(kept, "", 9, ""); err != nil || kept.At.After(closed) {
		t.Errorf("after the end, at %s: got %+v (%v); want the last value as of the last sample", closed, kept, err)
	}
	if believed := ask(last, ""); believed.Problem != "" || believed.At.Before(closed) {
		t.Errorf("after the end, without observedAt: got %+v, which is where observedAt is for", believed)
	}
}

// arrives waits for a value, and wants it to be as of a moment after begun.
func arrives(t *testing.T, value float64, ask func() scaling.Reading, begun time.Time) {
	t.Helper()
	clustertest.Eventually(t, patience, func() error { return wants(ask(), "", value, "") })
	if got := ask(); got.At.Before(begun) || got.At.After(time.Now()) {
		t.Errorf("%v is as of %s, want a moment after %s", got.Value, got.At, begun)
	}
}

// wants says how a reading differs from what it should be.
func wants(got scaling.Reading, state scaling.State, value float64, says string) error {
	if got.Problem != state || got.Value != value || !strings.Contains(got.Message, says) || (got.Message == "") != (says == "") {
		return fmt.Errorf("got %+v, want %v, problem %q, %q", got, value, state, says)
	}
	return nil
}
