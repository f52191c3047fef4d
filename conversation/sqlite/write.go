package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"bendi/conversation"
)

// A write is something to do in a transaction.
type write struct {
	ctx  context.Context
	do   func(conn) error
	done chan error // has room for one
}

// A conn is what a write is done by.
type conn interface {
	Exec(query string, args ...any) (sql.Result, error)
	Query(query string, args ...any) (*sql.Rows, error)
	Stmt(*sql.Stmt) *sql.Stmt
}

// alone does a write that is of one statement and shares its transaction with
// none: the database begins and ends that by itself, at half the cost.
type alone struct{ *sql.DB }

func (alone) Stmt(s *sql.Stmt) *sql.Stmt { return s }

// mostTogether is how many writes one transaction has.
const mostTogether = 128

// do has the writer do something. An [conversation.ErrConflict] of it is its
// own; any other error undoes what shares its transaction.
func (s *Store) do(ctx context.Context, f func(conn) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w := &write{ctx, f, make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.closing:
		return errClosed
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
	case <-s.stopped:
	}
	select {
	case err := <-w.done:
		return err
	default:
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // it may be done all the same
	}
	return errClosed // it came when the writer had looked for the last time
}

// writer does what there is to write, until the store is closed and nothing
// is left.
func (s *Store) writer() {
	defer close(s.stopped)
	for {
		select {
		case w := <-s.writes:
			s.together(w)
		case <-s.closing:
			for {
				select {
				case w := <-s.writes:
					w.done <- errClosed
				default:
					return
				}
			}
		}
	}
}

// together does a write, and those that wait already, in one transaction.
func (s *Store) together(first *write) {
	batch := []*write{first}
	for len(batch) < mostTogether {
		select {
		case w := <-s.writes:
			batch = append(batch, w)
			continue
		default:
		}
		break
	}
	results := make([]error, len(batch))
	err := s.transaction(batch, results)
	for i, w := range batch {
		if err != nil {
			results[i] = s.fault(err)
		}
		w.done <- results[i]
	}
}

func (s *Store) transaction(batch []*write, results []error) error {
	if len(batch) == 1 {
		results[0] = batch[0].perform(alone{s.write})
		if errors.Is(results[0], conversation.ErrConflict) || batch[0].ctx.Err() != nil {
			return nil
		}
		return results[0]
	}
	tx, err := s.write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i, w := range batch {
		switch err := w.perform(tx); {
		case errors.Is(err, conversation.ErrConflict), w.ctx.Err() != nil && err != nil:
			results[i] = err
		case err != nil:
			return err
		}
	}
	return tx.Commit()
}

// perform does a write, unless nobody waits for it any more.
func (w *write) perform(tx conn) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return w.do(tx)
}

// How often what has expired is looked for, and how much of it is deleted at
// once.
const (
	sweepTime = time.Minute
	sweepSize = 500
	eraseTime = 5 * time.Second
)

// sweeper deletes what has expired.
func (s *Store) sweeper() {
	tick := time.NewTicker(sweepTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.sweep(context.Background())
			s.recount(context.Background())
		case <-s.closing:
			return
		}
	}
}

// sweep deletes what has expired, in steps that others' writes go between.
func (s *Store) sweep(ctx context.Context) error {
	swept := false
	for {
		n := 0
		err := s.do(ctx, func(tx conn) error {
			r, err := tx.Exec(`DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE due <= ? LIMIT ?)`, slotOf(time.Now().UnixMilli()), sweepSize)
			if err != nil {
				return err
			}
			rows, err := r.RowsAffected()
			n = int(rows)
			return err
		})
		swept = swept || n > 0
		switch {
		case err != nil:
			return err
		case n == sweepSize:
			continue
		case swept:
			return s.Erase(ctx)
		}
		return nil
	}
}

// Erase has no file hold what was replaced: it empties the log, where what was
// deleted still stands. It waits for those that are reading from it.
func (s *Store) Erase(ctx context.Context) error {
	until := time.Now().Add(eraseTime)
	for {
		var busy, log, moved int
		err := s.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved)
		switch {
		case err != nil:
			return s.fault(err)
		case busy == 0:
			return nil
		case time.Now().After(until):
			return fmt.Errorf("what was deleted is gone, but still stands in the log of %s, which is being read from: delete it again", s.path)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
