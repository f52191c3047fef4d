// Package filter keeps words and personal data out of what models read and
// say, by the rules of an operator.
//
// [Guard] takes a [chat.Model] and is one. It looks through every text of a
// request and of its answer, as it streams, and does with what it finds what a
// [Policy] says: log it, mark it for review, keep the request inside the
// house, mask it, replace it, or block it. A client can choose neither a
// field, nor a way of delivery, nor a format in which nobody looks.
//
// What is looked for are [Rules], compiled once and never changed. A [Shelf]
// holds those in force; an answer keeps the rules that it began with. Finding
// is the work of others, see package find. This package decides and rewrites:
// it holds a text back exactly as far as a finder has not made up its mind,
// and lets go of everything before that at once.
//
// What it promises:
//
//   - However a text is cut into events, what comes out and what is found are
//     the same as for the whole text.
//   - Nothing that was let go belongs to a word that is masked, replaced or
//     blocked later.
//   - No word can be read across what was put in place of another, so that
//     what is filtered twice is as what is filtered once. (Numbers are told
//     from parts of longer ones by what stands beside them. Where that was
//     masked, a second time may find more.)
//   - JSON stays JSON: in tool calls and JSON formats the strings are read
//     unescaped and written back escaped.
//   - No error, finding or log line holds a word of the text, unless the
//     policy reveals it.
//
// It does not understand texts. A word that is only mentioned is the same word;
// see [Mentions] and [Opinion] for what can be done about that.
package filter
