package filter

import (
	"bytes"
	"unicode/utf8"

	"bendi/chat"
)

// A strand is one text of an answer: a choice's content, its reasoning, its
// refusal or the arguments of one of its tool calls.
type strand struct {
	*editor
	bench   *bench // its judge
	held    []byte // by sentence: what is filtered, and not the end of a sentence yet
	whole   bool   // it is let go of sentence by sentence
	ask     func(sentence string) (pass bool)
	in, out int // bytes that were taken and let go of
}

// write takes the next piece and returns what is to go out.
func (s *strand) write(piece string, last bool) string {
	s.in += len(piece)
	text := s.editor.write(piece, last)
	if s.whole {
		text = s.sentences(text, last && !s.blocked)
	}
	s.out += len(text)
	return text
}

// spare exempts what is personal in stretches of the next piece, which begins at
// an offset and has n bytes.
func (s *strand) spare(restored []chat.Stretch, at, n int) {
	for _, r := range restored {
		if at <= r.Start && r.End <= at+n {
			s.bench.spared = append(s.bench.spared, chat.Stretch{Start: s.in + r.Start - at, End: s.in + r.End - at})
		}
	}
}

// sentences adds text to what is held and returns the sentences that are whole.
func (s *strand) sentences(text string, last bool) string {
	from := max(0, len(s.held)-utf8.UTFMax)
	s.held = append(s.held, text...)
	n := len(s.held)
	if !last {
		n = sentenceEnd(s.held, from)
	}
	if n == 0 {
		return ""
	}
	sentence := string(s.held[:n])
	s.held = s.held[:copy(s.held, s.held[n:])]
	if s.ask != nil && !s.ask(sentence) {
		s.blocked, s.altered, s.held = true, true, nil
		return ""
	}
	return sentence
}

// sentenceEnd returns where the last sentence of text ends that does so behind
// from, or 0.
func sentenceEnd(text []byte, from int) int {
	if i := bytes.LastIndexAny(text[from:], "。！？；…!?;\n"); i >= 0 {
		_, size := utf8.DecodeRune(text[from+i:])
		from = from + i + size
	} else if i := bytes.LastIndex(text[from:], []byte(". ")); i >= 0 {
		return from + i + 2
	} else {
		return 0
	}
	if i := bytes.LastIndex(text[from:], []byte(". ")); i >= 0 {
		return from + i + 2
	}
	return from
}
