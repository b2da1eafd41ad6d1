package main

import "syscall"

// diesWithParent ends the child when the demo ends in whatever way, SIGKILL included.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
