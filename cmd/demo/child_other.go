//go:build !linux

package main

import "syscall"

// diesWithParent has no such signal here: a demo that is killed (not
// interrupted) takes along the cluster, whose standard input closes, and the
// controller then ends because its cluster is gone.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
