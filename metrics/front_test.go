package metrics

import (
	"testing"
	"time"
)

func TestFront(t *testing.T) {
	g := NewGateway("1.0", nil)
	g.Front.Read(func() int { return 3 })
	g.Front.ReadTLS(func() (cert, stapled time.Time) { return time.Unix(1000, 0), time.Time{} })
	g.Front.Refused("address")
	want(t, read(t, g.Handler()),
		"bendi_connections 3",
		`bendi_connections_refused_total{limit="address"} 1`, `bendi_connections_refused_total{limit="total"} 0`,
		"bendi_tls_certificate_expires_timestamp_seconds 1000", "bendi_tls_staple_expires_timestamp_seconds 0")
}
