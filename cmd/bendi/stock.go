package main

import (
	"slices"
	"sync"
)

// A stock has what configurations share: what several of them describe alike
// is one thing, made for the first that takes it, and ended when the last has
// given it back.
type stock[D, T any] struct {
	alike func(a, b D) bool
	end   func(T) // nil: there is nothing to end

	mu    sync.Mutex
	items []*item[D, T]
}

// An item is a thing, with how it is described and how many have it.
type item[D, T any] struct {
	description D
	thing       T
	takers      int
}

// take returns the thing of a description, which make makes where there is
// none, and how to give it back. Nobody else may take of the same meanwhile.
func (s *stock[D, T]) take(d D, make func() (T, error)) (thing T, back func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.items, func(it *item[D, T]) bool { return s.alike(it.description, d) })
	if i < 0 {
		s.mu.Unlock() // it may take long, and others give back what they have
		thing, err = make()
		s.mu.Lock()
		if err != nil {
			return thing, nil, err
		}
		i = len(s.items)
		s.items = append(s.items, &item[D, T]{description: d, thing: thing})
	}
	it := s.items[i]
	it.takers++
	return it.thing, sync.OnceFunc(func() { s.giveBack(it) }), nil
}

func (s *stock[D, T]) giveBack(it *item[D, T]) {
	s.mu.Lock()
	it.takers--
	last := it.takers == 0
	if last {
		s.items = slices.DeleteFunc(s.items, func(other *item[D, T]) bool { return other == it })
	}
	s.mu.Unlock()
	if last && s.end != nil {
		s.end(it.thing)
	}
}
