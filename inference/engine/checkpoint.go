package engine

import (
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// checkpoints keep what a model has made of the beginnings of prompts, for
// models whose memory cannot be shared: a recurrent state is one of the whole
// sequence, and a sliding window forgets its beginning. Each is a copy, beside
// the KV cache; all together they take no more than a budget of bytes, and the
// one used longest ago goes first.
//
// Where a prompt is copied, [marks] says. Its tokens up to there are the key, and
// a copy serves only a prompt that begins with all of them.
type checkpoints struct {
	list   []*checkpoint
	bytes  int64
	budget int64
	clock  int // counts uses
}

type checkpoint struct {
	key    treeKey
	tokens []llama.Token
	state  []byte
	used   int // when, by the clock
}

// tokenBytes is what a token takes.
const tokenBytes = 4

func (c *checkpoint) size() int64 { return int64(len(c.state) + tokenBytes*len(c.tokens)) }

// match returns the longest that tokens begin with, or nil.
func (cs *checkpoints) match(key treeKey, tokens []llama.Token) *checkpoint {
	var best *checkpoint
	for _, c := range cs.list {
		if c.key == key && (best == nil || len(c.tokens) > len(best.tokens)) &&
			len(c.tokens) <= len(tokens) && slices.Equal(c.tokens, tokens[:len(c.tokens)]) {
			best = c
		}
	}
	if best != nil {
		cs.touch(best)
	}
	return best
}

// has reports whether there is one of exactly these tokens, which is then used.
func (cs *checkpoints) has(key treeKey, tokens []llama.Token) bool {
	for _, c := range cs.list {
		if c.key == key && slices.Equal(c.tokens, tokens) {
			cs.touch(c)
			return true
		}
	}
	return false
}

func (cs *checkpoints) touch(c *checkpoint) {
	cs.clock++
	c.used = cs.clock
}

// room makes room for one of so many bytes, and reports whether there can be
// any.
func (cs *checkpoints) room(bytes int64) bool {
	if bytes > cs.budget {
		return false
	}
	for cs.bytes+bytes > cs.budget {
		cs.drop(slices.MinFunc(cs.list, func(a, b *checkpoint) int { return a.used - b.used }))
	}
	return true
}

func (cs *checkpoints) add(c *checkpoint) {
	cs.list = append(cs.list, c)
	cs.bytes += c.size()
	cs.touch(c)
}

func (cs *checkpoints) drop(c *checkpoint) {
	cs.list = slices.DeleteFunc(cs.list, func(o *checkpoint) bool { return o == c })
	cs.bytes -= c.size()
}

// forget drops those of an adapter.
func (cs *checkpoints) forget(adapter int) {
	for _, c := range slices.Clone(cs.list) {
		if c.key.adapter == adapter {
			cs.drop(c)
		}
	}
}

// marks returns after how many of its tokens a prompt is copied, in order: where
// its second turn begins, since the first is mostly a system prompt that others
// have too, and before its last token, for the same conversation one turn later
// and for the other choices of a request. A turn begins with the control token
// that the prompt begins with; what that is shows where it comes again.
func marks(prompt []llama.Token, control func(llama.Token) bool) []int {
	var list []int
	second := len(prompt)
	for i, token := range prompt[:min(4, len(prompt))] {
		if !control(token) {
			continue
		}
		if j := slices.Index(prompt[i+1:], token); j >= 0 {
			second = min(second, i+1+j)
		}
	}
	if last := len(prompt) - 1; second >= keepLeast && second < last {
		list = append(list, second)
	}
	if len(prompt) > keepLeast {
		list = append(list, len(prompt)-1)
	}
	return list
}

// copied returns the checkpoint that serves s best, or nil. The last token is
// always decoded, for its logits.
func (l *loop) copied(s *sequence) *checkpoint {
	if l.copies == nil {
		return nil
	}
	return l.copies.match(s.key, s.tokens[:len(s.tokens)-1])
}

// beingCopied reports whether a running sequence will soon leave a checkpoint
// that serves s better than the one it has.
func (l *loop) beingCopied(s *sequence, have *checkpoint) bool {
	if l.copies == nil {
		return false
	}
	length := 0
	if have != nil {
		length = len(have.tokens)
	}
	return slices.ContainsFunc(l.running, func(r *sequence) bool {
		if r.key != s.key || r.pending() < 2 {
			return false
		}
		common := commonPrefix(r.tokens, s.tokens[:len(s.tokens)-1])
		return slices.ContainsFunc(r.marks, func(m int) bool {
			return m > r.holder.size && m <= common && m >= length+shareLeast
		})
	})
}

// restore gives s, which has a holder that holds nothing, what a checkpoint
// knows of its beginning.
func (l *loop) restore(s *sequence, c *checkpoint) {
	if llama.StateSeqSetDataExt(l.ctx, c.state, s.holder.id, 0) == 0 {
		llama.MemorySeqRm(l.mem, s.holder.id, -1, -1)
		l.copies.drop(c) // it would fail again
		return
	}
	l.tree.extend(s.holder, c.tokens...)
	if s.generated() == 0 {
		s.progress.Cached = len(c.tokens)
	}
}

// nextMark returns up to where the prompt of s may be decoded in this step.
func (s *sequence) nextMark() int {
	for _, m := range s.marks {
		if m > s.holder.size {
			return m
		}
	}
	return len(s.tokens)
}

// checkpoint copies what the model has made of s, if s has come to a mark.
func (l *loop) checkpoint(s *sequence) {
	n := s.holder.size
	if !slices.Contains(s.marks, n) || l.copies.has(s.key, s.tokens[:n]) {
		return
	}
	size := llama.StateSeqGetSizeExt(l.ctx, s.holder.id, 0)
	if size == 0 || !l.copies.room(int64(size)+int64(tokenBytes*n)) {
		return
	}
	state := make([]byte, size)
	if got := llama.StateSeqGetDataExt(l.ctx, state, s.holder.id, 0); got == size {
		l.copies.add(&checkpoint{key: s.key, tokens: slices.Clone(s.tokens[:n]), state: state})
	}
}
