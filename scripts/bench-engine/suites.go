package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"bendi/models/gguf/random"
)

// A suite is one question, put to the worker in a setup of its own.
type suite struct {
	name string
	run  func(ctx context.Context, b *bench) error
}

var suites = []suite{
	{"streams", streams},
	{"sampling", sampling},
	{"prefix", sharedPrefix},
	{"checkpoints", copiedPrefix},
	{"longprompt", longPrompt},
	{"json", structured},
	{"cancels", cancels},
	{"flood", flood},
	{"openloop", openLoop},
}

func names() []string {
	var list []string
	for _, s := range suites {
		list = append(list, s.name)
	}
	return list
}

// choose returns the suites named, or all.
func choose(only string) ([]suite, error) {
	if only == "" {
		return suites, nil
	}
	var chosen []suite
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, s := range suites {
			if s.name == name {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no suite is called %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	return chosen, nil
}

// setup returns what the servers of a suite are started with.
func (b *bench) setup(name, model string, context, slots int) setup {
	s := setup{model: model, context: context, slots: slots, threads: b.threads}
	if b.profiles != "" {
		s.profile = filepath.Join(b.profiles, name+".prof")
	}
	return s
}

// servers starts the worker and, where one was given, llama-server, which is
// nil else.
func (b *bench) servers(ctx context.Context, s setup) (ours, other *server, stop func(), err error) {
	if ours, err = b.worker(ctx, s); err != nil {
		return nil, nil, nil, err
	}
	if b.llama != "" {
		if other, err = b.other(ctx, s); err != nil {
			ours.stop()
			return nil, nil, nil, err
		}
	}
	return ours, other, func() {
		ours.stop()
		if other != nil {
			other.stop()
		}
	}, nil
}

// pick returns the value for a full or a quick run.
func pick[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}

// text returns n random letters, which are n tokens to the random models, so
// that no two prompts begin alike.
func text(n int) string {
	var s strings.Builder
	for range n {
		s.WriteByte(random.Letters[rand.IntN(len(random.Letters))])
	}
	return s.String()
}

// prompts returns n requests of as many prompt tokens and tokens to generate.
func prompts(n, in, out int, fields map[string]any) []request {
	list := make([]request, n)
	for i := range list {
		list[i] = request{user: text(in - random.PromptTokens(0)), tokens: out, fields: fields}
	}
	return list
}

// whole returns why the load is no measurement: an answer that failed, or a
// prompt of another length than was meant.
func (l load) whole(in int) error {
	if err := l.failed(); err != nil {
		return err
	}
	for _, a := range l.answers {
		if in > 0 && a.prompt != in && !a.left {
			return fmt.Errorf("a prompt of %d tokens was counted as %d", in, a.prompt)
		}
	}
	return nil
}

// warm has a server answer a few requests, so that what is done once is done.
func warm(ctx context.Context, servers ...*server) error {
	var errs []error
	for _, s := range servers {
		if s != nil {
			errs = append(errs, s.together(ctx, prompts(2, 32, 8, nil)).whole(32))
		}
	}
	return errors.Join(errs...)
}
