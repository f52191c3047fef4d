// Package sqlite keeps sessions in a file, by SQLite.
//
// It is for one program: the file has a single writer, which puts what is
// written at the same time into one transaction. What a call has acknowledged
// survives the death of the program, kill -9 included; with [Full] it survives
// a loss of power as well. What is deleted, by a call or since it expired, is
// overwritten, in the log as in the file.
//
// A file that is damaged, or is not ours, is an error that names it. It is
// never replaced or repaired behind anybody's back.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"bendi/conversation"
)

// A Sync says what an acknowledged write survives.
type Sync string

const (
	Normal Sync = "normal" // the death of the program; a loss of power may undo the last moments, and damages nothing
	Full   Sync = "full"   // a loss of power as well: each write waits for the disk
)

// A Store is a [conversation.Store] in a file.
type Store struct {
	path  string
	read  *sql.DB
	write *sql.DB // of one connection, which the writer alone uses

	load, list          *sql.Stmt // of read
	insert, again, move *sql.Stmt // of write
	writes              chan *write
	closing             chan struct{}
	stopped             chan struct{} // closed when the writer has ended
	closed              sync.Once
	wg                  sync.WaitGroup
	count               atomic.Int64
}

var _ conversation.Store = (*Store)(nil)

// application marks a file as one of ours: "Bend".
const application = 0x42656e64

// schemas are the steps from an empty file to the current schema. The version
// of a file is how many of them it has gone.
var schemas = []string{`
	CREATE TABLE sessions (
		owner   TEXT    NOT NULL,
		id      TEXT    NOT NULL,
		version INTEGER NOT NULL,
		used    INTEGER NOT NULL, -- milliseconds since 1970
		expires INTEGER NOT NULL, -- likewise
		data    BLOB    NOT NULL
	);
	CREATE UNIQUE INDEX sessions_key ON sessions (owner, id);
	CREATE INDEX sessions_used ON sessions (owner, used);
	CREATE INDEX sessions_expires ON sessions (expires);`, `
	ALTER TABLE sessions ADD COLUMN slot INTEGER NOT NULL DEFAULT 0; -- of used, in tens of minutes since 1970
	ALTER TABLE sessions ADD COLUMN due INTEGER NOT NULL DEFAULT 0; -- slot in which it has expired, from its beginning on
	DROP INDEX sessions_used;
	DROP INDEX sessions_expires;
	UPDATE sessions SET slot = used / 600000, due = (expires + 599999) / 600000;
	CREATE INDEX sessions_slot ON sessions (owner, slot);
	CREATE INDEX sessions_due ON sessions (due);`,
}

// slotTime is the grain, in milliseconds, of the times that are looked for:
// what is used again within it changes no index. What has expired stays in the
// file for that long at the most, until it is swept.
const slotTime = 600_000

func slotOf(used int64) int64   { return used / slotTime }
func dueOf(expires int64) int64 { return (expires + slotTime - 1) / slotTime }

// Open opens a file, and makes it where there is none.
func Open(path string, sync Sync) (_ *Store, err error) {
	// SQLite gives its other files the rights of this one.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the file of sessions: %w", err)
	}
	f.Close()
	s := &Store{path: path, writes: make(chan *write, 256), closing: make(chan struct{}), stopped: make(chan struct{})}
	defer func() {
		if err != nil {
			s.release()
			err = s.fault(err)
		}
	}()
	pragmas := []string{"busy_timeout(5000)", "journal_mode(WAL)", "secure_delete(1)", "synchronous(" + strings.ToUpper(string(sync)) + ")", "cache_size(-16384)"}
	if s.write, err = sql.Open("sqlite", address(path, pragmas...)); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	if err := migrate(s.write); err != nil {
		return nil, err
	}
	if s.insert, err = s.write.Prepare(`INSERT INTO sessions (owner, id, version, used, expires, slot, due, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (owner, id) DO UPDATE SET version = excluded.version, used = excluded.used, expires = excluded.expires, slot = excluded.slot, due = excluded.due, data = excluded.data
		WHERE expires <= excluded.used OR version = excluded.version`); err != nil {
		return nil, err
	}
	if s.again, err = s.write.Prepare(`UPDATE sessions SET version = ?, used = ?, expires = ?, data = ? WHERE owner = ? AND id = ? AND version IN (?, ?)
		AND used BETWEEN ? AND ? AND expires BETWEEN ? AND ?`); err != nil {
		return nil, err
	}
	if s.move, err = s.write.Prepare(`UPDATE sessions SET version = ?, used = ?, expires = ?, data = ?, slot = ?, due = ? WHERE owner = ? AND id = ? AND version IN (?, ?)`); err != nil {
		return nil, err
	}
	if s.read, err = sql.Open("sqlite", address(path, "busy_timeout(5000)", "query_only(1)", "cache_size(-16384)")); err != nil {
		return nil, err
	}
	s.read.SetMaxOpenConns(4)
	s.read.SetMaxIdleConns(4)
	if s.load, err = s.read.Prepare(`SELECT version, expires, data FROM sessions WHERE owner = ? AND id = ? AND expires > ?`); err != nil {
		return nil, err
	}
	if s.list, err = s.read.Prepare(`SELECT id, used, expires, length(data) FROM sessions
		WHERE owner = ? AND expires > ? AND (slot, used, id) < (?, ?, ?) ORDER BY slot DESC, used DESC, id DESC LIMIT ?`); err != nil {
		return nil, err
	}
	if err := s.recount(context.Background()); err != nil {
		return nil, err
	}
	s.wg.Go(s.writer)
	s.wg.Go(s.sweeper)
	return s, nil
}

