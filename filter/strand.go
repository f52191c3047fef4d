package filter

import (
	"bytes"
	"unicode/utf8"

	"bendi/chat"
)

// A strand is one text of an answer: a choice's content, its reasoning, its
// refusal or the arguments of one of its tool calls.
type strand struct {
	editor
	bench   bench // its judge
	choice  *choice
	gate    *gate // nil: it goes out as soon as it is filtered
	in, out int   // bytes that were taken and let go of
}

// follow has the strand read on from a text that its reader has already, so that
// a word is found which begins in that. Nothing of the text is judged or goes
// out.
func (s *strand) follow(text string) {
	if text == "" {
		return
	}
	s.bench.given = len(text)
	s.editor.write(text, false)
	s.base, s.given = s.read, s.read
	s.in, s.out = s.read, s.read
}

// mostSentence bounds what is held for the sake of a sentence, in bytes. What is
// longer goes in parts.
const mostSentence = 16 << 10

// A gate lets a text go sentence by sentence.
type gate struct {
	held []byte                            // what is filtered, and not the end of a sentence yet
	ask  func(sentence string) (pass bool) // nil: everything passes
}

// write takes the next piece and returns what is to go out.
func (s *strand) write(piece string, last bool) string {
	s.in += len(piece)
	text := s.editor.write(piece, last)
	if s.gate != nil {
		text = s.sentences(text, last && !s.blocked)
	}
	s.out += len(text)
	return text
}

// held is how much of the text waits to be decided on.
func (s *strand) held() int {
	n := s.read - s.base
	if s.gate != nil {
		n += len(s.gate.held)
	}
	return n
}

// spare exempts what is personal in stretches of the next piece, which begins at
// an offset and has n bytes.
func (s *strand) spare(restored []chat.Stretch, at, n int) {
	for _, r := range restored {
		if at <= r.Start && r.End <= at+n {
			m := s.bench.other()
			m.spared = append(m.spared, chat.Stretch{Start: s.in + r.Start - at, End: s.in + r.End - at})
		}
	}
}

// sentences adds text to what is held and returns the sentences that are whole.
func (s *strand) sentences(text string, last bool) string {
	g := s.gate
	from := max(0, len(g.held)-utf8.UTFMax)
	g.held = append(g.held, text...)
	n := len(g.held)
	if !last {
		n = sentenceEnd(g.held, from)
	}
	if n == 0 && len(g.held) > mostSentence {
		n = len(g.held)
	}
	if n == 0 {
		return ""
	}
	sentence := string(g.held[:n])
	g.held = g.held[:copy(g.held, g.held[n:])]
	if g.ask != nil && !g.ask(sentence) {
		s.blocked, s.altered, g.held = true, true, nil
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
