// Package storetest says what a [conversation.Store] has to do, as tests that
// each of them runs, and has one that keeps everything in memory.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bendi/conversation"
)

// Run tests the stores that open makes. Each is of its own, or at least has
// nothing of the owners of the others; t closes none.
func Run(t *testing.T, open func(t *testing.T) conversation.Store) {
	t.Run("what is saved is loaded", func(t *testing.T) {
		s, key := open(t), conversation.Key{Owner: "shop/anna", ID: "a:1"}
		if _, err := s.Load(t.Context(), key, 0); !errors.Is(err, conversation.ErrNotFound) {
			t.Fatalf("before: %v, want ErrNotFound", err)
		}
		for i, data := range [][]byte{{0, 1, 2, 0xff}, []byte("{}"), bytes.Repeat([]byte("long "), 100_000)} {
			v := conversation.Value{Version: uint64(i + 1), Data: data}
			if err := s.Save(t.Context(), key, uint64(i), v, time.Minute); err != nil {
				t.Fatal(err)
			}
			got, err := s.Load(t.Context(), key, time.Minute)
			if err != nil || got.Version != v.Version || !bytes.Equal(got.Data, v.Data) {
				t.Fatalf("version %d: loaded version %d with %d bytes, %v", v.Version, got.Version, len(got.Data), err)
			}
		}
	})

	t.Run("versions up to 1<<63-1 are told apart", func(t *testing.T) {
		s, key := open(t), conversation.Key{Owner: "o", ID: "big"}
		const big = 1<<63 - 1
		save(t, s, key, 0, big-1)
		if err := s.Save(t.Context(), key, big, conversation.Value{Version: 5, Data: []byte("x")}, time.Minute); !errors.Is(err, conversation.ErrConflict) {
			t.Errorf("a neighbour's version: %v, want ErrConflict", err)
		}
		save(t, s, key, big-1, big)
		if v := load(t, s, key); v.Version != big {
			t.Errorf("version %d, want %d", v.Version, uint64(big))
		}
	})

	t.Run("a write that has not seen the last is a conflict", func(t *testing.T) {
		s, key := open(t), conversation.Key{Owner: "o", ID: "x"}
		v := func(n uint64) conversation.Value {
			return conversation.Value{Version: n, Data: fmt.Append(nil, n)}
		}
		for _, step := range []struct {
			was, version uint64
			conflict     bool
			now          uint64
		}{
			{7, 1, true, 0}, // nothing is there
			{0, 10, false, 10},
			{0, 11, true, 10},  // something is
			{9, 11, true, 10},  // something else is
			{10, 4, false, 4},  // versions need not grow
			{10, 4, false, 4},  // the same again, as after a lost reply
			{10, 12, true, 4},  // from what is past
			{4, 13, false, 13}, // and on
		} {
			err := s.Save(t.Context(), key, step.was, v(step.version), time.Minute)
			if step.conflict != errors.Is(err, conversation.ErrConflict) || !step.conflict && err != nil {
				t.Errorf("saving %d over %d: %v", step.version, step.was, err)
			}
			if step.now == 0 {
				continue
			}
			if got := load(t, s, key); got.Version != step.now || string(got.Data) != fmt.Sprint(step.now) {
				t.Errorf("after saving %d over %d: version %d of %q, want %d", step.version, step.was, got.Version, got.Data, step.now)
			}
		}
	})

	t.Run("of many writers at once one wins", func(t *testing.T) {
		s, key := open(t), conversation.Key{Owner: "o", ID: "race"}
		save(t, s, key, 0, 1)
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				switch err := s.Save(t.Context(), key, 1, conversation.Value{Version: uint64(100 + i), Data: []byte("x")}, time.Minute); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, conversation.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 20 writers were told that they won", won.Load())
		}
	})

	t.Run("owners do not notice each other", func(t *testing.T) {
		s := open(t)
		owners := []conversation.Owner{"", "a", "a/b", "/a", "a%2Fb", "A"}
		for i, o := range owners {
			save(t, s, conversation.Key{Owner: o, ID: "same"}, 0, uint64(i+1))
		}
		for i, o := range owners {
			if v := load(t, s, conversation.Key{Owner: o, ID: "same"}); v.Version != uint64(i+1) {
				t.Errorf("owner %q has version %d, want %d", o, v.Version, i+1)
			}
			heads, next, err := s.List(t.Context(), o, "", 10)
			if err != nil || len(heads) != 1 || next != "" || heads[0].ID != "same" {
				t.Errorf("owner %q lists %v, %q, %v", o, heads, next, err)
			}
		}
		if n, err := s.DeleteAll(t.Context(), "a"); n != 1 || err != nil {
			t.Errorf("deleting all of a: %d, %v", n, err)
		}
		for _, o := range owners {
			_, err := s.Load(t.Context(), conversation.Key{Owner: o, ID: "same"}, 0)
			if gone := errors.Is(err, conversation.ErrNotFound); gone != (o == "a") {
				t.Errorf("owner %q after deleting all of a: %v", o, err)
			}
		}
	})

	t.Run("what has expired is gone, and is renewed by use", func(t *testing.T) {
		s := open(t)
		short, kept := conversation.Key{Owner: "ttl", ID: "short"}, conversation.Key{Owner: "ttl", ID: "kept"}
		const ttl = 400 * time.Millisecond
		for _, key := range []conversation.Key{short, kept} {
			if err := s.Save(t.Context(), key, 0, conversation.Value{Version: 1, Data: []byte("x")}, ttl); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Load(t.Context(), kept, time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * ttl)
		if _, err := s.Load(t.Context(), short, 0); !errors.Is(err, conversation.ErrNotFound) {
			t.Errorf("after its time: %v, want ErrNotFound", err)
		}
		if _, err := s.Load(t.Context(), kept, 0); err != nil {
			t.Errorf("renewed: %v", err)
		}
		if heads, _, err := s.List(t.Context(), "ttl", "", 10); err != nil || len(heads) != 1 || heads[0].ID != "kept" {
			t.Errorf("listed: %v, %v", heads, err)
		}
		save(t, s, short, 0, 2) // its name is free
	})

	t.Run("what is deleted is gone", func(t *testing.T) {
		s, key := open(t), conversation.Key{Owner: "d", ID: "x"}
		save(t, s, key, 0, 1)
		for _, want := range []bool{true, false} {
			if was, err := s.Delete(t.Context(), key); was != want || err != nil {
				t.Errorf("Delete = %v, %v, want %v", was, err, want)
			}
		}
		if _, err := s.Load(t.Context(), key, 0); !errors.Is(err, conversation.ErrNotFound) {
			t.Errorf("Load: %v", err)
		}
		if heads, _, err := s.List(t.Context(), "d", "", 10); len(heads) != 0 || err != nil {
			t.Errorf("List: %v, %v", heads, err)
		}
		if err := s.Save(t.Context(), key, 1, conversation.Value{Version: 2, Data: []byte("x")}, time.Minute); !errors.Is(err, conversation.ErrConflict) {
			t.Errorf("a turn that began before: %v, want ErrConflict", err)
		}
	})

	t.Run("lists page through, the last used first", func(t *testing.T) {
		s := open(t)
		var want []string
		for i := range 7 {
			id := fmt.Sprint("s", i)
			save(t, s, conversation.Key{Owner: "l", ID: id}, 0, 1)
			want = append([]string{id}, want...)
			time.Sleep(3 * time.Millisecond)
		}
		var got []string
		after := ""
		for {
			heads, next, err := s.List(t.Context(), "l", after, 3)
			if err != nil || len(heads) > 3 {
				t.Fatalf("%d heads, %v", len(heads), err)
			}
			for _, h := range heads {
				got = append(got, h.ID)
				if h.Bytes == 0 || time.Since(h.Used) > time.Minute || time.Until(h.Expires) > 2*time.Minute || time.Until(h.Expires) < 0 {
					t.Errorf("head %+v", h)
				}
			}
			if after = next; after == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("listed %v, want %v", got, want)
		}
		if _, _, err := s.List(t.Context(), "l", "nowhere", 3); !errors.Is(err, conversation.ErrPlace) {
			t.Errorf("a list from nowhere: %v, want ErrPlace", err)
		}
		if n, err := s.DeleteAll(t.Context(), "l"); n != 7 || err != nil {
			t.Errorf("DeleteAll = %d, %v, want 7", n, err)
		}
	})

	t.Run("all keys are yielded", func(t *testing.T) {
		s := open(t)
		want := map[conversation.Key]bool{}
		for i := range 300 {
			key := conversation.Key{Owner: conversation.OwnerOf("p {}*", fmt.Sprint("u", i%3)), ID: fmt.Sprint("i:", i)}
			save(t, s, key, 0, 1)
			want[key] = true
		}
		for key, err := range s.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			delete(want, key)
		}
		if len(want) > 0 {
			t.Errorf("%d of 300 keys were not yielded", len(want))
		}
	})

	t.Run("an ended context ends a call", func(t *testing.T) {
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Save(ctx, conversation.Key{Owner: "c", ID: "c"}, 0, conversation.Value{Version: 1, Data: []byte("x")}, time.Minute); err == nil {
			t.Error("Save did not fail")
		}
		if _, err := s.Load(ctx, conversation.Key{Owner: "c", ID: "c"}, 0); err == nil || errors.Is(err, conversation.ErrNotFound) {
			t.Errorf("Load: %v", err)
		}
	})

	t.Run("a turn begins and ends with its lease", func(t *testing.T) {
		s, ok := open(t).(conversation.Leaser)
		if !ok {
			t.Skip("this store has no leases: one program alone uses it")
		}
		key := conversation.Key{Owner: "l", ID: "turn"}
		begin := func(token string, ours bool, version uint64) {
			t.Helper()
			v, got, err := s.Begin(t.Context(), key, conversation.Lease{Gateway: token, Token: token, Time: time.Minute}, time.Minute)
			if ours && version == 0 && errors.Is(err, conversation.ErrNotFound) {
				err = nil
			}
			if got != ours || v.Version != version || err != nil {
				t.Errorf("Begin(%s) = %d, %v, %v, want %d, %v", token, v.Version, got, err, version, ours)
			}
		}
		finish := func(token string, was, version uint64, want error) {
			t.Helper()
			err := s.Finish(t.Context(), key, was, conversation.Value{Version: version, Data: []byte("x")}, time.Minute, token)
			if !errors.Is(err, want) {
				t.Errorf("Finish(%s, %d, %d) = %v, want %v", token, was, version, err, want)
			}
		}
		begin("a", true, 0)
		begin("b", false, 0)
		finish("a", 0, 1, nil)
		begin("b", true, 1)
		finish("b", 7, 2, conversation.ErrConflict) // and the lease is kept
		begin("c", false, 0)
		finish("a", 1, 3, nil) // the version is right; which ends no lease of another's
		begin("c", false, 0)
		finish("b", 3, 4, nil)
		begin("c", true, 4)
	})

	t.Run("a lease has one holder", func(t *testing.T) {
		s, ok := open(t).(conversation.Leaser)
		if !ok {
			t.Skip("this store has no leases: one program alone uses it")
		}
		key := conversation.Key{Owner: "l", ID: "lease"}
		const long, short = time.Minute, 300 * time.Millisecond
		for i, step := range []struct {
			act, token string
			time       time.Duration
			want       bool
		}{
			{"renew", "a", long, false}, // it has to be taken first
			{"begin", "a", long, true},
			{"begin", "b", long, false},
			{"renew", "b", long, false},
			{"renew", "a", long, true},
			{"release", "b", 0, true}, // of what is not its own: nothing
			{"begin", "b", long, false},
			{"release", "a", 0, true},
			{"renew", "a", long, false}, // it is gone
			{"begin", "b", short, true},
			{"sleep", "", 2 * short, true},
			{"renew", "b", long, false},
			{"begin", "c", long, true},
			{"delete", "", 0, true},
			{"renew", "c", long, false},
			{"begin", "d", long, true},
			{"delete all", "", 0, true},
			{"renew", "d", long, false},
			{"begin", "e", long, true},
			{"begin", "e2", long, true}, // of the same gateway
			{"renew", "e", long, false},
			{"renew", "e2", long, true},
			{"begin", "f", long, false},
		} {
			got, err := true, error(nil)
			switch l := (conversation.Lease{Gateway: step.token[:min(1, len(step.token))], Token: step.token, Time: step.time}); step.act {
			case "begin":
				if _, got, err = s.Begin(t.Context(), key, l, time.Minute); errors.Is(err, conversation.ErrNotFound) {
					err = nil
				}
			case "renew":
				got, err = s.Renew(t.Context(), key, l)
			case "release":
				err = s.Release(t.Context(), key, step.token)
			case "sleep":
				time.Sleep(step.time)
			case "delete":
				_, err = s.(conversation.Store).Delete(t.Context(), key)
			case "delete all":
				_, err = s.(conversation.Store).DeleteAll(t.Context(), key.Owner)
			}
			if got != step.want || err != nil {
				t.Errorf("step %d: %s(%s) = %v, %v, want %v", i, step.act, step.token, got, err, step.want)
			}
		}
	})
}

func save(t *testing.T, s conversation.Store, key conversation.Key, was, version uint64) {
	t.Helper()
	if err := s.Save(t.Context(), key, was, conversation.Value{Version: version, Data: []byte("some data")}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, s conversation.Store, key conversation.Key) conversation.Value {
	t.Helper()
	v, err := s.Load(t.Context(), key, 0)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