// address returns the name that the driver opens a file by.
func address(path string, pragmas ...string) string {
	u := url.URL{Scheme: "file", Path: path}
	if !strings.HasPrefix(path, "/") {
		u = url.URL{Scheme: "file", Opaque: url.PathEscape(path)}
	}
	u.RawQuery = url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}.Encode()
	return u.String()
}

// migrate brings a file to the current schema.
func migrate(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var id, version, tables int
	for query, to := range map[string]*int{"PRAGMA application_id": &id, "PRAGMA user_version": &version, "SELECT count(*) FROM sqlite_schema": &tables} {
		if err := tx.QueryRow(query).Scan(to); err != nil {
			return err
		}
	}
	switch {
	case id != application && (id != 0 || version != 0 || tables != 0):
		return errors.New("it is a database of another program; name another file")
	case version > len(schemas):
		return fmt.Errorf("a later version of this program has written it: its schema is %d, this program knows %d", version, len(schemas))
	}
	if version == len(schemas) {
		return nil
	}
	for _, schema := range schemas[version:] {
		if _, err := tx.Exec(schema); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", application, len(schemas))); err != nil {
		return err
	}
	return tx.Commit()
}

// fault says what is wrong with the file and what to do.
func (s *Store) fault(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("the file of sessions %s is damaged: put a copy of it back, or move it away and begin without its sessions: %w", s.path, err)
		case sqlite3.SQLITE_FULL:
			return fmt.Errorf("the disk of the file of sessions %s is full: make room; nothing that was stored is lost: %w", s.path, err)
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
			return fmt.Errorf("the file of sessions %s cannot be written, or the folder it is in: %w", s.path, err)
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return fmt.Errorf("the file of sessions %s is in use by another program: each bendi needs one of its own, or Redis: %w", s.path, err)
		}
	}
	if errors.Is(err, fs.ErrClosed) || errors.Is(err, sql.ErrConnDone) {
		return errClosed
	}
	return fmt.Errorf("the file of sessions %s: %w", s.path, err)
}

var errClosed = errors.New("the file of sessions is closed")

// Load returns what is stored of a session.
func (s *Store) Load(ctx context.Context, key conversation.Key, ttl time.Duration) (conversation.Value, error) {
	if ctx.Err() != nil {
		return conversation.Value{}, context.Cause(ctx)
	}
	var version, expires int64
	var v conversation.Value
	now := time.Now()
	err := s.load.QueryRowContext(ctx, string(key.Owner), key.ID, now.UnixMilli()).Scan(&version, &expires, &v.Data)
	if errors.Is(err, sql.ErrNoRows) {
		return conversation.Value{}, conversation.ErrNotFound
	}
	if err != nil {
		return conversation.Value{}, s.fault(err)
	}
	v.Version = uint64(version)
	if ttl > 0 && time.UnixMilli(expires).Sub(now) < ttl/2 {
		to := now.Add(ttl).UnixMilli()
		err = s.do(ctx, func(tx conn) error {
			_, err := tx.Exec(`UPDATE sessions SET expires = max(expires, ?), due = max(due, ?) WHERE owner = ? AND id = ?`, to, dueOf(to), string(key.Owner), key.ID)
			return err
		})
	}
	return v, err
}

// Save stores a session.
func (s *Store) Save(ctx context.Context, key conversation.Key, was uint64, v conversation.Value, ttl time.Duration) error {
	now := time.Now()
	used, expires := now.UnixMilli(), now.Add(ttl).UnixMilli()
	owner, id, version := string(key.Owner), key.ID, int64(v.Version)
	return s.do(ctx, func(tx conn) error {
		if was == 0 {
			return changed(tx.Stmt(s.insert).Exec(owner, id, version, used, expires, slotOf(used), dueOf(expires), v.Data))
		}
		slot, due := slotOf(used), dueOf(expires)
		err := changed(tx.Stmt(s.again).Exec(version, used, expires, v.Data, owner, id, int64(was), version,
			slot*slotTime, (slot+1)*slotTime-1, (due-1)*slotTime+1, due*slotTime))
		if err != conversation.ErrConflict {
			return err
		}
		return changed(tx.Stmt(s.move).Exec(version, used, expires, v.Data, slot, due, owner, id, int64(was), version))
	})
}

