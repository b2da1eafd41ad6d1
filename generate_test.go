package cusme_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGeneratedFilesAreUpToDate runs go generate on a copy of the sources, and compares what it makes with what is here.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	copied := t.TempDir()
	for _, file := range append(goFiles(t), "go.mod", "go.sum") {
		if strings.HasPrefix(file, "localcluster") || strings.Contains(file, "zz_generated") {
			continue
		}
		copyFile(t, file, filepath.Join(copied, file))
	}
	cmd := exec.Command("go", "generate", ".")
	cmd.Dir = copied
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go generate: %v: %s", err, out)
	}
	generated := generatedFiles(t, copied)
	if len(generated) < 2 {
		t.Fatalf("go generate makes %d files; want the deepcopy functions and the CRD at least", len(generated))
	}
	for file, want := range generated {
		if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not what go generate makes: run make manifests and commit", file)
		}
	}
	for file := range generatedFiles(t, ".") {
		if _, ok := generated[file]; !ok {
			t.Errorf("%s is not made by go generate any more: remove it", file)
		}
	}
}

// generatedFiles are the deepcopy functions and the manifests under a root, by their path from there.
func generatedFiles(t *testing.T, root string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{"api/*/zz_generated.*.go", "config/crd/*.yaml", "config/rbac/*.yaml"} {
		found, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			data, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			files[file] = data
		}
	}
	return files
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
