package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"bendi/config"
	"bendi/filter"
	"bendi/filter/lexicon"
	"bendi/metrics"
)

// A library is the lexicons of a configuration and the rules made of them. It
// reads them again when their files change: what cannot be read leaves the
// rules in force as they are.
type library struct {
	specs  []config.Lexicon
	log    *slog.Logger
	shelf  *filter.Shelf // of the lexicons in force
	shadow *filter.Shelf // of those in the shadow; its rules are nil where there are none
	every  time.Duration // lookEvery

	policies []*filter.Policy // that the rules are for

	mu    sync.Mutex // guards what is below, and keeps two from reading at once
	books []book     // without their words, which the rules have
	seen  []stamp    // of the files that the books were made of
}

// A book is a lexicon that was read.
type book struct {
	*lexicon.Lexicon
	shadow bool
	words  int
}

// spine returns b without what takes memory.
func (b book) spine() book {
	l := *b.Lexicon
	l.Words, l.Allow, l.Categories = nil, nil, nil
	b.Lexicon = &l
	return b
}

// A stamp is how a file looked when it was last read.
type stamp struct {
	path    string
	size    int64
	changed time.Time
	inode   uint64
}

// newLibrary reads the lexicons, for policies. Its error names everything that is wrong with
// them.
func newLibrary(specs []config.Lexicon, log *slog.Logger, policies ...*filter.Policy) (*library, error) {
	l := &library{specs: specs, log: log, every: lookEvery, policies: policies}
	l.seen, _ = l.stamps()
	books, rules, shadow, err := l.read()
	if err != nil {
		return nil, err
	}
	l.books, l.shelf, l.shadow = books, filter.NewShelf(rules), filter.NewShelf(shadow)
	return l, nil
}

// read reads all files and compiles what is in them. Of the books only the
// spines are left.
func (l *library) read() ([]book, *filter.Rules, *filter.Rules, error) {
	books, err := readBooks(l.specs)
	if err != nil {
		return nil, nil, nil, err
	}
	rules, err := compile(books, false, l.policies...)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, p := range l.policies {
		if err := fits(p, rules); err != nil {
			return nil, nil, nil, fmt.Errorf("filters.%s does not go with these lexicons: %w", p.Name, err)
		}
	}
	var shadow *filter.Rules
	if slices.ContainsFunc(books, func(b book) bool { return b.shadow }) {
		if shadow, err = compile(books, true, l.policies...); err != nil {
			return nil, nil, nil, fmt.Errorf("lexicons in the shadow: %w", err)
		}
	}
	for i := range books {
		books[i] = books[i].spine()
	}
	return books, rules, shadow, nil
}

// compile makes the rules of the books that are in the shadow, or of those that
// are not, for policies; without any, for all.
func compile(books []book, shadow bool, policies ...*filter.Policy) (*filter.Rules, error) {
	var lexicons []*lexicon.Lexicon
	for _, b := range books {
		if b.shadow == shadow {
			lexicons = append(lexicons, b.Lexicon)
		}
	}
	return filter.Compile(lexicons, policies...)
}

// readBooks reads the lexicons of a configuration.
func readBooks(specs []config.Lexicon) ([]book, error) {
	var books []book
	var errs []error
	for i, spec := range specs {
		if spec.Path.IsStarter() {
			starter := lexicon.Starter()
			books = append(books, book{starter, spec.Shadow, len(starter.Words)})
			continue
		}
		paths, err := filesOf(spec)
		if err != nil {
			errs = append(errs, fmt.Errorf("lexicons[%d].path: %w", i, err))
			continue
		}
		for _, path := range paths {
			read, err := lexicon.Load(path, optionsOf(spec))
			if err != nil {
				errs = append(errs, err)
				continue
			}
			books = append(books, book{read, spec.Shadow, len(read.Words)})
		}
	}
	return books, errors.Join(errs...)
}

// filesOf returns the files of a lexicon of the configuration, sorted.
func filesOf(spec config.Lexicon) ([]string, error) {
	path := string(spec.Path)
	if !strings.ContainsAny(path, "*?[") {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no file %s: correct the path, or put the file there", path)
		}
		return []string{path}, nil
	}
	paths, err := filepath.Glob(path)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no file is like %s: correct the pattern, or put files there", path)
	}
	return paths, nil
}

// optionsOf says how the files of a lexicon are read.
func optionsOf(spec config.Lexicon) lexicon.Options {
	o := lexicon.Options{Category: spec.Category, Level: spec.Level}
	if len(spec.Tags) > 0 {
		o.Tags = spec.Tags
	}
	if o.Level == 0 && (o.Category != "" || o.Tags != nil) {
		o.Level = 2
	}
	return o
}

// stampOf returns how a file looks now. One that cannot be looked at has an
// empty stamp, which differs from that of when it could; a pipe always has.
func stampOf(path string) stamp {
	s := stamp{path: path}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		s.size, s.changed = info.Size(), info.ModTime()
		if sys, ok := info.Sys().(*syscall.Stat_t); ok {
			s.inode = sys.Ino
		}
	}
	return s
}

// stamps returns how the files look now.
func (l *library) stamps() ([]stamp, error) {
	var all []stamp
	var errs []error
	for _, spec := range l.specs {
		if spec.Path.IsStarter() {
			continue
		}
		paths, err := filesOf(spec)
		errs = append(errs, err)
		for _, path := range paths {
			all = append(all, stampOf(path))
		}
	}
	return all, errors.Join(errs...)
}

// lookEvery is how often the files are looked at. A change counts once they
// look the same twice in a row: who writes a file may not have finished.
const lookEvery = time.Second

// watch reads the lexicons again when their files change, until ctx ends. It
// tells of each time, and tick of each look.
func (l *library) watch(ctx context.Context, told func(err error), tick func()) {
	ticker := time.NewTicker(l.every)
	defer ticker.Stop()
	last := l.seen
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now, _ := l.stamps()
			if changed := !slices.Equal(now, l.seen); changed && slices.Equal(now, last) {
				told(l.reload(now))
			}
			last = now
			tick()
		}
	}
}

// reload reads the lexicons again. On a fault, the rules in force stay, and
// the files are not read again before they change.
func (l *library) reload(seen []stamp) error {
	begin := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = seen
	books, rules, shadow, err := l.read()
	if err != nil {
		l.log.Error("filter: the changed lexicons were not taken; the rules in force stay", "rules", l.shelf.Current().Version(), "err", err)
		return err
	}
	l.books = books
	old := l.shelf.Swap(rules)
	l.shadow.Swap(shadow)
	words := 0
	for _, b := range books {
		words += b.words
	}
	l.log.Info("filter: other lexicons are in force", "rules", rules.Version(), "before", old.Version(),
		"lexicons", len(books), "words", words, "took", time.Since(begin).Round(time.Millisecond))
	return nil
}

// stampsRead returns how the files looked when they were read.
func (l *library) stampsRead() []stamp {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seen)
}

// list returns the books as they are.
func (l *library) list() []book {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.books)
}

// measured returns the books that are in force, for the metrics.
func (l *library) measured() []metrics.Lexicon {
	var all []metrics.Lexicon
	for _, b := range l.list() {
		if !b.shadow {
			all = append(all, metrics.Lexicon{Name: b.Name, Version: b.Version, Words: b.words})
		}
	}
	return all
}
