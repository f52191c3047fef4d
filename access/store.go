package access

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Files of a Store in its folder.
const (
	keysFile   = "keys.json"
	pepperFile = "keys.pepper" // protects the hashes in keysFile
	lockFile   = "keys.lock"   // held while keysFile is written anew
)

// A Store is the API keys in a folder. They can be made, rotated and revoked
// by any process that may write there: each change is made under a lock, to a
// file that replaces the one before it. A Store takes over the changes of
// others when it is told to [Store.Look].
//
// It is a file and no database, for it is small, read whole, changes seldom,
// and has to be there before anything else is. Its methods may be called
// concurrently.
type Store struct {
	dir     string
	changed func() // is called after each change; nil: nothing is
	mu      sync.Mutex
	last    fs.FileInfo // of the file when it was last looked at; nil: it was not there; guarded by mu
	now     atomic.Pointer[snapshot]
}

// A Key is an API key, without its secret.
type Key struct {
	Name     string            `json:"name"`
	User     string            `json:"user,omitempty"`   // see [Identity]
	Labels   map[string]string `json:"labels,omitempty"` // for whoever keeps the keys; they mean nothing here
	Scopes   Scopes            `json:"scopes,omitzero"`
	Limits   Limits            `json:"limits,omitzero"`
	Priority int               `json:"priority,omitempty"`
	Admin    bool              `json:"admin,omitempty"`
	Metrics  bool              `json:"metrics,omitempty"`
	Inside   bool              `json:"inside,omitempty"`

	Created time.Time `json:"created,omitzero"`
	Rotated time.Time `json:"rotated,omitzero"` // when it last got a new secret
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Revoked time.Time `json:"revoked,omitzero"` // zero: it is not
	Hint    string    `json:"hint,omitempty"`   // some characters of the secret, to know it by
}

// Active reports whether the key opens anything at a time.
func (k *Key) Active(at time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || at.Before(k.Expires))
}

// A Denial says which tokens are no longer taken, although they are signed and
// have not expired: the one of a jti, or those of a user that were issued before
// some time. It may be forgotten when they would all have expired.
type Denial struct {
	ID     string    `json:"jti,omitempty"`
	User   string    `json:"user,omitempty"`  // as logs call it, such as staff:ann
	Before time.Time `json:"before,omitzero"` // with User
	Until  time.Time `json:"until,omitzero"`  // zero: for ever
}

// over reports whether the denial may be forgotten.
func (d Denial) over(at time.Time) bool { return !d.Until.IsZero() && !at.Before(d.Until) }

// A record is a key as it is stored.
type record struct {
	Key
	Hash   hash      `json:"hash"`
	Before hash      `json:"before,omitzero"` // of the secret before it was rotated
	Grace  time.Time `json:"grace,omitzero"`  // until when that one is taken
}

// A book is what the file holds.
type book struct {
	Version int      `json:"version"`
	Keys    []record `json:"keys"`
	Denied  []Denial `json:"denied,omitempty"`
}

const bookVersion = 1

// A snapshot is the book as it is asked. It does not change.
type snapshot struct {
	pepper pepper
	byHash map[hash]claim
	keys   []Key             // sorted by name
	denied map[string]Denial // by jti
	users  map[string]Denial // likewise, by user
	any    bool              // there is a key, or once was
}

// A claim is what a secret is of.
type claim struct {
	key   *Key
	until time.Time // zero: as long as the key
}

// OpenStore returns the Store in a folder, which may be empty or not there yet:
// the first change makes it. From then on changed is called after each change,
// unless it is nil.
func OpenStore(dir string, changed func()) (*Store, error) {
	s := &Store{dir: dir}
	s.now.Store(&snapshot{})
	if _, err := s.Look(); err != nil {
		return nil, err
	}
	s.changed = changed
	return s, nil
}

// tell tells that something has changed. s.mu is not held.
func (s *Store) tell() {
	if s.changed != nil {
		s.changed()
	}
}

func (s *Store) path() string { return filepath.Join(s.dir, keysFile) }

