package router_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/internal/deptest"
	"bendi/router"
)

func TestImports(t *testing.T) {
	deptest.StandardLibraryOnly(t, "bendi/chat", "bendi/internal/spelling")
	deptest.Check(t, map[string]string{
		"net/http": "a route knows models, not how they are reached",
	})
}

var (
	_ chat.Model  = (*router.Route)(nil)
	_ chat.Lister = (*router.Route)(nil)
)

// asked answers with the name of the model it was asked for.
type asked struct{}

func (asked) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return chattest.Script(req.Model).Chat(ctx, req)
}

func offer(id string, m chat.Model) router.Offer {
	return router.Offer{ModelInfo: chat.ModelInfo{ID: id}, Backend: "the one with " + id, Model: m}
}

func demo(t *testing.T) *router.Route {
	t.Helper()
	r, err := router.New([]router.Offer{
		offer("bendi-demo", asked{}), offer("bendi-demo:service", asked{}), offer("qwen3-8b", asked{}),
	}, "bendi-demo:service", map[string]string{"pro": "qwen3-8b", "客服": "bendi-demo:service"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestContract(t *testing.T) {
	r, err := router.New([]router.Offer{offer("m", chattest.Script("你\n好\n!sleep 1ms\n。\n"))}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	chattest.Contract(t, r, func() *chat.Request {
		return &chat.Request{Model: "m", N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}
	})
}

func TestRequestsReachTheModelTheyName(t *testing.T) {
	tests := []struct{ name, want string }{
		{"", "bendi-demo:service"},
		{"bendi-demo", "bendi-demo"},
		{"bendi-demo:service", "bendi-demo:service"},
		{"pro", "qwen3-8b"},
		{"客服", "bendi-demo:service"},
	}
	r := demo(t)
	for _, tt := range tests {
		for ev, err := range r.Chat(t.Context(), &chat.Request{Model: tt.name, N: 1}) {
			if err != nil || ev.Text != tt.want || ev.Backend != "the one with "+tt.want {
				t.Errorf("%q: the first event is %+v, %v; want %s", tt.name, ev, err, tt.want)
			}
			break
		}
		if got, err := r.Resolve(tt.name); got != tt.want || err != nil {
			t.Errorf("Resolve(%q) = %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestUnknownModels(t *testing.T) {
	tests := []struct{ name, want string }{
		{"bendi-dmeo", `There is no model "bendi-dmeo" here; did you mean "bendi-demo"?`},
		{"Bendi-Demo", `There is no model "Bendi-Demo" here; did you mean "bendi-demo" or "bendi-demo:service"?`},
		{"bendi", `There is no model "bendi" here; did you mean "bendi-demo" or "bendi-demo:service"?`},
		{"bendi-demo:sales", `There is no model "bendi-demo:sales" here; did you mean "bendi-demo" or "bendi-demo:service"?`},
		{"客户", `There is no model "客户" here; did you mean "客服"?`},
		{"gpt-4o", `There is no model "gpt-4o" here; there is "bendi-demo", "bendi-demo:service" and "qwen3-8b".`},
		{strings.Repeat("x", 1<<20), `There is no model of that name here; there is "bendi-demo", "bendi-demo:service" and "qwen3-8b".`},
	}
	r := demo(t)
	for _, tt := range tests {
		_, err := chattest.Collect(r.Chat(t.Context(), &chat.Request{Model: tt.name}), 1)
		e, ok := errors.AsType[*chat.Error](err)
		if !ok || e.Kind != chat.NotFound || e.Code != chat.CodeModelNotFound || e.Param != "model" {
			t.Errorf("%.20q: the error is %#v", tt.name, err)
		} else if e.Msg != tt.want {
			t.Errorf("%.20q:\n got %s\nwant %s", tt.name, e.Msg, tt.want)
		}
	}
}

func TestModelsAreListedWithoutAliases(t *testing.T) {
	var got []string
	for _, m := range demo(t).Models() {
		got = append(got, m.ID)
	}
	if want := []string{"bendi-demo", "bendi-demo:service", "qwen3-8b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFaultyRoutes(t *testing.T) {
	a := []router.Offer{offer("a", asked{})}
	tests := []struct {
		name    string
		offers  []router.Offer
		def     string
		aliases map[string]string
		want    string
	}{
		{"nothing", nil, "", nil, "a route needs at least one model"},
		{"no model", []router.Offer{offer("a", nil)}, "", nil, "model 1 has no name or nothing that answers"},
		{"twice", append(a, a...), "", nil, `model "a" is offered twice`},
		{"alias of nothing", a, "", map[string]string{"b": "c"}, `alias "b" stands for "c", which is not a model of this route`},
		{"alias of an alias", a, "", map[string]string{"b": "a", "c": "b"}, `alias "c" stands for "b", which is not a model of this route`},
		{"alias hides a model", a, "", map[string]string{"a": "a"}, `alias "a" is the name of a model, or empty`},
		{"no default", a, "b", nil, `the default model "b" is not a model of this route`},
	}
	for _, tt := range tests {
		if _, err := router.New(tt.offers, tt.def, tt.aliases); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}
