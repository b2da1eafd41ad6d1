package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/clustertest"
	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/load"
)

// TestExamples shows every LoadScaler in the docs to a real API server, and to the code that follows it. People copy them.
func TestExamples(t *testing.T) {
	t.Parallel()
	c := clustertest.Shared(t)
	c.InstallCRD(t)
	ns := c.Namespace(t)
	for where, manifest := range examples(t) {
		t.Run(where, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "example.yaml")
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(manifest, "namespace: aicloud", "namespace: "+ns)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Kubectl(t, "apply", "--dry-run=server", "-f", file); err != nil {
				t.Error(err)
			}
			understood(t, manifest)
		})
	}
}

// understood looks at what no API server can judge, such as CEL.
func understood(t *testing.T, manifest string) {
	for _, document := range strings.Split(manifest, "\n---\n") {
		var ls v1alpha1.LoadScaler
		if err := yaml.Unmarshal([]byte(document), &ls); err != nil {
			t.Error(err)
		}
		if ls.Kind != "LoadScaler" {
			continue
		}
		if _, err := controller.PolicyOf(ls.Spec); err != nil {
			t.Error(err)
		}
		if _, err := load.OpenAll(ls.Namespace+"/"+ls.Name, ls.Spec.Loads, load.Options{}); err != nil {
			t.Error(err)
		}
	}
}

var (
	// block is one of a page's, or what a shell is given by one.
	block = regexp.MustCompile("(?ms)^(?:```yaml\n|kubectl apply -f - <<'EOF'\n)(.*?)^(?:```|EOF)$")
	// ours tells a LoadScaler from other manifests, and from a part of one.
	ours = regexp.MustCompile(`(?m)^kind: LoadScaler$`)
)

// examples are the LoadScalers of all pages, by page and line.
func examples(t *testing.T) map[string]string {
	pages, _ := filepath.Glob("../../README*.md") // the patterns are fine
	for _, depth := range []string{"*.md", "*/*.md"} {
		more, _ := filepath.Glob("../../docs/" + depth)
		pages = append(pages, more...)
	}
	found := map[string]string{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range block.FindAllSubmatchIndex(text, -1) {
			if manifest := string(text[at[2]:at[3]]); ours.MatchString(manifest) {
				line := 1 + strings.Count(string(text[:at[2]]), "\n")
				found[fmt.Sprintf("%s:%d", strings.TrimPrefix(page, "../../"), line)] = manifest
			}
		}
	}
	if len(found) < 10 {
		t.Fatalf("%d examples found; something is wrong with this test", len(found))
	}
	return found
}
