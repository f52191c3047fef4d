package chat

import (
	"encoding/json"
	"strings"
)

// A Request asks a [Model] for an answer. Pointers are nil where the client
// said nothing, which is not the same as a zero.
type Request struct {
	ID       string // names the request in logs and in the x-request-id header
	AnswerID string // names the answer to its client; empty: nothing does
	Model    string // as the client wrote it, until a route resolves it; may be empty
	Messages []Message

	// Principal names who asks, such as the API key by its name; it is empty
	// where nobody has to say. It decides about fairness and about what may be
	// shared, and is never told to a backend outside.
	Principal string
	Priority  int // above 0 goes before others, below 0 after them

	// Session names the conversation that the request is a turn of, as the
	// client does; empty where it does not. It means nothing but together with
	// the Principal, and is never told to a backend outside.
	Session string

	// User is who of the Principal's own users asks, where the protocol has a
	// name for that which no backend is told; others have theirs in Extra.
	User string

	// Turn, where it is there, is the place of the request in its Session, for
	// protocols whose clients name turns. The Messages are what is new then.
	Turn *Turn

	// What the filter learnt about the request, for whoever chooses the
	// backend: the classes of data in it, such as "pii.phone" or "fraud",
	// sorted, and whether it has to stay inside the house because of them.
	Classes []string
	Inside  bool

	// Waiting, where it is there, is told now and then that the request waits
	// for its turn, at which position of how many that do, from 1; 0 is that its
	// turn has come. It is called where the answer is ranged over, before its
	// first event, and returns at once.
	Waiting func(position, length int)

	// Whole says that nobody reads the answer before its end: whoever answers
	// may give it in few events, and all at the end.
	Whole bool

	// Burst, where it is there, is told that the events to come have arrived
	// together, and behind the last of them that it is over. What is written of
	// them may be sent in one. It is called as Waiting is.
	Burst func(more bool)

	MaxTokens int      // most tokens to generate for each choice; 0: as many as fit
	Stop      []string // the answer ends before the first of these; none is empty
	N         int      // choices wanted, at least 1
	Sampling  Sampling

	Tools             []Tool
	ToolChoice        json.RawMessage // as on the wire; nil: the model decides
	ParallelToolCalls *bool
	Format            *Format // nil: plain text
	LogProbs          bool
	TopLogProbs       int    // alternatives to report with each token
	ReasoningEffort   string // as on the wire; empty: the model's default
	ThinkingBudget    *int   // most tokens of reasoning; nil: no bound, 0: none

	// Continue wants the answer to go on with the last message, which is the
	// assistant's, and not to answer it.
	Continue bool

	// Prompt, where it is there, is to be gone on with as it stands: there are no
	// Messages, no template is put around it, and the answer is text alone. A
	// model that cannot do that says so.
	Prompt *Prompt

	// Extra holds top-level wire fields that Bendi gives no meaning to. A
	// backend that speaks the same wire passes them on.
	Extra map[string]json.RawMessage
}

// A Turn is the place of a request in its session.
type Turn struct {
	ID     string // of the turn that it becomes; ours
	Parent string // the turn that it goes on from, which is there already
	Head   bool   // it goes on from the end of the session, which is there already; without either, it begins the session
	Branch bool   // the end of the session stays where it is

	Front  int  // messages at the beginning that hold for this turn alone
	Trim   bool // the oldest turns may be left out where not all of them fit
	Forget bool // nothing is stored
	Silent bool // nobody answers: what is new is stored as it is

	// Aside are keys of Extra that are kept with the turn, and that nobody who
	// answers is told.
	Aside []string

	// Note returns what is stored with the turn. It is given the request as it
	// has become on its way, and may be nil.
	Note func(*Request) []byte
}

// Begins reports whether the request begins its session.
func (t *Turn) Begins() bool { return t != nil && t.Parent == "" && !t.Head }