func changed(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return conversation.ErrConflict
}

// Delete forgets a session.
func (s *Store) Delete(ctx context.Context, key conversation.Key) (bool, error) {
	n, err := s.remove(ctx, `DELETE FROM sessions WHERE owner = ? AND id = ? RETURNING expires`, string(key.Owner), key.ID)
	if err != nil {
		return false, err
	}
	return n > 0, s.Erase(ctx)
}

// DeleteAll deletes all sessions of an owner.
func (s *Store) DeleteAll(ctx context.Context, owner conversation.Owner) (int, error) {
	all := 0
	for {
		// In steps, so that others get their turn.
		n, err := s.remove(ctx, `DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE owner = ? LIMIT 500) RETURNING expires`, string(owner))
		if err != nil {
			return all, err
		}
		all += n
		if n == 0 {
			return all, s.Erase(ctx)
		}
	}
}

// remove deletes rows, and returns how many of them had not expired.
func (s *Store) remove(ctx context.Context, query string, args ...any) (n int, err error) {
	now := time.Now().UnixMilli()
	err = s.do(ctx, func(tx conn) error {
		n = 0
		rows, err := tx.Query(query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var expires int64
			if err := rows.Scan(&expires); err != nil {
				return err
			}
			if expires > now {
				n++
			}
		}
		return rows.Err()
	})
	return n, err
}

// List returns sessions of an owner, those used last first.
func (s *Store) List(ctx context.Context, owner conversation.Owner, after string, limit int) ([]conversation.Head, string, error) {
	used, id := int64(1<<63-1), ""
	if after != "" {
		text, rest, _ := strings.Cut(after, " ")
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, "", conversation.ErrPlace
		}
		used, id = n, rest
	}
	rows, err := s.list.QueryContext(ctx, string(owner), time.Now().UnixMilli(), slotOf(used), used, id, limit+1)
	if err != nil {
		return nil, "", s.fault(err)
	}
	defer rows.Close()
	var heads []conversation.Head
	for rows.Next() {
		var h conversation.Head
		var used, expires int64
		if err := rows.Scan(&h.ID, &used, &expires, &h.Bytes); err != nil {
			return nil, "", s.fault(err)
		}
		h.Used, h.Expires = time.UnixMilli(used), time.UnixMilli(expires)
		heads = append(heads, h)
	}
	if err := rows.Err(); err != nil {
		return nil, "", s.fault(err)
	}
	if len(heads) <= limit {
		return heads, "", nil
	}
	last := heads[limit-1]
	return heads[:limit], strconv.FormatInt(last.Used.UnixMilli(), 10) + " " + last.ID, nil
}

// All yields the keys of all sessions.
func (s *Store) All(ctx context.Context) iter.Seq2[conversation.Key, error] {
	return func(yield func(conversation.Key, error) bool) {
		for row := int64(0); ; {
			keys, last, err := s.keys(ctx, row)
			if err != nil {
				yield(conversation.Key{}, s.fault(err))
				return
			}
			for _, key := range keys {
				if !yield(key, nil) {
					return
				}
			}
			if len(keys) == 0 {
				return
			}
			row = last
		}
	}
}

func (s *Store) keys(ctx context.Context, after int64) (keys []conversation.Key, last int64, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT rowid, owner, id FROM sessions WHERE rowid > ? ORDER BY rowid LIMIT 500`, after)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var key conversation.Key
		if err := rows.Scan(&last, &key.Owner, &key.ID); err != nil {
			return nil, 0, err
		}
		keys = append(keys, key)
	}
	return keys, last, rows.Err()
}

// Count returns how many sessions the file had when they were counted last,
// which they are each minute. Some may have expired.
func (s *Store) Count() int { return int(s.count.Load()) }

func (s *Store) recount(ctx context.Context) error {
	var n int64
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM sessions`).Scan(&n)
	if err == nil {
		s.count.Store(n)
	}
	return err
}

// Verify reads the whole file and says what is wrong with it.
func (s *Store) Verify(ctx context.Context) error {
	var verdict string
	if err := s.read.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return s.fault(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("the file of sessions %s is damaged: put a copy of it back, or move it away and begin without its sessions: %s", s.path, verdict)
	}
	return nil
}

// Close waits for what is being written and closes the file.
func (s *Store) Close() error {
	s.closed.Do(func() { close(s.closing) })
	s.wg.Wait()
	return s.release()
}

func (s *Store) release() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
