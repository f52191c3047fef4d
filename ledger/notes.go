package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"
)

// notes are what is learnt about a request below whoever makes its Entry, and
// what no event tells: one that fails, or whose client leaves, may have had none.
type notes struct {
	above *notes // who listens further out; nil: nobody
	start time.Time

	mu        sync.Mutex
	arm, unit string
	object    string
	classes   []string
	sent      []Sent
}

type notesKey struct{}

// Listen returns ctx for what answers a request, and how to add what is learnt
// there to the Entry of it.
func Listen(ctx context.Context, start time.Time) (context.Context, func(*Entry)) {
	n := &notes{start: start}
	n.above, _ = ctx.Value(notesKey{}).(*notes)
	return context.WithValue(ctx, notesKey{}, n), n.tell
}

// note has everybody note something who listens.
func note(ctx context.Context, do func(*notes)) {
	n, _ := ctx.Value(notesKey{}).(*notes)
	for ; n != nil; n = n.above {
		n.mu.Lock()
		do(n)
		n.mu.Unlock()
	}
}

// Assign tells those above who make an Entry in which arm of an experiment a
// request is, and who counts in it.
func Assign(ctx context.Context, arm, unit string) {
	note(ctx, func(n *notes) { n.arm, n.unit = arm, unit })
}

// About tells what an operator's action is about, by its name. One that is no name
// such as things have here is told as a hash: it may be anything.
func About(ctx context.Context, name string) {
	if name != "" {
		note(ctx, func(n *notes) { n.object = named(name) })
	}
}

func named(name string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-"
	if len(name) <= 128 && strings.Trim(name, letters) == "" {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "~" + hex.EncodeToString(sum[:12])
}

// Found tells of the classes of data that are in a request.
func Found(ctx context.Context, classes []string) {
	if len(classes) > 0 {
		note(ctx, func(n *notes) { n.classes = classes })
	}
}

// Leaves tells that a body is about to be sent to a backend. What leaves the
// house is hashed.
func Leaves(ctx context.Context, backend string, outside bool, body []byte) {
	if ctx.Value(notesKey{}) == nil {
		return
	}
	s := Sent{Backend: backend, Outside: outside, Bytes: len(body)}
	if outside {
		sum := sha256.Sum256(body)
		s.SHA256 = hex.EncodeToString(sum[:])
	}
	note(ctx, func(n *notes) {
		s.After = time.Since(n.start)
		n.sent = append(n.sent, s)
	})
}

func (n *notes) tell(e *Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.arm != "" {
		e.Arm, e.Unit = n.arm, n.unit
	}
	if n.object != "" {
		e.Object = n.object
	}
	if len(n.classes) > 0 {
		e.Classes = n.classes
	}
	e.Sent = append(e.Sent, slices.Clone(n.sent)...)
}
