package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/inference/watch"
)

// A shelf knows the adapters by name and by their number, which is the place
// in it, from 1; 0 is the model without any. What has no name is gone, and its
// number free for another.
type shelf struct {
	mu    sync.Mutex
	books []*book
}

// A book is an adapter on the shelf.
type book struct {
	name  string
	users int           // requests that are answered with it
	gone  bool          // nobody else may begin
	idle  chan struct{} // closed when it is gone and nobody uses it
}

func newShelf(names []string) *shelf {
	s := new(shelf)
	for _, name := range names {
		s.books = append(s.books, &book{name: name})
	}
	return s
}

// names returns those of the adapters that there are, sorted.
func (s *shelf) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, b := range s.books {
		if b.name != "" && !b.gone {
			names = append(names, b.name)
		}
	}
	slices.Sort(names)
	return names
}

// find returns the number of an adapter, or -1.
func (s *shelf) find(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index(name)
}

func (s *shelf) index(name string) int {
	i := slices.IndexFunc(s.books, func(b *book) bool { return b.name == name && !b.gone })
	if name == "" || i < 0 {
		return -1
	}
	return i + 1
}

// hold keeps an adapter from going until it is let go of.
func (s *shelf) hold(name string) (let func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.index(name)
	if n < 0 {
		return func() {}
	}
	b := s.books[n-1]
	b.users++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if b.users--; b.users == 0 && b.gone {
			close(b.idle)
		}
	}
}

// put gives a number to a new adapter, which is not there until it has its
// name.
func (s *shelf) put() (number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.books, func(b *book) bool { return b.name == "" && !b.gone })
	if i < 0 {
		i = len(s.books)
		s.books = append(s.books, nil)
	}
	s.books[i] = &book{gone: true}
	return i + 1
}

// label names an adapter, and there it is; without a name its number is free.
func (s *shelf) label(number int, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.books[number-1] = &book{name: name}
}

// take lets nobody else begin with an adapter. idle is closed when nobody
// uses it any more.
func (s *shelf) take(name string) (number int, idle <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.index(name)
	if n < 0 {
		return -1, nil
	}
	b := s.books[n-1]
	b.gone, b.idle = true, make(chan struct{})
	if b.users == 0 {
		close(b.idle)
	}
	return n, b.idle
}

// LoadAdapter loads a LoRA adapter, which is the model Name:name from then on.
// The file must have been inspected, as the model's. Answers wait while it is
// being read.
func (e *Engine) LoadAdapter(ctx context.Context, name, path string) error {
	e.changing.Lock()
	defer e.changing.Unlock()
	if e.shelf.find(name) > 0 {
		return chat.Errorf(chat.Conflict, "there is an adapter %s already: unload it first, or choose another name", name)
	}
	number := e.shelf.put()
	var observer watch.Observer = watch.Nobody{}
	if e.observe != nil {
		observer = e.observe(e.name + ":" + name)
	}
	var handle llama.AdapterLora
	err := e.loop.do(ctx, func() {
		handle, _ = llama.AdapterLoraInit(e.model, path)
		if handle != 0 {
			e.loop.takeAdapter(number, handle, e.name+":"+name, observer)
		}
	})
	switch {
	case err != nil:
		e.shelf.label(number, "")
		return err
	case handle == 0:
		e.shelf.label(number, "")
		return chat.Errorf(chat.Invalid, "llama.cpp cannot load this adapter for this model; the worker's log says why")
	}
	if err := e.embed.do(func() { e.embed.adapters = putAt(e.embed.adapters, number, handle) }); err != nil {
		return err
	}
	e.shelf.label(number, name)
	return nil
}

// putAt puts v at the place of a number that counts from 1.
func putAt[T any](list []T, number int, v T) []T {
	for len(list) < number {
		list = append(list, *new(T))
	}
	list = slices.Clone(list) // others may hold the same array
	list[number-1] = v
	return list
}

