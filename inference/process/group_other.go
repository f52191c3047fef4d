//go:build unix && !linux

package process

import "syscall"

// ownGroup puts a command into a process group of its own. Only Linux tells it
// when its parent ends.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
