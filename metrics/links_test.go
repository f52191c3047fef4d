package metrics

import (
	"testing"
	"time"
)

func TestLinks(t *testing.T) {
	g := NewGateway("test", nil)
	g.Links.Read(func() []LinkState {
		return []LinkState{{Name: "overseas", Relay: "relay.example:8443", Links: 7, Want: 8, Streams: 3, RTT: 160 * time.Millisecond, Frames: 100, Duplicates: 40, Useful: 3, Late: 2, Repeated: 9, Drains: true, Rescued: 5, Resumed: 1, Backlog: 900}}
	})
	want(t, read(t, g.Handler()),
		`bendi_link_connections{name="overseas",relay="relay.example:8443"} 7`,
		`bendi_link_connections_wanted{name="overseas",relay="relay.example:8443"} 8`,
		`bendi_link_requests_active{name="overseas",relay="relay.example:8443"} 3`,
		`bendi_link_round_trip_seconds{name="overseas",relay="relay.example:8443"} 0.16`,
		`bendi_link_backlog_bytes{name="overseas",relay="relay.example:8443"} 900`,
		`bendi_link_second_copies_first_total{name="overseas",relay="relay.example:8443"} 3`,
		`bendi_link_frames_late_total{name="overseas",relay="relay.example:8443"} 2`,
		`bendi_link_words_repeated_total{name="overseas",relay="relay.example:8443"} 9`,
		`bendi_link_draining{name="overseas",relay="relay.example:8443"} 1`,
		`bendi_link_frames_total{kind="first",name="overseas",relay="relay.example:8443"} 54`,
		`bendi_link_frames_total{kind="second",name="overseas",relay="relay.example:8443"} 40`,
		`bendi_link_frames_total{kind="rescued",name="overseas",relay="relay.example:8443"} 5`,
		`bendi_link_frames_total{kind="resumed",name="overseas",relay="relay.example:8443"} 1`,
	)
}

func TestRelay(t *testing.T) {
	h := NewRelay("test", func() RelayState {
		return RelayState{
			Refused: map[string]uint64{"identity": 2, "full": 0},
			Edges: map[string]EdgeState{"berlin": {
				Sessions: 1, Links: 8, Streams: 3, RTT: 160 * time.Millisecond, Backlog: 700,
				Requests: map[string]uint64{"answered": 50, "ungranted": 1}, Asked: 4000, Answer: 90000,
			}},
		}
	})
	want(t, read(t, h),
		`bendi_build_info{version="test"} 1`,
		`bendi_relay_links_refused_total{reason="identity"} 2`,
		`bendi_relay_links_refused_total{reason="full"} 0`,
		`bendi_relay_sessions{edge="berlin"} 1`,
		`bendi_relay_connections{edge="berlin"} 8`,
		`bendi_relay_requests_active{edge="berlin"} 3`,
		`bendi_relay_round_trip_seconds{edge="berlin"} 0.16`,
		`bendi_relay_backlog_bytes{edge="berlin"} 700`,
		`bendi_relay_requests_total{edge="berlin",outcome="answered"} 50`,
		`bendi_relay_requests_total{edge="berlin",outcome="ungranted"} 1`,
		`bendi_relay_body_bytes_total{edge="berlin",of="requests"} 4000`,
		`bendi_relay_body_bytes_total{edge="berlin",of="answers"} 90000`,
	)
}
