package process

import "syscall"

// ownGroup puts a command into a process group of its own, and has the kernel
// kill it when its parent ends.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
