package cusme_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "cusme.dev/cusme"

// Groups of packages outside this module that a line of the table may allow.
var (
	anything = []string{""}
	// standardLibrary alone: nothing that can do I/O for us, and nothing to upgrade.
	standardLibrary = []string{}
	kubernetesTypes = []string{"k8s.io/api/", "k8s.io/apimachinery/"}
)

// everything of the module; the line of a command.
var everything = []string{"*"}

// mayImport is the architecture: which of the module's packages each one may import, and which packages from outside beside
// the standard library. A package without a line fails.
var mayImport = map[string]struct {
	own     []string
	outside []string
}{
	".":                            {nil, standardLibrary},
	"api/v1alpha1":                 {nil, kubernetesTypes},
	"internal/scaling":             {nil, standardLibrary},
	"internal/elastic":             {nil, kubernetesTypes},
	"internal/transport":           {[]string{"api/v1alpha1"}, anything},
	"internal/secrets":             {nil, anything},
	"internal/load":                {[]string{"api/v1alpha1", "internal/scaling", "internal/transport", "internal/load/externalscaler"}, anything},
	"internal/load/externalscaler": {nil, anything},
	"internal/target":              {[]string{"internal/scaling", "internal/elastic"}, anything},
	"internal/controller":          {[]string{"api/v1alpha1", "internal/scaling", "internal/load", "internal/push", "internal/target", "internal/transport", "internal/secrets", "internal/journal"}, anything},
	"internal/push":                {nil, anything},
	"internal/ticklog":             {[]string{"internal/scaling"}, anything},
	"internal/simulate":            {[]string{"internal/scaling"}, anything},
	"internal/journal":             {[]string{"api/v1alpha1", "internal/scaling"}, anything},
	"internal/dashboard":           {[]string{"api/v1alpha1", "internal/scaling", "internal/journal"}, anything},
	"internal/clustertest":         {nil, anything},
	"cmd/cusme":                    {everything, anything},
	"cmd/demo":                     {everything, anything},
}

// onlyFor are packages that few may import, tests included: the prefix of those who may.
var onlyFor = map[string]string{
	"internal/controller":          "cmd/",
	"internal/load/externalscaler": "internal/load",
}

// onlyTests are packages that nothing but tests imports.
var onlyTests = []string{"internal/clustertest"}

// sayNothing are names that tell a reader nothing about what is inside, and therefore fill up.
var sayNothing = []string{"util", "utils", "common", "helper", "helpers", "types", "misc", "manager"}

// pkg is what go list says of one package.
type pkg struct {
	ImportPath, Name, Doc              string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

// folder is the package's path inside the module.
func (p pkg) folder() string { return folder(p.ImportPath) }

func folder(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func own(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		line, ok := mayImport[p.folder()]
		if !ok {
			t.Errorf("package %s has no line in the import table: add one to mayImport, and say in docs/design why the package is needed", p.folder())
			continue
		}
		for _, imported := range p.Imports {
			if own(imported) && !allowsOwn(line.own, folder(imported)) {
				t.Errorf("%s imports %s; it may import of this module: %s", p.folder(), folder(imported), list(line.own))
			}
			if !own(imported) && !allowsOutside(line.outside, imported) {
				t.Errorf("%s imports %s; it may import from outside: the standard library%s", p.folder(), imported, prefixed(" and ", line.outside))
			}
		}
	}
}

func TestWhoIsImportedByFew(t *testing.T) {
	for _, p := range packages(t) {
		tests := slices.Concat(p.TestImports, p.XTestImports)
		for _, imported := range slices.Concat(p.Imports, tests) {
			prefix, few := onlyFor[folder(imported)]
			if few && own(imported) && p.folder() != folder(imported) && !strings.HasPrefix(p.folder(), prefix) {
				t.Errorf("%s imports %s, which only %s… may", p.folder(), folder(imported), prefix)
			}
		}
		for _, imported := range p.Imports {
			if own(imported) && slices.Contains(onlyTests, folder(imported)) {
				t.Errorf("%s imports %s outside its tests", p.folder(), folder(imported))
			}
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("package %s has no doc comment", p.folder())
		}
		for _, name := range []string{p.Name, path.Base(p.ImportPath)} {
			if slices.Contains(sayNothing, name) {
				t.Errorf("package %s: %q says nothing about what is inside", p.folder(), name)
			}
		}
	}
}

// Budgets. What does not fit wants to be two things.
const (
	functionLines = 60
	fileLines     = 400
	arguments     = 4
)

// TestBudgets looks at every hand-written Go file of the repository, localcluster's too, tests aside: a test may be long
// where its table is.
func TestBudgets(t *testing.T) {
	files := token.NewFileSet()
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(files, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		if ast.IsGenerated(parsed) {
			continue
		}
		for _, over := range budget(files, parsed) {
			t.Errorf("%s: %s", file, over)
		}
	}
}

func budget(files *token.FileSet, file *ast.File) []string {
	var over []string
	if n := files.File(file.FileStart).LineCount(); n > fileLines {
		over = append(over, fmt.Sprintf("%d lines, at most %d", n, fileLines))
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; n > functionLines {
			over = append(over, fmt.Sprintf("func %s has %d lines, at most %d", f.Name.Name, n, functionLines))
		}
		if n := countArguments(f); n > arguments {
			over = append(over, fmt.Sprintf("func %s takes %d arguments, at most %d: make them a struct", f.Name.Name, n, arguments))
		}
	}
	return over
}

// countArguments leaves the context out: Go passes it beside what a function is about, never inside a struct.
func countArguments(f *ast.FuncDecl) int {
	n := f.Type.Params.NumFields()
	if n == 0 {
		return 0
	}
	first, ok := f.Type.Params.List[0].Type.(*ast.SelectorExpr)
	if !ok || first.Sel.Name != "Context" {
		return n
	}
	return n - 1
}

// packages are all of the module.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json", "./...")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, problems.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("read go list's answer: %v", err)
		}
		all = append(all, p)
	}
	if len(all) < 2 {
		t.Fatalf("go list finds %d packages; something is wrong with this test", len(all))
	}
	return all
}

// goFiles are all Go files of the repository, hidden folders, bin and testdata aside.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (file == "bin" || name == "testdata" || file != "." && strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ".go") {
			files = append(files, file)
		}
		return nil
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("find the repository's Go files: %v, %d found", err, len(files))
	}
	return files
}

func allowsOwn(allowed []string, folder string) bool {
	return slices.Equal(allowed, everything) || slices.Contains(allowed, folder)
}

// allowsOutside takes a package whose path begins without a dot for the standard library's, as the go command does.
func allowsOutside(allowed []string, importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	if !strings.Contains(first, ".") {
		return true
	}
	return slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(importPath, prefix) })
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

func prefixed(prefix string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return prefix + strings.Join(names, ", ")
}
