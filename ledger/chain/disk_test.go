package chain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A full disk takes so many bytes more, and syncs as long as it is let to.
type full struct {
	disk
	*room
}

type room struct {
	mu   sync.Mutex
	left int
	bad  bool // it does not sync
}

func (r *room) set(left int, bad bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left, r.bad = left, bad
}

func (f full) WriteAt(b []byte, at int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(b), f.left)
	f.left -= n
	if m, err := f.disk.WriteAt(b[:n], at); err != nil || m < len(b) {
		return m, errors.Join(err, syscall.ENOSPC)
	}
	return n, nil
}

func (f full) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bad {
		return syscall.EIO
	}
	return f.disk.Sync()
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// While the disk is full there is never half a line, and once it is not any more
// all goes on without a new start: with Block nothing is lost, and else a line
// says how much is.
func TestFullDisk(t *testing.T) {
	for _, block := range []bool{true, false} {
		for _, bad := range []bool{true, false} {
			t.Run(fmt.Sprintf("block=%t,sync=%t", block, bad), func(t *testing.T) {
				dir, r := t.TempDir(), &room{left: 1 << 30}
				l := open(t, Options{Dir: dir, Block: block, Queue: 20, testOnlyRetry: 5 * time.Millisecond,
					testOnlyDisk: func(f *os.File) disk { return full{f, r} }})
				kept, refused := 0, uint64(0)
				put := func() {
					if err := l.Reserve(); err != nil {
						refused++
						return
					}
					kept++
					l.Keep("request", fmt.Appendf(nil, `{"n":%d}`, kept))
				}
				if bad {
					r.set(1<<30, true)
				} else {
					r.set(1000, false)
				}
				for !l.Stats().Failing {
					put()
					time.Sleep(time.Millisecond)
				}
				for range 50 {
					put()
				}
				if !bad {
					if rep := verified(t, dir, VerifyOptions{}); rep.Rest != 0 || len(rep.Problems) > 0 {
						t.Errorf("half a line of %d bytes, %v", rep.Rest, rep.Problems)
					}
				}
				r.set(1<<30, false)
				eventually(t, "it writes again", func() bool { return !l.Stats().Failing })
				put()
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				rep, got := whole(t, dir, VerifyOptions{}), requests(t, dir)
				if block && (got != kept || rep.Refused != refused || refused == 0 || rep.Lost != 0) {
					t.Errorf("%d of %d lines, %d of %d refused", got, kept, rep.Refused, refused)
				}
				if !block && (uint64(got)+rep.Lost != uint64(kept) || rep.Lost == 0) {
					t.Errorf("%d of %d lines, %d lost", got, kept, rep.Lost)
				}
			})
		}
	}
}

// A real full disk, where there may be one.
func TestSmallDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk takes root; TestFullDisk has one that only behaves so")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("mounting a small disk: ", err)
	}
	defer syscall.Unmount(dir, 0)
	filler := filepath.Join(dir, "filler")
	os.WriteFile(filler, make([]byte, 100<<10), 0o600)
	l := open(t, Options{Dir: filepath.Join(dir, "ledger"), Block: true, MaxFile: 32 << 10, testOnlyRetry: 5 * time.Millisecond})
	kept := 0
	put := func() error {
		err := l.Reserve()
		if err == nil {
			kept++
			l.Keep("request", fmt.Appendf(nil, `{"n":%d,"text":"%0500d"}`, kept, 0))
		}
		return err
	}
	for put() == nil {
		time.Sleep(100 * time.Microsecond)
	}
	if r := verified(t, l.Dir, VerifyOptions{}); r.Rest != 0 || len(r.Problems) > 0 {
		t.Errorf("half a line of %d bytes, %v", r.Rest, r.Problems)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it writes again", func() bool { return put() == nil })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole(t, l.Dir, VerifyOptions{})
	if got := requests(t, l.Dir); got != kept {
		t.Errorf("%d of %d lines", got, kept)
	}
}

// A disk that has no room from the beginning is waited for.
func TestNoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	os.WriteFile(dir, nil, 0o600)
	if _, err := Open(Options{Dir: dir, Block: true}); err == nil {
		t.Error("a file is no folder")
	}
	l := open(t, Options{Dir: dir, testOnlyRetry: time.Millisecond})
	l.Add("request", []byte("{}"))
	os.Remove(dir)
	eventually(t, "it writes", func() bool { return !l.Stats().Failing && l.Stats().Waiting == 0 })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole(t, dir, VerifyOptions{})
	if n := requests(t, dir); n != 1 {
		t.Errorf("%d lines", n)
	}
}
