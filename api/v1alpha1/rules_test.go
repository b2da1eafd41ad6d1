package v1alpha1_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/clustertest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

// TestRefused creates every manifest of testdata/refused. Each must be refused with the sentence in its first line, and
// with no second complaint: the manifest breaks one rule, so a rule that fires beside its own is wrong too.
func TestRefused(t *testing.T) {
	c := clustertest.Shared(t)
	c.InstallCRD(t)
	ns := c.Namespace(t)
	for _, file := range manifests(t, "refused") {
		t.Run(name(file), func(t *testing.T) {
			t.Parallel()
			want := sentence(t, file)
			_, err := c.Kubectl(t, "create", "--dry-run=server", "-n", ns, "-f", file)
			if err == nil {
				t.Fatalf("accepted; want %q", want)
			}
			if !strings.Contains(err.Error(), want) {
				t.Fatalf("refused with\n%v\nwant %q", err, want)
			}
			if n := complaints(err); n > 1 {
				t.Errorf("%d complaints about one mistake:\n%v", n, err)
			}
		})
	}
}

// TestAccepted creates every manifest of testdata/accepted, and reads it back: as it was written, without a default written
// into it, and in a form that the Go types can read.
func TestAccepted(t *testing.T) {
	c := clustertest.Shared(t)
	c.InstallCRD(t)
	for _, file := range manifests(t, "accepted") {
		t.Run(name(file), func(t *testing.T) {
			t.Parallel()
			ns := c.Namespace(t)
			if _, err := c.Kubectl(t, "create", "-n", ns, "-f", file); err != nil {
				t.Fatal(err)
			}
			stored := spec(t, c, "get", "lsc", "webui", "-n", ns)
			written := spec(t, c, "create", "--dry-run=client", "--validate=false", "-n", ns, "-f", file)
			if !equality.Semantic.DeepEqual(stored, written) {
				t.Errorf("stored\n%v\nwritten\n%v", stored, written)
			}
			data, err := json.Marshal(stored)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &v1alpha1.LoadScalerSpec{}); err != nil {
				t.Errorf("the API server takes what the Go types cannot read: %v", err)
			}
		})
	}
}

// TestExplain asks for the docs of fields as a user would.
func TestExplain(t *testing.T) {
	c := clustertest.Shared(t)
	c.InstallCRD(t)
	for field, want := range map[string]string{
		"lsc":                          "moves the replicas of one target by the load",
		"lsc.spec.minPodAge":           "a younger one is never chosen for removal",
		"lsc.spec.loads.low":           "below which replicas are removed",
		"lsc.spec.loads.http.url":      "Redirects are followed within its host only",
		"lsc.spec.behavior.scaleDown":  "a window of 300s",
		"lsc.status.summary":           "short strings for the columns",
		"lsc.status.reasons.why":       "sentence",
		"lsc.status.startingReplicas":  "still trusted to become ready",
		"lsc.spec.objective":           "the requests being worked on and waiting together",
		"lsc.spec.objective.wait":      "the longest wait that is good enough",
		"lsc.spec.objective.forecast":  "before a rise that other weeks had at the same hour",
		"lsc.spec.schedules":           "windows of time in which other bounds hold",
		"lsc.spec.schedules.ramp":      "its minimum may begin to rise",
		"lsc.spec.startup.deadline":    "the age by which a pod should be ready",
		"lsc.spec.busy":                "annotation cusme.dev/busy",
		"lsc.spec.busy.value":          "above 0 is busy",
		"lsc.spec.busy.metric.above":   "up to which a pod is idle",
		"lsc.spec.loads.http.tls":      "TLS settings",
		"lsc.spec.scaleTargetRef.kind": "such as Deployment",
	} {
		out, err := c.Kubectl(t, "explain", field)
		if err != nil {
			t.Error(err)
			continue
		}
		// kubectl breaks lines where they become long.
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("explain %s says\n%s\nwant %q in it", field, out, want)
		}
	}
}

// TestColumns fills a status and looks at the table that users see.
func TestColumns(t *testing.T) {
	c := clustertest.Shared(t)
	c.InstallCRD(t)
	ns := c.Namespace(t)
	if _, err := c.Kubectl(t, "create", "-n", ns, "-f", "testdata/accepted/smallest.yaml"); err != nil {
		t.Fatal(err)
	}
	const status = `{"status": {"currentReplicas": 5, "desiredReplicas": 4, "readyReplicas": 3, "startingReplicas": 1, "elasticReplicas": 2,
		"summary": {"target": "Deployment/webui", "load": "0.83", "band": "0.5..0.8", "pods": "3/1/2", "why": "two pods are young"}}}`
	if _, err := c.Kubectl(t, "patch", "lsc", "webui", "-n", ns, "--subresource=status", "--type=merge", "-p", status); err != nil {
		t.Fatal(err)
	}
	for _, table := range []struct {
		args         []string
		header, line string
	}{
		{
			args:   []string{"get", "lsc", "-n", ns},
			header: "NAME TARGET LOAD BAND REPLICAS DESIRED READY WHY AGE",
			line:   "webui Deployment/webui 0.83 0.5..0.8 5 4 3 two pods are young ",
		},
		{
			args:   []string{"get", "lsc", "-n", ns, "-o", "wide"},
			header: "NAME TARGET LOAD BAND REPLICAS DESIRED READY READY/STARTING/ELASTIC WHY AGE",
			line:   "webui Deployment/webui 0.83 0.5..0.8 5 4 3 3/1/2 two pods are young ",
		},
	} {
		out, err := c.Kubectl(t, table.args...)
		if err != nil {
			t.Fatal(err)
		}
		header, line, _ := strings.Cut(out, "\n")
		if got := strings.Join(strings.Fields(header), " "); got != table.header {
			t.Errorf("columns %q, want %q", got, table.header)
		}
		if got := strings.Join(strings.Fields(line), " "); !strings.HasPrefix(got, table.line) {
			t.Errorf("line %q, want %q and an age", got, table.line)
		}
	}
	all, err := c.Kubectl(t, "get", "all", "-n", ns, "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	if want := "loadscaler.cusme.dev/webui"; !strings.Contains(all, want) {
		t.Errorf("kubectl get all shows %q, want %s in it", all, want)
	}
}

// spec returns the spec that a kubectl command prints.
func spec(t *testing.T, c *clustertest.Cluster, args ...string) any {
	t.Helper()
	out, err := c.Kubectl(t, append(args, "-o", "json")...)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(out), &object); err != nil {
		t.Fatalf("read what kubectl prints: %v", err)
	}
	return object["spec"]
}

// manifests returns the files of a folder of testdata, and fails without any.
func manifests(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests in testdata/%s (%v)", folder, err)
	}
	return files
}

func name(file string) string { return strings.TrimSuffix(filepath.Base(file), ".yaml") }

// sentence returns what stands behind "# refused: " in a manifest's first line.
func sentence(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(data), "\n")
	want, ok := strings.CutPrefix(first, "# refused: ")
	if !ok || want == "" {
		t.Fatalf("%s begins with %q, want # refused: and the expected sentence", file, first)
	}
	return want
}

// complaints counts the API server's. It sets each on a line with "* " when there are several. That rules were left
// unchecked after a schema's complaint is no complaint of its own.
func complaints(err error) int {
	n := 0
	for line := range strings.Lines(err.Error()) {
		if strings.HasPrefix(line, "* ") && !strings.Contains(line, "some validation rules were not checked") {
			n++
		}
	}
	return n
}
