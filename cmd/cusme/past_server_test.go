package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/clustertest"
)

// installPrometheus brings what this test runs; promtool comes with it.
const installPrometheus = "apt-get install prometheus, or https://prometheus.io/download"

// TestRealPrometheusIsADemand asks a real Prometheus for two hours of cusme's own
// metrics, which its own tool has put there: 2 of 4 pods at work, on which a
// restart of cusme in the middle leaves two series, and a reading that was not fresh.
func TestRealPrometheusIsADemand(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(-time.Hour).Truncate(time.Minute)
	begin := end.Add(-2 * time.Hour)
	var metrics strings.Builder
	for metric, value := range map[string]string{"cusme_load": "0.5", "cusme_load_fresh": "1", "cusme_replicas": "4"} {
		label := `load="backend"`
		if metric == "cusme_replicas" {
			label = `count="ready"`
		}
		fmt.Fprintf(&metrics, "# TYPE %s gauge\n", metric)
		for instance := range 2 {
			half := begin.Add(time.Duration(instance) * time.Hour)
			for at := half; at.Before(half.Add(time.Hour)); at = at.Add(15 * time.Second) {
				v := value
				if minute := at.Sub(begin).Minutes(); metric == "cusme_load_fresh" && minute >= 30 && minute < 40 {
					v = "0"
				}
				fmt.Fprintf(&metrics, "%s{namespace=\"shop\",scaler=\"webui\",%s,instance=\"%d\"} %s %d\n", metric, label, instance, v, at.Unix())
			}
		}
	}
	metrics.WriteString("# EOF\n")
	p := past{prometheus: servePast(t, metrics.String()), from: begin.Format(time.RFC3339), to: end.Format(time.RFC3339), service: 20 * time.Second}
	trace, notes, err := p.demand(t.Context(), pastOf(v1alpha1.Load{}), nobody())
	if err != nil {
		t.Fatal(err)
	}
	// A sample counts for five minutes after the last, so that the end is full.
	if n, want := count(t, trace), 2*7200/20; n < want-2 || n > want+2 || trace.Span != end.Sub(begin) || !trace.Begin.Equal(begin) {
		t.Errorf("got %d requests in %s from %s, want %d in 2h from %s", n, trace.Span, trace.Begin, want, begin)
	}
	if got := strings.Join(notes, "; "); !strings.Contains(got, "For 10m15s of 2h0m0s there is no reading") {
		t.Errorf("noted: %s", got)
	}
	p.query = `sum by (instance) (cusme_load)`
	if _, _, err := p.demand(t.Context(), pastOf(v1alpha1.Load{}), nobody()); err == nil || !strings.Contains(err.Error(), "gave 2 series, expected one") {
		t.Errorf("of two series: %v", err)
	}
	p.query = `sum(`
	if _, _, err := p.demand(t.Context(), pastOf(v1alpha1.Load{}), nobody()); err == nil || !strings.Contains(err.Error(), "parse error: unclosed left parenthesis") {
		t.Errorf("of half a query: %v", err)
	}
}

// servePast returns the URL of a Prometheus that knows metrics of the past.
func servePast(t *testing.T, metrics string) string {
	t.Helper()
	dir := t.TempDir()
	text, config, data := filepath.Join(dir, "metrics"), filepath.Join(dir, "prometheus.yaml"), filepath.Join(dir, "data")
	for path, content := range map[string]string{text: metrics, config: "{}\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	prometheus, tool := clustertest.Program(t, "prometheus", installPrometheus), clustertest.Program(t, "promtool", installPrometheus)
	if out, err := exec.Command(tool, "tsdb", "create-blocks-from", "openmetrics", text, data).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	address := freeAddress(t)
	cmd := exec.Command(prometheus, "--config.file="+config, "--storage.tsdb.path="+data, "--web.listen-address="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to lose
		_ = cmd.Wait()
	})
	answers(t, "http://"+address+"/-/ready", "Ready")
	return "http://" + address
}