// Look reads the file again where it has changed, and reports whether it has.
// While what is there cannot be read, the keys stay as they were; the error is
// returned once for each change.
func (s *Store) Look() (changed bool, err error) {
	defer func() {
		if changed {
			s.tell()
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	info, _ := os.Stat(s.path())
	if alike(info, s.last) {
		return false, nil
	}
	s.last = info
	b, p, err := s.read()
	if err != nil {
		return false, err
	}
	s.adopt(b, p)
	return true, nil
}

// alike reports whether a file looks as it did, or is gone as it was.
func alike(is, was fs.FileInfo) bool {
	if is == nil || was == nil {
		return is == was
	}
	return os.SameFile(is, was) && is.Size() == was.Size() && is.ModTime().Equal(was.ModTime())
}

// read reads what the file holds, and the pepper, where there is a file.
func (s *Store) read() (*book, pepper, error) {
	b := &book{Version: bookVersion}
	text, err := readOwn(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the API keys: %w", err)
	}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, nil, fmt.Errorf("%s, which has the API keys, is damaged (%w): restore it from a copy, or remove it and make all keys anew", s.path(), err)
	}
	if b.Version != bookVersion {
		return nil, nil, fmt.Errorf("%s is of version %d, and this program reads version %d: use the program that wrote it", s.path(), b.Version, bookVersion)
	}
	p, err := readPepper(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s is gone, without which no API key in %s can be told: restore it from a copy, or remove that file too and make all keys anew", filepath.Join(s.dir, pepperFile), keysFile)
	}
	return b, p, err
}

// adopt has the keys of b count from now on. s.mu is held.
func (s *Store) adopt(b *book, p pepper) {
	next := &snapshot{pepper: p, byHash: make(map[hash]claim), denied: make(map[string]Denial), users: make(map[string]Denial)}
	next.any = s.now.Load().any || len(b.Keys) > 0
	for i := range b.Keys {
		r := &b.Keys[i]
		next.byHash[r.Hash] = claim{&r.Key, time.Time{}}
		if r.Before != (hash{}) {
			next.byHash[r.Before] = claim{&r.Key, r.Grace}
		}
		next.keys = append(next.keys, r.Key)
	}
	slices.SortFunc(next.keys, func(a, b Key) int { return cmp.Compare(a.Name, b.Name) })
	for _, d := range b.Denied {
		if d.User != "" {
			next.users[d.User] = d
		} else {
			next.denied[d.ID] = d
		}
	}
	s.now.Store(next)
}

// Any reports whether there is a key, active or not, or has been since the Store
// was opened.
func (s *Store) Any() bool { return s.now.Load().any }

// List returns all keys, those that are revoked or expired too, by their names.
func (s *Store) List() []Key { return slices.Clone(s.now.Load().keys) }

// Check returns whose key the secret is. A secret is looked up by its keyed
// hash, so that how long it takes says nothing about any other secret.
func (s *Store) Check(_ context.Context, secret string) (Identity, error) {
	now := s.now.Load()
	if len(secret) > MaxSecretLength {
		return Identity{}, unknown()
	}
	c, ok := now.byHash[now.pepper.hash(secret)]
	at := time.Now()
	switch {
	case !ok && isMistyped(secret):
		return Identity{}, &Refusal{Code: invalidKey, Text: "The API key is not whole: its checksum is wrong. Copy it again, all of it."}
	case !ok:
		return Identity{}, unknown()
	case !c.key.Revoked.IsZero():
		return Identity{}, &Refusal{Code: revokedKey, Text: "The API key was revoked. Ask whoever runs this server for another."}
	case !c.key.Active(at):
		return Identity{}, &Refusal{Code: "expired_api_key", Text: fmt.Sprintf("The API key expired on %s. Ask whoever runs this server for another.", c.key.Expires.UTC().Format(time.RFC3339))}
	case !c.until.IsZero() && !at.Before(c.until):
		return Identity{}, &Refusal{Code: "rotated_api_key", Text: "The API key has a new secret, and this is the old one. Ask whoever runs this server for the new one."}
	}
	k := c.key
	who := Identity{Name: k.Name, User: k.User, Admin: k.Admin, Metrics: k.Metrics, Priority: k.Priority, Inside: k.Inside, Scopes: k.Scopes, Limits: k.Limits, Proof: Proof{Made: true}}
	return who.Narrowed(), nil
}

// stands reports whether there is a key of that name which was not revoked.
func (s *Store) stands(name string) bool {
	keys := s.now.Load().keys
	i, is := slices.BinarySearchFunc(keys, name, func(k Key, name string) int { return cmp.Compare(k.Name, name) })
	return is && keys[i].Revoked.IsZero()
}

// Denied reports whether a token is denied that names a user. Of a user whose
// tokens are denied up to some time, one that does not say when it was issued is
// as well.
func (s *Store) Denied(user string, p Proof) bool {
	now, at := s.now.Load(), time.Now()
	if d, denied := now.denied[p.ID]; denied && p.ID != "" && !d.over(at) {
		return true
	}
	d, denied := now.users[user]
	return denied && !d.over(at) && !p.Issued.After(d.Before)
}

// Create makes a key with what k says, and returns it with its secret, which
// nobody can be told again.
func (s *Store) Create(k Key) (made Key, secret string, err error) {
	if err := k.check(); err != nil {
		return k, "", err
	}
	secret = newSecret()
	err = s.change(func(b *book, p pepper) error {
		if have := b.find(k.Name); have != nil {
			return fmt.Errorf("there is a key %q already%s: choose another name, for what is remembered and counted goes by it", k.Name, state(&have.Key))
		}
		k.Created, k.Rotated, k.Revoked, k.Hint = time.Now().UTC().Truncate(time.Second), time.Time{}, time.Time{}, hint(secret)
		b.Keys = append(b.Keys, record{Key: k, Hash: p.hash(secret)})
		return nil
	})
	if err != nil {
		return k, "", err
	}
	return k, secret, nil
}

// Rotate gives a key a new secret. The one that it had is taken for grace
// longer.
func (s *Store) Rotate(name string, grace time.Duration) (k Key, secret string, err error) {
	secret = newSecret()
	err = s.change(func(b *book, p pepper) error {
		r := b.find(name)
		if r == nil {
			return b.missing(name)
		}
		if !r.Active(time.Now()) {
			return fmt.Errorf("key %q opens nothing any more%s: make another one", name, state(&r.Key))
		}
		r.Before, r.Grace = hash{}, time.Time{}
		if grace > 0 {
			r.Before, r.Grace = r.Hash, time.Now().UTC().Add(grace)
		}
		r.Hash, r.Hint, r.Rotated = p.hash(secret), hint(secret), time.Now().UTC().Truncate(time.Second)
		k = r.Key
		return nil
	})
	return k, secret, err
}

// Revoke has a key open nothing any more, from now on and for good.
func (s *Store) Revoke(name string) (k Key, err error) {
	err = s.change(func(b *book, _ pepper) error {
		r := b.find(name)
		if r == nil {
			return b.missing(name)
		}
		if r.Revoked.IsZero() {
			r.Revoked = time.Now().UTC().Truncate(time.Second)
		}
		k = r.Key
		return nil
	})
	return k, err
}

// maxDenied is how many denials are kept: each is read again with every change.
const maxDenied = 100_000

// Deny has tokens taken no more. Denials whose time is over are forgotten.
func (s *Store) Deny(d Denial) error {
	switch {
	case (d.ID == "") == (d.User == ""):
		return errors.New("want either the jti of a token, or the user whose tokens are meant")
	case len(d.ID) > maxEntry || len(d.User) > maxEntry:
		return fmt.Errorf("the jti of a token and the name of a user have at most %d characters, not %d", maxEntry, len(d.ID)+len(d.User))
	case d.User != "" && d.Before.IsZero():
		return errors.New("of a user, want the time before which tokens were issued that are meant")
	}
	return s.change(func(b *book, _ pepper) error {
		now := time.Now()
		b.Denied = slices.DeleteFunc(b.Denied, func(have Denial) bool {
			return have.ID == d.ID && have.User == d.User || have.over(now)
		})
		if len(b.Denied) >= maxDenied {
			return fmt.Errorf("%d tokens are revoked already, and no more are kept: give each an end with --for, or have their issuer change its key", len(b.Denied))
		}
		b.Denied = append(b.Denied, d)
		return nil
	})
}

// change changes what the file holds, as it is now. Whoever else would change it
// waits.
func (s *Store) change(with func(*book, pepper) error) (err error) {
	defer func() {
		if err == nil {
			s.tell()
		}
	}()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of the API keys: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("changing the API keys: %w", err)
	}
	defer lock.Close() // and the lock with it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("waiting for another change of the API keys: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, p, err := s.read()
	if err == nil && p == nil {
		p, err = makePepper(s.dir)
	}
	if err != nil {
		return err
	}
	if err := with(b, p); err != nil {
		return err
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(s.path(), append(text, '\n')); err != nil {
		return fmt.Errorf("writing the API keys: %w", err)
	}
	s.last, _ = os.Stat(s.path())
	s.adopt(b, p)
	return nil
}

func (b *book) find(name string) *record {
	for i := range b.Keys {
		if b.Keys[i].Name == name {
			return &b.Keys[i]
		}
	}
	return nil
}

func (b *book) missing(name string) error {
	var names []string
	for _, r := range b.Keys {
		names = append(names, r.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no key %q, and no other: make one with bendi key create", name)
	}
	return fmt.Errorf("there is no key %q; there are: %s", name, strings.Join(names, ", "))
}

// state says in brackets why a key opens nothing, or nothing where it does.
func state(k *Key) string {
	switch {
	case !k.Revoked.IsZero():
		return " (revoked)"
	case !k.Active(time.Now()):
		return " (expired)"
	}
	return ""
}

// Bounds of what a key may be given.
const (
	maxName    = 64
	maxEntries = 256 // routes, models or labels
	maxEntry   = 256 // bytes of one
)

// isName reports whether a key may be called so.
func isName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return name != "" && len(name) <= maxName && strings.Trim(name, letters) == "" && !strings.ContainsAny(name[:1], "._-")
}

// check returns what is wrong with what a key is to be.
func (k *Key) check() error {
	entry := func(what, text string) error {
		if text == "" || len(text) > maxEntry || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("a %s of a key has 1 to %d bytes and no control characters", what, maxEntry)
		}
		return nil
	}
	var errs []error
	if !isName(k.Name) {
		errs = append(errs, fmt.Errorf("the name of a key has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxName))
	}
	if k.User != "" {
		errs = append(errs, entry("user", k.User))
	}
	if n := max(len(k.Labels), len(k.Scopes.Routes), len(k.Scopes.Models)); n > maxEntries {
		errs = append(errs, fmt.Errorf("a key has at most %d labels, routes and models each, not %d", maxEntries, n))
	}
	for _, name := range slices.Sorted(maps.Keys(k.Labels)) {
		errs = append(errs, entry("label's name", name), entry("label", k.Labels[name]))
	}
	for _, route := range k.Scopes.Routes {
		errs = append(errs, entry("route", route))
		if !strings.HasPrefix(route, "/") && route != "*" {
			errs = append(errs, fmt.Errorf("a route is a path such as /v1/chat, or begins as one and ends in *"))
		}
	}
	for _, model := range k.Scopes.Models {
		errs = append(errs, entry("model", model))
	}
	if k.Priority < -MaxPriority || k.Priority > MaxPriority {
		errs = append(errs, fmt.Errorf("a priority is %d to %d, not %d", -MaxPriority, MaxPriority, k.Priority))
	}
	if !k.Expires.IsZero() && !k.Expires.After(time.Now()) {
		errs = append(errs, fmt.Errorf("the key would have expired already, on %s", k.Expires.UTC().Format(time.RFC3339)))
	}
	errs = append(errs, k.Limits.Check())
	return errors.Join(errs...)
}
