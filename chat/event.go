package chat

// An Event is one step of an answer: a piece of one choice, its end, or the
// end of it all. See [Model] for the order they come in.
type Event struct {
	Choice    int    // which of the request's N choices this belongs to
	Text      string // whole UTF-8 runes, to be appended to the choice's content
	Reasoning string // likewise, to its reasoning
	Refusal   string // likewise, to its refusal
	ToolCall  *ToolCallDelta
	LogProbs  []TokenLogProbs // of the tokens that the text is of, where they were asked for
	Finish    Finish          // why the choice ended; empty while it goes on
	Stopped   string          // with the Finish Stop, which of the stop strings ended the choice; empty: none did, or it is not known
	Usage     *Usage          // on the last event of a whole answer
	Filtered  *Filtered       // what the filter did, where it did something; see there
	AIGC      *AIGC           // on the last event of a whole answer, where answers are to be marked as a machine's

	// Restored has the stretches, in order, that masking had kept from a backend
	// outside and has put back: the asker's own words. They are offsets in Text,
	// Reasoning, Refusal and the tool call's Arguments, as if these stood one
	// behind the other. Personal data is not masked again there.
	Restored []Stretch

	// Backend names who answers. It is set on the first event at the latest
	// by whoever chose the backend.
	Backend string

	// Memory tells what the memory of the conversation did, where it did
	// something. It is on the first event, and on the last where that changed.
	Memory *Memory

	// Arm names the arm of an experiment that answers, as "experiment/arm". It
	// is set with Backend, and empty where no experiment runs.
	Arm string
}

// A Stretch is a part of a text, in bytes.
type Stretch struct{ Start, End int }

// A ToolCallDelta is a piece of a tool call. Index counts the calls of a
// choice from 0; ID and Name are set in the first piece of a call alone.
type ToolCallDelta struct {
	Index     int
	ID        string
	Name      string
	Arguments string // to be appended
}

// TokenLogProbs are the log probability of a token, and those of the likeliest
// tokens in its place.
type TokenLogProbs struct {
	TokenLogProb
	Top []TokenLogProb // likeliest first
}

// A TokenLogProb is the natural logarithm of a token's probability.
type TokenLogProb struct {
	Token   string // with U+FFFD for bytes that are not whole runes
	Bytes   []byte
	LogProb float64
}

// Filtered tells what the filter did to a request or an answer. It never holds
// a word of either.
//
// On the first event of an answer it is about the request, where Choice is 0
// and Answer false; on any other it is about the choice so far.
type Filtered struct {
	Answer     bool     // about the answer, not the request
	Action     string   // the strongest that was taken, such as "mask" or "block"
	Rules      []string // ids of the rules that were found, sorted
	Categories []string // of those rules, sorted
	Level      int      // the highest of those rules, 1 to 3
	Show       bool     // the operator wants clients to see this in the body too
}

// Memory tells what the memory of a conversation did for an answer.
type Memory struct {
	Kept       int  // messages of the history that the model was shown
	LeftOut    int  // messages of the history that it was not, to fit its window
	Summarised bool // a summary stands for those
	Stateless  bool // the memory could not be reached, and the request was answered as it came
	Lost       bool // the turn could not be stored: the next one will not know of it
}

// AIGC is the mark of a text that a machine made, with the keys that GB 45438
// gives them. Each value is of the characters from ! to ~.
type AIGC struct {
	Label             string `json:"Label"` // "1": a machine made it
	ContentProducer   string `json:"ContentProducer"`
	ProduceID         string `json:"ProduceID"`
	ReservedCode1     string `json:"ReservedCode1"`
	ContentPropagator string `json:"ContentPropagator"`
	PropagateID       string `json:"PropagateID"`
	ReservedCode2     string `json:"ReservedCode2"`
}

// A Finish says why a choice ended.
type Finish string

const (
	Stop          Finish = "stop"   // the model ended its turn, or a stop string came up
	Length        Finish = "length" // MaxTokens or the window was reached
	ToolCalls     Finish = "tool_calls"
	ContentFilter Finish = "content_filter"
)

// Usage counts the tokens of a request, over all its choices.
type Usage struct {
	PromptTokens     int
	CachedTokens     int // of the prompt, those that needed no prefill
	CompletionTokens int
	ReasoningTokens  int // of the completion

	// Partial says that the answer was cut short before its backend could
	// tell the usage: the completion is what was seen of it, at least one
	// token for each event, and the prompt was not counted.
	Partial bool
}
