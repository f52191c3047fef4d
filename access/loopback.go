package access

import (
	"net"
	"net/netip"
	"strings"
)

// IsLoopback reports whether a server that listens on listen, a host:port,
// can be reached from its own machine alone. It says false when unsure: for an
// empty host, which means every interface, for a name other than localhost,
// which it does not look up, and for what is no host:port at all.
func IsLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
