package storetest

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"

	"bendi/conversation"
)

// A Store keeps sessions in memory, for tests. Its zero value is empty.
type Store struct {
	// Fault, where it is there, is asked before each call and may fail it, or
	// take its time. It is not to be changed while calls run.
	Fault func(ctx context.Context) error

	mu     sync.Mutex
	values map[conversation.Key]entry
}

type entry struct {
	conversation.Value
	used, expires time.Time
}

// begin locks the store for a call.
func (s *Store) begin(ctx context.Context) error {
	if s.Fault != nil {
		if err := s.Fault(ctx); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	if s.values == nil {
		s.values = make(map[conversation.Key]entry)
	}
	for key, e := range s.values {
		if !time.Now().Before(e.expires) {
			delete(s.values, key)
		}
	}
	return nil
}

func (s *Store) Load(ctx context.Context, key conversation.Key, ttl time.Duration) (conversation.Value, error) {
	if err := s.begin(ctx); err != nil {
		return conversation.Value{}, err
	}
	defer s.mu.Unlock()
	e, ok := s.values[key]
	if !ok {
		return conversation.Value{}, conversation.ErrNotFound
	}
	if ttl > 0 {
		e.expires = time.Now().Add(ttl)
		s.values[key] = e
	}
	e.Data = slices.Clone(e.Data)
	return e.Value, nil
}

func (s *Store) Save(ctx context.Context, key conversation.Key, was uint64, v conversation.Value, ttl time.Duration) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if is := s.values[key].Version; is != was && is != v.Version {
		return conversation.ErrConflict
	}
	now := time.Now()
	s.values[key] = entry{v, now, now.Add(ttl)}
	return nil
}

func (s *Store) Delete(ctx context.Context, key conversation.Key) (bool, error) {
	if err := s.begin(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	_, was := s.values[key]
	delete(s.values, key)
	return was, nil
}

func (s *Store) List(ctx context.Context, owner conversation.Owner, after string, limit int) ([]conversation.Head, string, error) {
	if err := s.begin(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	var all []conversation.Head
	for key, e := range s.values {
		if key.Owner == owner {
			all = append(all, conversation.Head{ID: key.ID, Used: e.used, Expires: e.expires, Bytes: len(e.Data)})
		}
	}
	slices.SortFunc(all, func(a, b conversation.Head) int { return cmp.Or(b.Used.Compare(a.Used), cmp.Compare(a.ID, b.ID)) })
	skip := 0
	if after != "" {
		n, err := strconv.Atoi(after)
		if err != nil || n < 0 {
			return nil, "", conversation.ErrPlace
		}
		skip = n
	}
	all = all[min(skip, len(all)):]
	if len(all) > limit {
		return all[:limit], strconv.Itoa(skip + limit), nil
	}
	return all, "", nil
}

func (s *Store) DeleteAll(ctx context.Context, owner conversation.Owner) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	n := 0
	for key := range s.values {
		if key.Owner == owner {
			delete(s.values, key)
			n++
		}
	}
	return n, nil
}

func (s *Store) All(ctx context.Context) iter.Seq2[conversation.Key, error] {
	return func(yield func(conversation.Key, error) bool) {
		if err := s.begin(ctx); err != nil {
			yield(conversation.Key{}, err)
			return
		}
		var keys []conversation.Key
		for key := range s.values {
			keys = append(keys, key)
		}
		s.mu.Unlock()
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

// Dump calls f for each value, as it is stored.
func (s *Store) Dump(f func(key conversation.Key, v conversation.Value)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range s.values {
		f(key, e.Value)
	}
}

// Close does nothing.
func (s *Store) Close() error { return nil }