// UnloadAdapter forgets an adapter. Nobody can begin with it from here on;
// those who are being answered with it come to their end first, which it waits
// for. When ctx ends before, it goes on all the same.
func (e *Engine) UnloadAdapter(ctx context.Context, name string) error {
	number, idle := e.shelf.take(name)
	if number < 0 {
		return &chat.Error{Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "lora_name", Msg: fmt.Sprintf("there is no adapter %s; there are: %s", name, strings.Join(e.shelf.names(), ", "))}
	}
	done := make(chan error, 1)
	go func() {
		select {
		case <-idle:
			done <- e.removeAdapter(number)
		case <-e.loop.done:
			done <- e.loop.gone()
		}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// removeAdapter frees an adapter that no request uses.
func (e *Engine) removeAdapter(number int) error {
	e.changing.Lock()
	defer e.changing.Unlock()
	if err := e.embed.do(func() { e.embed.dropAdapter(number) }); err != nil {
		return err
	}
	for free := false; !free; {
		if err := e.loop.do(context.Background(), func() { free = e.loop.dropAdapter(number) }); err != nil {
			return err
		}
		if !free { // who has left is let go of between two steps
			time.Sleep(time.Millisecond)
		}
	}
	e.shelf.label(number, "")
	return nil
}

// do has the loop do something between two steps, and waits for it.
func (l *loop) do(ctx context.Context, chore func()) error {
	done := make(chan struct{})
	select {
	case l.chores <- func() { chore(); close(done) }:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.ended:
		return l.gone()
	}
	<-done
	return nil
}

// takeAdapter adds an adapter.
func (l *loop) takeAdapter(number int, handle llama.AdapterLora, model string, o watch.Observer) {
	l.adapters = putAt(l.adapters, number, handle)
	l.names = putAt(l.names, number+1, model)
	l.observers = putAt(l.observers, number+1, o)
}

// dropAdapter frees an adapter, with what was kept of it, unless a sequence
// has it still.
func (l *loop) dropAdapter(number int) bool {
	uses := func(s *sequence) bool { return s.key.adapter == number }
	if slices.ContainsFunc(l.running, uses) || slices.ContainsFunc(l.waiting, uses) {
		return false
	}
	for _, h := range l.tree.of(number) {
		l.evict(h)
	}
	l.tree.forget(number)
	if l.copies != nil {
		l.copies.forget(number)
	}
	if l.active == number {
		llama.SetAdaptersLora(l.ctx, []llama.AdapterLora{l.adapters[number-1]}, []float32{0})
		l.active, l.steps = 0, 0
	}
	llama.AdapterLoraFree(l.adapters[number-1])
	l.adapters = putAt(l.adapters, number, 0)
	return true
}

// of returns who holds something of an adapter.
func (t *prefixTree) of(adapter int) []*holder {
	var all []*holder
	for _, h := range t.holders {
		root := h.leaf
		for root.parent != nil {
			root = root.parent
		}
		for key, r := range t.roots {
			if key.adapter == adapter && r == root {
				all = append(all, h)
			}
		}
	}
	return all
}

// forget drops what is left of an adapter that nobody holds anything of.
func (t *prefixTree) forget(adapter int) {
	for key := range t.roots {
		if key.adapter == adapter {
			delete(t.roots, key)
		}
	}
}

// turnOn turns on one of the adapters, or none, and the others off.
func turnOn(ctx llama.Context, adapters []llama.AdapterLora, number int) error {
	var there []llama.AdapterLora
	var scales []float32 // 0 turns an adapter off
	for i, a := range adapters {
		if a == 0 {
			continue
		}
		there = append(there, a)
		if i+1 == number {
			scales = append(scales, 1)
		} else {
			scales = append(scales, 0)
		}
	}
	if ret := llama.SetAdaptersLora(ctx, there, scales); ret != 0 {
		return fmt.Errorf("llama_set_adapters_lora returned %d", ret)
	}
	return nil
}

// do has the embedder do something between two batches, and waits for it.
func (m *embedder) do(chore func()) error {
	m.life.Lock()
	if !m.started || m.closed {
		defer m.life.Unlock()
		chore() // nobody else touches anything
		return nil
	}
	m.life.Unlock()
	done := make(chan struct{})
	select {
	case m.chores <- func() { chore(); close(done) }:
	case <-m.done:
		return m.gone()
	}
	<-done
	return nil
}

// dropAdapter forgets an adapter.
func (m *embedder) dropAdapter(number int) {
	if m.active == number {
		m.free() // whose context it is turned on in
		m.active = 0
	}
	m.adapters = putAt(m.adapters, number, 0)
}
