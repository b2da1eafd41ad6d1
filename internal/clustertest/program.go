package clustertest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Program returns the file of a program that a test runs beside a control plane, such as prometheus. Without it the test is
// skipped with the command that installs it; with CUSME_CI set it fails instead.
func Program(t testing.TB, name, install string) string {
	t.Helper()
	file, err := exec.LookPath(name)
	if err != nil {
		lacks(t, fmt.Errorf("this test needs %s, which is not there: %s", name, install))
	}
	return file
}

// lacks skips a test that cannot run for want of something; with CUSME_CI set it fails.
func lacks(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CUSME_CI") != "" {
		t.Fatalf("%v (CUSME_CI is set, so this is a failure and not a skip)", err)
	}
	t.Skip(err)
}
