//go:build unix

package main

import "syscall"

// maxOpenFiles returns how many files the program may have open, or 0 where
// that is not known.
func maxOpenFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<30))
}
