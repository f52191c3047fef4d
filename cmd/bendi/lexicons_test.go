package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bendi/config"
	"bendi/filter/lexicon"
)

// words writes a file of words and returns its path.
func words(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

const shopWords = "name: shop\nversion: \"1\"\nupdated: 2026-11-25\ncategories:\n  rivals:\n    level: 2\n    words: [某某商城]\n"

func TestLibraryReads(t *testing.T) {
	dir := t.TempDir()
	yaml := words(t, dir, "shop.yaml", shopWords)
	words(t, dir, "a.txt", "词一词\n词二词\n")
	words(t, dir, "b.txt", "词三词\n")
	l, err := newLibrary([]config.Lexicon{
		{Path: config.Starter},
		{Path: config.Words(yaml)},
		{Path: config.Words(filepath.Join(dir, "*.txt")), Category: "ads", Shadow: true},
	}, slog.New(slog.DiscardHandler), watching("default"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range l.list() {
		names = append(names, b.Name)
	}
	if got, want := strings.Join(names, " "), "starter shop a b"; got != want {
		t.Errorf("it has %s, want %s", got, want)
	}
	if v := l.shelf.Current().Version(); !strings.Contains(v, "shop 1") || strings.Contains(v, "a ") {
		t.Errorf("in force is %s", v)
	}
	if l.shadow.Current() == nil || len(l.measured()) != 2 {
		t.Errorf("the shadow is %v, in force are %v", l.shadow.Current(), l.measured())
	}
}

// Everything that is wrong with all files is told at once, by line.
func TestLibraryFaults(t *testing.T) {
	dir := t.TempDir()
	one := words(t, dir, "one.yaml", "name: one\nversion: \"1\"\nupdated: 2026-11-25\ncategories:\n  ads:\n    level: 9\n    words: [词一词]\n")
	two := words(t, dir, "two.yaml", "- x\n")
	_, err := newLibrary([]config.Lexicon{
		{Path: config.Words(one)}, {Path: config.Words(two)},
		{Path: config.Words(filepath.Join(dir, "none.yaml"))}, {Path: config.Words(filepath.Join(dir, "*.none"))},
	}, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{one + ":6:", two + ":1:", "lexicons[2].path: there is no file", "lexicons[3].path: no file is like"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if _, ok := errors.AsType[lexicon.Faults](err); !ok {
		t.Errorf("%T are no faults of a lexicon", err)
	}
}

// A changed file is read again, and a faulty one leaves the rules in force.
func TestLibraryWatches(t *testing.T) {
	dir := t.TempDir()
	path := words(t, dir, "shop.yaml", shopWords)
	var log lockedText
	l, err := newLibrary([]config.Lexicon{{Path: config.Words(path)}}, slog.New(slog.NewTextHandler(&log, nil)), watching("default"))
	if err != nil {
		t.Fatal(err)
	}
	l.every = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	told, done := make(chan error, 10), make(chan struct{})
	go func() {
		defer close(done)
		l.watch(ctx, func(err error) { told <- err }, func() {})
	}()
	defer func() {
		cancel()
		<-done
	}()
	next := func() error {
		t.Helper()
		select {
		case err := <-told:
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("the change was not noticed")
			return nil
		}
	}
	version := func() string { return l.shelf.Current().Version() }

	words(t, dir, "shop.yaml", strings.Replace(shopWords, `"1"`, `"2"`, 1))
	if err := next(); err != nil || !strings.Contains(version(), "shop 2") {
		t.Errorf("after a change: %v, %s", err, version())
	}
	words(t, dir, "shop.yaml", "name: shop\n  bad")
	if err := next(); err == nil || !strings.Contains(version(), "shop 2") {
		t.Errorf("after a fault: %v, %s", err, version())
	}
	if text := log.String(); !strings.Contains(text, path+":1:") || !strings.Contains(text, "the rules in force stay") {
		t.Errorf("the log does not say what is wrong:\n%s", text)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := next(); err == nil || errors.Is(err, fs.ErrExist) || !strings.Contains(version(), "shop 2") {
		t.Errorf("without the file: %v, %s", err, version())
	}
	words(t, dir, "shop.yaml", strings.Replace(shopWords, `"1"`, `"3"`, 1))
	if err := next(); err != nil || !strings.Contains(version(), "shop 3") {
		t.Errorf("with the file again: %v, %s", err, version())
	}
}

type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
