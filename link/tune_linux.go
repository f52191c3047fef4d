package link

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// tune sets what helps a link over a long line: it fails when nothing was heard
// for 15 seconds, little waits in the kernel where it cannot be overtaken, and
// lost packets do not halve the speed where BBR may be used.
func tune(congestion string) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			// What the kernel does not have makes no link impossible.
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(aloneFor.Milliseconds()))
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxFrame)
			if congestion != "" {
				unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
			}
		})
	}
}
