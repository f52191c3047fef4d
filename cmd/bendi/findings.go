package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"bendi/filter"
	"bendi/metrics"
)

// A findings tells the log and the metrics what the filter finds. A finding is
// logged when it is the first of its rule, route, direction and action for a
// minute; the others are counted, and the count is logged at the end of that
// minute. So a flood of them does not flood the log.
type findings struct {
	log     *slog.Logger
	metrics *metrics.Filter

	mu    sync.Mutex
	begin time.Time
	seen  map[findingKey]int // how many were not logged
	more  int                // of those that seen has no room for

	looked   map[shadowKey]int // texts, by route and direction
	shadowed map[shadowKey]int // of them, those in which a lexicon in the shadow would have found something
}

type shadowKey struct{ route, direction, lexicon string }

type findingKey struct {
	route, rule, direction, action string
}

const (
	findingsWindow = time.Minute
	mostSeen       = 1000
)

func newFindings(log *slog.Logger, m *metrics.Filter) *findings {
	return &findings{log: log, metrics: m, seen: make(map[findingKey]int), looked: make(map[shadowKey]int), shadowed: make(map[shadowKey]int)}
}

// observe returns what a Guard of a route calls.
func (fs *findings) observe(route string) func(filter.Finding) {
	return func(f filter.Finding) {
		fs.metrics.Found(metrics.Found{
			Route: route, Direction: f.Direction.String(), Category: f.Category, Action: f.Action.String(), Form: f.Form.String(),
		})
		if fs.first(findingKey{route, f.Rule, f.Direction.String(), f.Action.String()}) {
			fs.tell(route, f)
		}
	}
}

// shadow counts what lexicons in the shadow would have found in a request or an
// answer: how many rules, by the lexicon's name.
func (fs *findings) shadow(route string, d filter.Direction, found map[string]int) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.turn()
	fs.looked[shadowKey{route, d.String(), ""}]++
	for lexicon, n := range found {
		fs.shadowed[shadowKey{route, d.String(), lexicon}]++
		for i := range n {
			fs.metrics.Shadowed(route, d.String(), lexicon, i == 0)
		}
	}
}

// first reports whether a finding is to be logged.
func (fs *findings) first(key findingKey) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.turn()
	switch n, again := fs.seen[key]; {
	case again:
		fs.seen[key] = n + 1
	case len(fs.seen) >= mostSeen:
		fs.more++
	default:
		fs.seen[key] = 0
		return true
	}
	return false
}

// flush logs what was counted, if its minute is over.
func (fs *findings) flush() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.turn()
}

// turn begins the next minute when it is time. Its caller holds mu.
func (fs *findings) turn() {
	if now := time.Now(); fs.begin.IsZero() {
		fs.begin = now
	} else if now.Sub(fs.begin) >= findingsWindow {
		fs.begin = now
		fs.sum()
	}
}

// close logs what was counted and has not been told.
func (fs *findings) close() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.sum()
}

func (fs *findings) sum() {
	for key, n := range fs.seen {
		if n > 0 {
			fs.log.Info("filter: found again", "route", key.route, "rule", key.rule, "direction", key.direction, "action", key.action, "times", n)
		}
	}
	if fs.more > 0 {
		fs.log.Warn("filter: more findings than the log has room for; the metrics count them all", "times", fs.more)
	}
	for key, n := range fs.shadowed {
		fs.log.Info("filter: a lexicon in the shadow would have found something",
			"route", key.route, "direction", key.direction, "lexicon", key.lexicon, "times", n, "of", fs.looked[shadowKey{key.route, key.direction, ""}])
	}
	clear(fs.shadowed)
	clear(fs.looked)
	clear(fs.seen)
	fs.more = 0
}

// tell logs one finding. It has a word of the text only where the policy
// reveals it.
func (fs *findings) tell(route string, f filter.Finding) {
	attrs := []slog.Attr{
		slog.String("route", route), slog.String("policy", f.Policy), slog.String("direction", f.Direction.String()),
		slog.String("action", f.Action.String()), slog.String("rule", f.Rule), slog.String("category", f.Category),
		slog.Int("level", f.Level), slog.String("form", f.Form.String()), slog.String("field", f.Field),
		slog.Int("start", f.Start), slog.Int("end", f.End),
	}
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	text("risk", f.Risk)
	text("hash", f.Hash)
	text("request", f.Request)
	text("key", f.Principal)
	text("model", f.Model)
	text("rules", f.Rules)
	text("note", f.Note)
	text("text", strings.ToValidUTF8(f.Text, "\uFFFD"))
	if f.History {
		attrs = append(attrs, slog.Bool("history", true))
	}
	if f.Across {
		attrs = append(attrs, slog.Bool("across", true))
	}
	level := slog.LevelInfo
	if f.Action >= filter.Block || f.Action == filter.Review {
		level = slog.LevelWarn
	}
	fs.log.LogAttrs(context.Background(), level, "filter: found", attrs...)
}
