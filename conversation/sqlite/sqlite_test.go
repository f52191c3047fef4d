package sqlite_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bendi/conversation"
	"bendi/conversation/sqlite"
	"bendi/conversation/storetest"
	"bendi/internal/deptest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) conversation.Store {
		return open(t, filepath.Join(t.TempDir(), "s.db"), sqlite.Normal)
	})
}

func open(t testing.TB, path string, sync sqlite.Sync) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, sync)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// What is stored is there when the file is opened again, whatever it is called,
// and nobody else may read it.
func TestReopen(t *testing.T) {
	for _, name := range []string{"plain.db", "a file?x=1&b#c%20.db", "会话.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := open(t, path, sqlite.Full)
		key := conversation.Key{Owner: "o", ID: "x"}
		if err := s.Save(t.Context(), key, 0, conversation.Value{Version: 3, Data: []byte("x")}, time.Minute); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{path, path + "-wal"} {
			if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", f, info, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(t.Context(), key, 3, conversation.Value{Version: 4}, time.Minute); err == nil {
			t.Error("a closed store saved")
		}
		s = open(t, path, sqlite.Normal)
		if v, err := s.Load(t.Context(), key, 0); err != nil || v.Version != 3 {
			t.Errorf("%s: %v, %v", name, v, err)
		}
		if err := s.Verify(t.Context()); err != nil || s.Count() != 1 {
			t.Errorf("%d sessions, %v", s.Count(), err)
		}
	}
}

// A file of the first schema is brought up to date, and one of a later schema is
// left alone.
func TestOtherSchemas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	exec := func(query string, args ...any) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE sessions (owner TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, used INTEGER NOT NULL, expires INTEGER NOT NULL, data BLOB NOT NULL);
		CREATE UNIQUE INDEX sessions_key ON sessions (owner, id);
		CREATE INDEX sessions_used ON sessions (owner, used);
		CREATE INDEX sessions_expires ON sessions (expires);
		PRAGMA application_id = 1113943652; PRAGMA user_version = 1`)
	now := time.Now().UnixMilli()
	for i, minutes := range []int64{-30, 5, 50} {
		exec(`INSERT INTO sessions VALUES ('o', ?, 7, ?, ?, 'words')`, fmt.Sprint("s", i), now-minutes, now+minutes*60_000)
	}
	s := open(t, path, sqlite.Normal)
	heads, _, err := s.List(t.Context(), "o", "", 10)
	if err != nil || len(heads) != 2 || heads[0].ID != "s1" || heads[1].ID != "s2" {
		t.Errorf("listed %v, %v", heads, err)
	}
	key := conversation.Key{Owner: "o", ID: "s2"}
	if err := s.Save(t.Context(), key, 7, conversation.Value{Version: 8, Data: []byte("more")}, time.Hour); err != nil {
		t.Error(err)
	}
	if v, err := s.Load(t.Context(), key, time.Hour); err != nil || v.Version != 8 || string(v.Data) != "more" {
		t.Errorf("loaded %v, %v", v, err)
	}
	if heads, _, err = s.List(t.Context(), "o", "", 1); err != nil || len(heads) != 1 || heads[0].ID != "s2" {
		t.Errorf("after a turn the last used are %v, %v", heads, err)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	exec("PRAGMA user_version = 99")
	if _, err := sqlite.Open(path, sqlite.Normal); err == nil || !strings.Contains(err.Error(), "its schema is 99") {
		t.Errorf("a later schema: %v", err)
	}
}

// After a deletion no file has a byte of what was deleted, not of its older
// versions either.
func TestDeletedBytesAreGone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "s.db"), sqlite.Normal)
	secret := func(i int) string { return fmt.Sprintf("SECRET%03d", i) }
	for i := range 60 {
		owner, version := conversation.Owner(fmt.Sprint("o", i%2)), uint64(0)
		key := conversation.Key{Owner: owner, ID: secret(i)}
		for round := range 4 {
			data := strings.Repeat(secret(i)+" ", 10<<(2*round)+i) // from within a page to many
			if err := s.Save(t.Context(), key, version, conversation.Value{Version: version + 1, Data: []byte(data)}, time.Minute); err != nil {
				t.Fatal(err)
			}
			version++
		}
	}
	if found := grep(t, dir, "SECRET"); found == 0 {
		t.Fatal("the test looks in the wrong place")
	}
	if _, err := s.Delete(t.Context(), conversation.Key{Owner: "o0", ID: secret(2)}); err != nil {
		t.Fatal(err)
	}
	if found := grep(t, dir, secret(2)); found > 0 {
		t.Errorf("%d bytes of a deleted session are left", found)
	}
	if n, err := s.DeleteAll(t.Context(), "o1"); n != 30 || err != nil {
		t.Fatalf("deleted %d, %v", n, err)
	}
	for i := 1; i < 60; i += 2 {
		if found := grep(t, dir, secret(i)); found > 0 {
			t.Errorf("%s: %d bytes are left", secret(i), found)
		}
	}
	if _, err := s.Load(t.Context(), conversation.Key{Owner: "o0", ID: secret(4)}, 0); err != nil {
		t.Errorf("a session of somebody else: %v", err)
	}
}

// grep returns how many bytes of a text all files of a folder have.
func grep(t *testing.T, dir, text string) int {
	n := 0
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(data, []byte(text)) * len(text)
	}
	return n
}

// What is no file of ours, or is damaged, is an error that names it, and is
// left as it is.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	s := open(t, good, sqlite.Normal)
	for i := range 200 {
		if err := s.Save(t.Context(), conversation.Key{Owner: "o", ID: fmt.Sprint(i)}, 0, conversation.Value{Version: 1, Data: bytes.Repeat([]byte("x"), 3000)}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := bytes.Clone(whole)
	for i := 4096; i < len(spoilt); i++ {
		spoilt[i] ^= 0x5a
	}
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"text":   {[]byte(strings.Repeat("no database at all ", 100)), "is damaged"},
		"header": {append([]byte("SQLite format 4\x00"), whole[16:]...), "is damaged"},
		"spoilt": {spoilt, "is damaged"},
		"cut":    {whole[:len(whole)/2], "is damaged"},
	} {
		path := filepath.Join(dir, name+".db")
		if err := os.WriteFile(path, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		err := func() error {
			s, err := sqlite.Open(path, sqlite.Normal)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := s.Verify(t.Context()); err != nil {
				return err
			}
			return nil
		}()
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, tt.data) {
			t.Errorf("%s: the damaged file was changed", name)
		}
	}
}

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
		"bendi/config":             "settings arrive as Go values",
		"github.com/redis":         "a store is of one kind",
	})
}

func TestTenantsNeverMeet(t *testing.T) {
	storetest.TenantsNeverMeet(t, open(t, filepath.Join(t.TempDir(), "s.db"), sqlite.Normal), time.Second)
}

func TestDeletedStaysDeleted(t *testing.T) {
	storetest.DeletedStaysDeleted(t, open(t, filepath.Join(t.TempDir(), "s.db"), sqlite.Normal))
}
