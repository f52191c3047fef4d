package programs

import "syscall"

// endWithParent has the kernel end a program with this one, whatever becomes of
// that. It is asked to, since nginx ends its workers then.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
