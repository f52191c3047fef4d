package conversation

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"strings"

	"bendi/chat"
)

// A Policy says which requests of a route have a session, and how their
// history is cut.
type Policy struct {
	By   By   // empty: Asked
	Trim Trim // empty: as of the [Memory]
}

// Remember returns next with memory. What is between puts itself between the
// memory and the client, such as the filter: what it rewrites is remembered as
// it rewrote it. It may be nil.
//
// The Model lists, resolves, embeds, ranks and tokenizes as next and what is
// between do.
func (m *Memory) Remember(next chat.Model, p Policy, between func(chat.Model) chat.Model) *Remembered {
	r := &remembered{memory: m, policy: p}
	inner := chat.Model(recaller{gifts{next}, r})
	if between != nil {
		inner = between(inner)
	}
	return &Remembered{gifts{inner}, r}
}

type remembered struct {
	memory *Memory
	policy Policy
}

func (r *remembered) trim() Trim { return cmp.Or(r.policy.Trim, r.memory.Trim) }

// Remembered is a model with memory.
type Remembered struct {
	gifts
	route *remembered
}

// Chat answers req as a turn of its session, where it has one. The last event
// comes when the turn is stored.
func (w *Remembered) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	key, ok, err := w.route.key(req)
	if err != nil {
		return chat.Fail(err)
	}
	if !ok {
		return w.model.Chat(ctx, req)
	}
	if req.N > 1 {
		return chat.Fail(chat.BadParam("n", "'n' is %d; a turn of a session has one answer, for nobody could tell which of them the conversation goes on with.", req.N))
	}
	return func(yield func(chat.Event, error) bool) {
		t := &turn{memory: w.route.memory, route: w.route, key: key}
		defer t.end(ctx)
		w.witness(ctx, req, t, yield)
	}
}

// witness passes on what the client is told, and keeps it.
func (w *Remembered) witness(ctx context.Context, req *chat.Request, t *turn, yield func(chat.Event, error) bool) {
	var a answer
	told := false
	for ev, err := range w.model.Chat(context.WithValue(ctx, turnKey{}, t), req) {
		if err != nil {
			t.store(ctx, &a, true)
			yield(chat.Event{}, t.explain(err))
			return
		}
		a.add(&ev)
		if !told && t.request != nil {
			told, ev.Memory = true, new(t.told)
			if t.told.LeftOut > 0 {
				t.memory.Observe.LeftOut(t.told.LeftOut)
			}
		}
		if ev.Usage != nil {
			if err := t.store(ctx, &a, false); err != nil {
				if err := t.lost(ctx, err); err != nil {
					yield(chat.Event{}, err)
					return
				}
				t.told.Lost = true
				ev.Memory = new(t.told)
			}
		}
		if !yield(ev, nil) {
			if ev.Usage == nil {
				t.store(ctx, &a, true)
			}
			return
		}
	}
}

// key returns the session that a request is a turn of.
func (r *remembered) key(req *chat.Request) (key Key, ok bool, err error) {
	if r.policy.By == Never || req.Session == "" && r.policy.By != ByUser || req.Prompt != nil { // a text that is gone on with is no turn
		return Key{}, false, nil
	}
	if t := req.Turn; t != nil && t.Forget && t.Begins() {
		return Key{}, false, nil
	}
	user := ""
	if r.memory.PerUser || req.Session == "" {
		if user, err = userOf(req); err != nil {
			return Key{}, false, err
		}
	}
	id := req.Session
	if id == "" && user != "" {
		id = userPrefix + user
	}
	if !r.memory.PerUser {
		user = ""
	}
	return Key{OwnerOf(req.Principal, user), id}, id != "", nil
}

// userPrefix begins the id of a session that a user has by its name. No id that
// a client may choose begins so.
const userPrefix = "~"

// longestUser is how long the name of a user may be in bytes. Those of coding
// agents have 160.
const longestUser = 256

// userOf returns the user that a request names.
func userOf(req *chat.Request) (string, error) {
	field, user := "metadata.user_id", req.User
	for _, f := range []string{"user", "safety_identifier"} {
		if raw := req.Extra[f]; user == "" && raw != nil {
			field = f
			if json.Unmarshal(raw, &user) != nil {
				return "", chat.BadParam(f, "'%s' names whose session this is: it must be a string.", f)
			}
		}
	}
	const sane = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@"
	if len(user) > longestUser || strings.Trim(user, sane) != "" {
		return "", chat.BadParam(field, "'%s' names whose session this is: it must be at most %d of the letters, digits and -_.:@ and have no other character.", field, longestUser)
	}
	return user, nil
}

// A recaller completes requests by the history of their session.
type recaller struct {
	gifts
	route *remembered
}

func (r recaller) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	t := turnOf(ctx)
	if t == nil || t.route != r.route {
		return r.model.Chat(ctx, req)
	}
	return func(yield func(chat.Event, error) bool) {
		if err := t.recall(ctx, req); err != nil {
			yield(chat.Event{}, err)
			return
		}
		if req.Turn != nil && req.Turn.Silent {
			yield(chat.Event{Finish: chat.Stop, Usage: new(chat.Usage)}, nil)
			return
		}
		own, begun := t.compose(ctx, r.model), false
		for own != nil {
			last := own
			own = nil
			for ev, err := range r.model.Chat(ctx, last) {
				if !begun && tooLong(err) {
					if own = t.shorter(ctx, last); own != nil {
						break
					}
				}
				begun = true
				if !yield(ev, err) || err != nil {
					return
				}
			}
		}
	}
}
