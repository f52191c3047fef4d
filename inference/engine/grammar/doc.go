// Package grammar makes a model's answer keep to a JSON Schema or a grammar.
//
// [FromSchema] turns a JSON Schema into GBNF, the grammar format of llama.cpp.
// [Parse] checks a GBNF grammar, ours or a client's, and compiles it to a
// [Grammar]: a pushdown matcher that says, byte by byte and without a call
// over the FFI, whether a text may go on in a given way. [AnyJSON] is the
// grammar of any JSON object.
//
// # What is promised
//
// Every text of a grammar from FromSchema is JSON that satisfies the schema.
// Nothing is silently weakened: a keyword that would constrain the answer and
// cannot be enforced is an [UnsupportedError] that names it and its place, as
// is a keyword that is not known, since it may be a misspelt one; a schema that
// makes no sense, or that no finite value satisfies, is an [InvalidError].
// Neither quotes a value or a pattern of the schema. No input makes FromSchema
// or Parse panic, or take more than a moment; the limits are in limits.go.
//
// # What is supported
//
// Of JSON Schema 2020-12, and of draft 7 where it differs:
//
//   - type, one or several; enum; const; nullable values through type or anyOf
//   - properties, required, additionalProperties
//   - items, prefixItems (or items as a list, with additionalItems), minItems, maxItems
//   - minLength and maxLength, in characters; pattern; format: date, date-time,
//     time, email, hostname, ipv4, ipv6, uuid
//   - minimum, maximum, exclusiveMinimum, exclusiveMaximum, exactly; multipleOf 1
//   - anyOf, allOf, and oneOf where it is certain that its branches exclude each
//     other; each with constraints beside it
//   - $ref to any place in the schema by a JSON pointer, with recursion
//   - title, description, default, examples, example, deprecated, readOnly,
//     writeOnly, discriminator, $schema, $comment, $anchor, $id at the root, and
//     keywords that begin with x-, which say nothing about values
//
// Definitions that no $ref leads to are not looked at.
//
// oneOf is exact: a branch pair is accepted when their types, values, bounds
// or lengths are apart, or a required property or item of one is apart from
// what the other allows. Otherwise it is refused, and anyOf will often do.
//
// A pattern has to be anchored by ^ and $, and may have characters, sets, . ,
// \d \w \s and their opposites, groups, | and repetition. minLength and
// maxLength beside a pattern are supported where they are sure to hold, or
// where all that varies is how often one character is repeated.
//
// # What is left out
//
// A grammar generates one spelling of most values, so it accepts less than the
// schema does. All of this leaves the answer valid:
//
//   - Properties come in the order of the schema, once, and before those that
//     it does not name. Names are spelt without \u escapes.
//   - An object with properties and without additionalProperties has no others,
//     as strict structured output demands; one that says
//     "additionalProperties": true or a schema may have others. A tuple without
//     items, likewise, has no items beyond prefixItems unless minItems asks for
//     some. An object of which no property is described is any object.
//   - A schema without type, but with keywords for some types, describes
//     values of those types.
//   - There is no space but, after a colon, one; and after a comma and within
//     brackets one, or one line end and up to 32 spaces of indentation.
//   - Integers have up to 18 digits and numbers up to 17 after the point, and an
//     exponent of up to two, unless a bound has more; with bounds, numbers have
//     no exponent. -0 is not an integer.
//   - enum and const are spelt as in the schema, their objects in that order.
//   - In strings, \u escapes of surrogates come in pairs. With a pattern there
//     are no escapes but those that JSON demands, and of the control characters
//     only those with a short escape, unless the pattern names no others.
//   - Times are in capitals and have no leap seconds; ipv6 has no dotted form;
//     email and hostname are the plain ones of everyday.
//
// # Matching
//
// A [State] is an immutable value. [State.Accept] costs tens of nanoseconds
// for a token within a JSON string and about a microsecond elsewhere, so
// checking hundreds of candidates at each step is cheap. Stacks are shared and
// merged, so that neither an ambiguous grammar nor a long answer makes a step
// slower without bound. Text that is not UTF-8 is never accepted, except for
// the beginning of a character at the end.
//
// The matcher is meant to agree with the grammar sampler of llama.cpp 0.5.0,
// but for text that is not UTF-8, which llama.cpp lets pass; compared over ten
// thousand states of random grammars with a vocabulary of 6400 tokens, it did
// everywhere. There is no need to hand a grammar to llama.cpp at all, and reason not
// to with a client's: an ambiguous one can keep it busy for ever.
//
// The package stands on the standard library alone.
package grammar
