package metrics

import (
	"errors"
	"strings"
	"testing"

	"bendi/router"
)

func TestRouter(t *testing.T) {
	g := NewGateway("1.2.3", nil)
	g.Router.Watch([]*router.Backend{router.NewBackend(router.BackendOptions{Name: "cloud/large"})})
	for _, s := range []router.Step{
		{What: router.Skipped, Reason: router.Forbidden, Backend: "cloud/large"},
		{What: router.Asked, Backend: "qwen", Try: 1},
		{What: router.Faulted, Backend: "qwen", Try: 1, Err: errors.New("what somebody said")},
		{What: router.Waited, Reason: router.BackOff},
		{What: router.Asked, Backend: "cloud/large", Try: 2},
		{What: router.Hedged, Backend: "cloud/large", Try: 3},
		{What: router.Lost, Backend: "qwen"},
		{What: router.Done, Backend: "cloud/large", Try: 2},
		{What: router.Gone}, // while it waited
		{What: router.GaveUp, Reason: router.NoTries},
		{What: router.Resumed},
	} {
		g.Router.Step("/v1/chat", s)
	}
	text := read(t, g.Handler())
	want(t, text,
		`bendi_backend_attempts_total{backend="qwen",outcome="failed"} 1`,
		`bendi_backend_attempts_total{backend="qwen",outcome="lost"} 1`,
		`bendi_backend_attempts_total{backend="cloud/large",outcome="done"} 1`,
		`bendi_backend_skipped_total{backend="cloud/large",reason="egress"} 1`,
		`bendi_router_retries_total{route="/v1/chat"} 1`,
		`bendi_router_hedges_total{route="/v1/chat"} 1`,
		`bendi_router_resumed_total{route="/v1/chat"} 1`,
		`bendi_router_waits_total{reason="back-off",route="/v1/chat"} 1`,
		`bendi_router_gave_up_total{reason="tries",route="/v1/chat"} 1`,
		`bendi_backend_state{backend="cloud/large",state="closed",zone="outside"} 1`,
		`bendi_backend_state{backend="cloud/large",state="open",zone="outside"} 0`,
		`bendi_backend_requests_in_flight{backend="cloud/large",zone="outside"} 0`,
		`bendi_backend_share{backend="cloud/large",zone="outside"} 1`,
	)
	if strings.Contains(text, "somebody") || strings.Contains(text, `backend=""`) {
		t.Errorf("got\n%s", text)
	}
}
