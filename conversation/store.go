package conversation

import (
	"context"
	"errors"
	"iter"
	"time"
)

// A Store keeps sessions for a while. It may be used concurrently. What it
// returns is its caller's.
//
// A context that ends, ends a call soon. The error of a write that failed says
// nothing about whether it was done.
type Store interface {
	// Load returns what is stored of a session, or [ErrNotFound]. Where ttl is
	// above 0 it is kept for at least half of that from now on.
	Load(ctx context.Context, key Key, ttl time.Duration) (Value, error)

	// Save stores a session for a ttl from now, where the version of what is
	// stored is was, or nothing is stored and was is 0. Otherwise it changes
	// nothing and returns [ErrConflict]. To save the same value again is no
	// conflict.
	Save(ctx context.Context, key Key, was uint64, v Value, ttl time.Duration) error

	// Delete forgets a session, and reports whether there was one. When it
	// returns without an error no file of the store holds a byte of it.
	Delete(ctx context.Context, key Key) (bool, error)

	// List returns sessions of an owner, those used last first, and what to
	// give as after for those that follow; empty: none do. Where it never gave
	// that, it returns [ErrPlace].
	List(ctx context.Context, owner Owner, after string, limit int) (heads []Head, next string, err error)

	// DeleteAll deletes all sessions of an owner, and returns how many.
	DeleteAll(ctx context.Context, owner Owner) (int, error)

	// All yields the keys of all sessions. One that is stored meanwhile may be
	// left out, and a key may come twice.
	All(ctx context.Context) iter.Seq2[Key, error]

	Close() error
}

// A Leaser is a [Store] that several gateways share. A lease of a session is
// what they hold while they answer a turn of it. Delete ends it, and so does
// DeleteAll for each session of the owner that has one.
type Leaser interface {
	// Begin takes the lease of a session and, where it is the caller's then,
	// does what Load does.
	Begin(ctx context.Context, key Key, l Lease, ttl time.Duration) (v Value, ours bool, err error)
	// Renew renews the lease, where it is the caller's, and reports whether it is.
	Renew(ctx context.Context, key Key, l Lease) (bool, error)
	// Finish does what Save does and ends the lease. Where was is 0, that is a
	// conflict unless the lease is the caller's: a session that was deleted is
	// not begun by a turn from before. Where it fails, the lease may still be
	// the caller's.
	Finish(ctx context.Context, key Key, was uint64, v Value, ttl time.Duration, token string) error
	// Release ends the lease, where it is the caller's.
	Release(ctx context.Context, key Key, token string) error
}

// A Lease is held by whoever knows its token, for a time after it was taken or
// renewed last. The token begins with the gateway's name. A gateway answers one
// turn of a session at a time, so what it finds under its name, and did not take
// just now, is left from a turn that gave up, or comes late from one: Begin takes
// it over.
type Lease struct {
	Gateway string // not empty
	Token   string
	Time    time.Duration
}

// A Value is a session as it is stored. Versions are drawn at random: they say
// whether something has changed, not in which order.
type Value struct {
	Version uint64 // at least 1, at most 1<<63 - 1
	Data    []byte
}

// A Head is what a [Store] knows of a session.
type Head struct {
	ID      string
	Used    time.Time // when it was stored last
	Expires time.Time
	Bytes   int // as it is stored
}

var (
	ErrNotFound = errors.New("there is no such session")
	ErrConflict = errors.New("the session has changed meanwhile")
	ErrMixedUp  = errors.New("the store answered with another session than was asked for")
	ErrPlace    = errors.New("no list of sessions goes on from there")
)