// A Prompt is a text, or the tokens of one, that a model goes on with.
type Prompt struct {
	Text   string // not empty, unless there are tokens
	Tokens []int  // taken as they are; nil: the text counts
	Suffix string // what has to follow the answer; empty: anything may
}

// Sampling says how the next token is drawn. What OpenAI's protocol does not
// have is named and meant as in llama.cpp.
type Sampling struct {
	Temperature *float64 // 0 to 2; 0 is greedy
	TopP        *float64 // nucleus mass, above 0 to 1
	TopK        *int     // 0: off
	MinP        *float64 // 0 to 1, relative to the likeliest token
	TypicalP    *float64 // locally typical mass, above 0 to 1; 1: off
	TopNSigma   *float64 // standard deviations of the logits below the best; 0: off

	FrequencyPenalty *float64 // -2 to 2
	PresencePenalty  *float64 // -2 to 2
	RepeatPenalty    *float64 // above 0; 1: off
	PenaltyWindow    *int     // tokens that the penalties look back on; -1: all
	DRY              *DRY
	XTC              *XTC
	Mirostat         *Mirostat

	LogitBias map[int]float64 // token id to bias, -100 to 100
	IgnoreEOS bool            // the model cannot end its turn; only MaxTokens, Stop and the window do
	Seed      *int64
}

// DRY ("don't repeat yourself") lowers a token's logit by
// Multiplier * Base^(n-AllowedLength) when it would repeat, for the n-th token
// in a row, what stands within the last Window tokens.
type DRY struct {
	Multiplier    float64 // 0: off
	Base          float64
	AllowedLength int
	Window        int // -1: all
}

// XTC ("exclude top choices") removes, with a Probability, all tokens of at
// least the Threshold but the least likely of them.
type XTC struct {
	Probability float64 // 0: off
	Threshold   float64 // above 0.5: off
}

// Mirostat keeps the surprise of each token near Tau bits, learning at the rate
// Eta (Basu et al., 2021; version 2 of the algorithm).
type Mirostat struct {
	Tau float64 // 0: off
	Eta float64
}

// A Role says who speaks in a [Message].
type Role string

const (
	System    Role = "system"
	Developer Role = "developer" // what newer clients call system
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool"
)

// A Message is one turn of the conversation.
type Message struct {
	Role       Role
	Name       string // of the speaker; optional
	Content    []Part // empty when an assistant turn only called tools
	Reasoning  string // an assistant turn's thinking, where the client kept it
	ToolCalls  []ToolCall
	ToolCallID string // the call that a tool turn answers
}

// TextMessage returns a message of one text part.
func TextMessage(role Role, text string) Message {
	return Message{Role: role, Content: []Part{{Kind: TextPart, Text: text}}}
}

// Text returns the text parts of m, joined.
func (m Message) Text() string {
	if len(m.Content) == 1 {
		return m.Content[0].Text
	}
	var b strings.Builder
	for _, p := range m.Content {
		b.WriteString(p.Text)
	}
	return b.String()
}

// A PartKind says what a [Part] holds.
type PartKind string

const (
	TextPart    PartKind = "text"
	RefusalPart PartKind = "refusal" // an assistant's refusal, in Text
	ImagePart   PartKind = "image_url"
	AudioPart   PartKind = "input_audio"
	FilePart    PartKind = "file"
)

// A Part is a piece of a message's content.
type Part struct {
	Kind PartKind
	Text string          // of a TextPart or RefusalPart
	Data json.RawMessage // of any other part, the whole part as on the wire
}

// A Tool is a function the model may call.
type Tool struct {
	Name        string
	Description string
	Parameters  json.RawMessage // a JSON Schema; nil: no parameters
	Strict      bool
}

// A ToolCall is a call that an assistant turn made.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string // JSON, as the model wrote it
}

// A Format constrains the answer's text.
type Format struct {
	Type    string          // "json_object", "json_schema" or "grammar"
	Name    string          // of the schema
	Schema  json.RawMessage // of a json_schema
	Strict  bool
	Grammar string // of a grammar, in GBNF (llama.cpp's)
}
