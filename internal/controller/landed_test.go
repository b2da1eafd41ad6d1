package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A write whose answer was lost may have been made; one that was refused, or
// that reached nobody, was not.
func TestMayHaveLanded(t *testing.T) {
	scale := schema.GroupResource{Group: "apps", Resource: "deployments/scale"}
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"the answer was lost":     {errors.New("unexpected EOF"), true},
		"the deadline passed":     {context.DeadlineExceeded, true},
		"a gateway's 504":         {apierrors.NewTimeoutError("upstream", 1), true},
		"a gateway's 502":         {apierrors.NewInternalError(errors.New("bad gateway")), true},
		"a conflict":              {apierrors.NewConflict(scale, "webui", errors.New("changed")), false},
		"forbidden":               {apierrors.NewForbidden(scale, "webui", errors.New("no")), false},
		"nobody took the request": {refused, false},
	} {
		if got := mayHaveLanded(fmt.Errorf("scale: %w", c.err)); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}
