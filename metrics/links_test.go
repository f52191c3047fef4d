package metrics

import (
	"testing"
	"time"
)

func TestLinks(t *testing.T) {
	g := NewGateway("test", nil)
	g.Links.Read(func() []LinkState {
		return []LinkState{{Name: "overseas", Relay: "relay.example:8443", Links: 7, Want: 8, Streams: 3, RTT: 160 * time.Millisecond, Frames: 100, Duplicates: 40, Rescued: 5, Resumed: 1, Backlog: 900}}
	})
	want(t, read(t, g.Handler()),
		`bendi_link_connections{name="overseas",relay="relay.example:8443"} 7`,
		`bendi_link_connections_wanted{name="overseas",relay="relay.example:8443"} 8`,
		`bendi_link_requests_active{name="overseas",relay="relay.example:8443"} 3`,
		`bendi_link_round_trip_seconds{name="overseas",relay="relay.example:8443"} 0.16`,
		`bendi_link_backlog_bytes{name="overseas",relay="relay.example:8443"} 900`,
		`bendi_link_frames_total{kind="first",name="overseas",relay="relay.example:8443"} 54`,
		`bendi_link_frames_total{kind="second",name="overseas",relay="relay.example:8443"} 40`,
		`bendi_link_frames_total{kind="rescued",name="overseas",relay="relay.example:8443"} 5`,
		`bendi_link_frames_total{kind="resumed",name="overseas",relay="relay.example:8443"} 1`,
	)
}
