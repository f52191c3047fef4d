package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"strings"
	"testing"

	"bendi/chat"
	"bendi/chat/chattest"
)

// talking returns a conversation whose models are scripts.
func talking(stdin io.Reader, routes map[string]chat.Model) (c *conversation, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, signals: make(chan os.Signal, 1), language: "en"}
	c = &conversation{program: p, route: "/v1/chat"}
	c.models = func(route string) (chat.Model, error) {
		if m, ok := routes[route]; ok {
			return m, nil
		}
		return nil, errors.New("no such route")
	}
	return c, stdout, stderr
}

// A recorder remembers the last request.
type recorder struct {
	chat.Model
	last *chat.Request
}

func (r *recorder) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	r.last = req
	return r.Model.Chat(ctx, req)
}

func TestAskKeepsTheConversation(t *testing.T) {
	base := &recorder{Model: chattest.Script("您\n好\n")}
	c, stdout, _ := talking(nil, map[string]chat.Model{"/v1/chat": base})
	c.system = "简短。"
	for range 2 {
		if stopped, err := c.ask(t.Context(), "你好"); stopped || err != nil {
			t.Fatal(stopped, err)
		}
	}
	if got, want := stdout.String(), "您好\n您好\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	var turns []string
	for _, m := range base.last.Messages {
		turns = append(turns, string(m.Role)+" "+m.Text())
	}
	if got, want := strings.Join(turns, "|"), "system 简短。|user 你好|assistant 您好|user 你好"; got != want {
		t.Errorf("the second request had %q, want %q", got, want)
	}
}

func TestASignalStopsTheAnswerNotTheProgram(t *testing.T) {
	signals := make(chan os.Signal, 1)
	c, stdout, stderr := talking(nil, map[string]chat.Model{"/v1/chat": chattest.Script("您\n!wait\n")})
	c.signals = signals
	signals <- os.Interrupt
	stopped, err := c.ask(t.Context(), "你好")
	if !stopped || err != nil {
		t.Errorf("stopped = %v, %v", stopped, err)
	}
	if !strings.Contains(stderr.String(), "(stopped)") {
		t.Errorf("it did not say so: %q, %q", stdout, stderr)
	}
}

func TestAskShowsWhatAClientMayKnow(t *testing.T) {
	c, _, _ := talking(nil, map[string]chat.Model{"/v1/chat": chattest.Script("!fail unavailable try again in 5 s\n")})
	if _, err := c.ask(t.Context(), "你好"); err == nil || err.Error() != "try again in 5 s" {
		t.Errorf("got %v", err)
	}
}

func TestCommands(t *testing.T) {
	routes := map[string]chat.Model{"/v1/chat": chattest.Script(""), "/v1/chat/pro": chattest.Script("")}
	tests := []struct {
		line  string
		route string // after it
		words string // printed
		leave bool
	}{
		{"/pro", "/v1/chat/pro", "", false},
		{"/chat", "/v1/chat", "", false},
		{"/route /v2", "/v1/chat", "no such route", false},
		{"/route", "/v1/chat", "/v1/chat", false},
		{"/help", "/v1/chat", "/system TEXT", false},
		{"/nonsense", "/v1/chat", "no command /nonsense", false},
		{"/bye", "/v1/chat", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			c, stdout, stderr := talking(nil, routes)
			if leave := c.command(tt.line); leave != tt.leave {
				t.Errorf("leave = %v", leave)
			}
			if c.route != tt.route {
				t.Errorf("the route is %s, want %s", c.route, tt.route)
			}
			if said := stdout.String() + stderr.String(); !strings.Contains(said, tt.words) {
				t.Errorf("said %q, want %q in it", said, tt.words)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	if got, want := strings.Map(printable, "你\x1b[31m好\a\n\t"), "你[31m好\n\t"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
