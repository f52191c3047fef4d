package filter

import (
	"time"

	"bendi/filter/find"
)

// A Policy says what is done about what is found. The zero value logs.
type Policy struct {
	Name string // in findings

	// Categories has an entry for a category of the rules, or "*" for those
	// without one. What no entry speaks of is logged.
	Categories map[string]Category

	// Personal has an entry for a type of personal data, such as "phone", or
	// "*" for those without one. What no entry speaks of is not looked for.
	Personal map[string]Personal

	Replacement string    // for what is replaced, where its category has none
	Mask        MaskStyle // for what is masked
	// Forms has the strongest action for a finding that took a form to be
	// found, where its category says nothing else; without an entry, Review.
	// A plain finding has no bound.
	Forms map[find.Form]Action

	Strict bool // look for strict words and disguises as well, and for words over the end of a message
	Sound  bool // look for what sounds like a word as well

	Mentions Mentions

	// Across is what is done about what would be masked or replaced, but lies
	// across the structure of JSON or is a name that must stay what it is:
	// Block, or Log. None is Block.
	Across Action

	// History is the strongest action for what is found in the conversation
	// before the last turn of the user: Log keeps a conversation alive that
	// had been let through before. None puts no bound.
	History Action

	Buffer  Buffer
	BlockAs BlockAs
	Refusal string // the answer to a blocked request, with BlockAs Refusal
	Notice  string // added to an answer that is blocked; may be empty
	Results bool   // clients are shown what was found, by category
	Reveal  bool   // findings hold the text

	Second Opinion
	Label  Label
}

// A Category says what is done about the words of a category.
type Category struct {
	Request     Levels
	Answer      Levels
	Replacement string               // empty: that of the policy
	Forms       map[find.Form]Action // likewise, by form
	Mentions    Action               // strongest action for what is only mentioned; None puts no bound
}

// Levels has an action for each level of a word, from 1 to 3.
type Levels [3]Action

// Always is the same action for each level.
func Always(a Action) Levels { return Levels{a, a, a} }

// At returns the action for a level.
func (l Levels) At(level int) Action { return l[min(max(level, 1), 3)-1] }

// Personal says what is done about a type of personal data.
type Personal struct {
	Request     Action
	Answer      Action
	Replacement string // empty: that of the policy
}

// A MaskStyle says how a mask looks.
type MaskStyle struct {
	Rune rune // 0: an asterisk
	Long bool // one for each character that is masked; otherwise always three
}

// Mentions say where a word is mentioned rather than used: where one of these
// texts stands before it in the same sentence, at most Within characters away.
type Mentions struct {
	After  []string // such as "打击", "《"
	Within int      // characters; 0: directly before it
}

// A Buffer says how much of an answer is held back, so that nothing of it is
// out when something is found.
type Buffer uint8

const (
	NoBuffer       Buffer = iota // what cannot belong to a finding goes out at once
	SentenceBuffer               // sentence by sentence, and one of more than 16 KB in parts
	FullBuffer                   // all of it, until the end; an answer of more than 64 MB fails
)

// BlockAs says how a client learns that its request was blocked.
type BlockAs uint8

const (
	AsError   BlockAs = iota // status 400, with the code content_filter
	AsRefusal                // an answer that says so, which ends with content_filter
)

// An Opinion is what a model that judges texts is asked for, after the rules.
type Opinion struct {
	Mode     OpinionMode
	Request  bool         // asked about requests
	Answer   bool         // asked about answers
	Style    OpinionStyle // how it is asked
	Prompt   string       // for AskYesNo: the question, with {{text}} in place of the text; empty: our own
	Model    string       // name that the model is asked by; may be empty
	FailOpen bool         // without an opinion in time, texts pass; otherwise they are blocked
	Timeout  time.Duration
	Unsafe   Action // about what it calls unsafe: Log, Review, RouteLocal (requests) or Block; None is Block
	Unsure   Action // about what it calls controversial; None is Review

	// Categories maps names that it uses, such as "Violent", to categories of
	// the policy. Others become "second." and the name in lower case.
	Categories map[string]string
}

// An OpinionMode says whether a text waits for the opinion.
type OpinionMode uint8

const (
	NoOpinion       OpinionMode = iota
	Observe                     // it goes out meanwhile; the opinion is only told
	SentenceOpinion             // each sentence of an answer waits
	FullOpinion                 // the whole answer waits
)

// An OpinionStyle says how a model is asked and how its answer is read.
type OpinionStyle uint8

const (
	AskGuard OpinionStyle = iota // as Qwen3Guard: the conversation itself; the answer has "Safety:" and "Categories:"
	AskYesNo                     // any model: a question that is answered by yes (unsafe) or no
)

// A Label marks what a machine wrote. It supports what GB 45438 asks of a text.
type Label struct {
	Text string // must say AI or 人工智能, and 生成 or 合成; empty: no visible label
	End  bool   // after the answer; otherwise before it

	Metadata bool // the last event carries the mark
	// Producer and Propagator are codes of the characters from ! to ~.
	Producer, Propagator string
	Reserved1, Reserved2 string
}
