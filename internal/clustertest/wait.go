package clustertest

import (
	"testing"
	"time"
)

// pause is between two looks at a condition: short enough that a test never waits noticeably longer than it must.
const pause = 50 * time.Millisecond

// Eventually calls ask until it returns nil, and fails the test with its last error when the deadline has passed. ask is
// called at least once, and a call that has begun is waited for.
func Eventually(t testing.TB, deadline time.Duration, ask func() error) {
	t.Helper()
	end := time.Now().Add(deadline)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: %v", deadline, err)
		}
		time.Sleep(pause)
	}
}
