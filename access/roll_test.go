package access_test

import (
	"context"
	"errors"
	"testing"

	"bendi/access"
)

// tokens takes those of its issuers.
type tokens []string

func (tokens) Check(context.Context, string) (access.Identity, error) {
	return access.Identity{}, errors.New("not asked")
}

func (t tokens) Takes(issuer string) bool {
	for _, name := range t {
		if name == issuer {
			return true
		}
	}
	return false
}

// Whoever is no longer let in is told so, once and with the reason, whatever door
// they came by; nobody else is, and nobody who has left.
func TestRoll(t *testing.T) {
	roll := new(access.Roll)
	store, err := access.OpenStore(t.TempDir(), roll.Look)
	if err != nil {
		t.Fatal(err)
	}
	create(t, store, access.Key{Name: "made"})
	create(t, store, access.Key{Name: "other"})
	door := func(issuers tokens, names ...string) *access.Door {
		d := &access.Door{Keys: new(access.Keys), Store: store, Tokens: issuers, Roll: roll}
		for _, name := range names {
			if err := d.Keys.Add(access.Identity{Name: name}, "the-long-secret-of-"+name); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	first := door(tokens{"staff", "svc"}, "file", "kept")
	ended := make(map[string]string)
	enter := func(title string, who access.Identity) (leave func()) {
		return first.Enter(who, func(err error) {
			r, ok := errors.AsType[*access.Refusal](err)
			if _, twice := ended[title]; twice || !ok {
				t.Errorf("%s is ended again, or by %v", title, err)
				return
			}
			ended[title] = r.Code
		})
	}
	token := func(issuer, user, id string) access.Identity {
		return access.Identity{Name: issuer + ":" + user, Proof: access.Proof{Issuer: issuer, ID: id}}
	}
	enter("before there is a judge", access.Identity{Name: "nobody", Proof: access.Proof{Made: true}})
	if len(ended) != 0 {
		t.Errorf("without a judge: %v", ended)
	}
	roll.Judge(first.Still)
	made := access.Identity{Name: "made", Proof: access.Proof{Made: true}}
	enter("made", made)
	enter("made again", made)
	enter("who has left", made)()
	enter("other", access.Identity{Name: "other", Proof: access.Proof{Made: true}})
	enter("file", access.Identity{Name: "file"})
	enter("kept", access.Identity{Name: "kept"})
	enter("ann", token("staff", "ann", "a"))
	enter("bob", token("staff", "bob", "b"))
	enter("svc", token("svc", "x", ""))
	enter("without a key", access.Identity{})
	for _, err := range []error{
		second(store.Revoke("made")),
		store.Deny(access.Denial{ID: "a"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	roll.Judge(door(tokens{"staff"}, "kept").Still)
	enter("too late", token("svc", "x", "")) // it passed the first door before the second was there
	want := map[string]string{
		"before there is a judge": "revoked_api_key", "made": "revoked_api_key", "made again": "revoked_api_key", "file": "revoked_api_key",
		"ann": "revoked_token", "svc": "revoked_token", "too late": "revoked_token",
	}
	for title, code := range want {
		if ended[title] != code {
			t.Errorf("%s: ended with %q, want %q", title, ended[title], code)
		}
	}
	if len(ended) != len(want) {
		t.Errorf("ended are %v, want %v", ended, want)
	}
	roll.Judge(nil)
	store.Revoke("other")
	if len(ended) != len(want) {
		t.Error("where answers may finish, one was ended")
	}
}

func second[T any](_ T, err error) error { return err }
