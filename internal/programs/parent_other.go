//go:build !linux

package programs

import "syscall"

// endWithParent does nothing: only Linux tells a program of the end of this one.
func endWithParent() *syscall.SysProcAttr { return nil }
