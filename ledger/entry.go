package ledger

import (
	"errors"
	"strings"
	"time"

	"bendi/chat"
)

// An Entry is what is remembered of a request that has ended.
type Entry struct {
	ID        string    // of the request
	AnswerID  string    // of the answer, as the client is told it
	Start     time.Time // when it came
	Principal string    // who asked, such as the API key by its name
	Session   string    // of the principal's; empty: none

	Of        string // whose session it was about, where that is another's; empty: the Principal's
	Object    string // what an operator's action was about: a key, an adapter or an experiment, by its name
	Method    string // of HTTP
	Operation string // what was asked for: "chat", "embeddings", "admin/reload", ...; empty: nothing that there is
	Stream    bool
	Status    int  // of HTTP; 499 where the client left; of a stream that failed, what it would have been before it began
	Admitted  bool // there is a place for the entry where it is kept
	Quiet     bool // one of many alike, of which others are kept; see access.Brake

	Route   string // path; empty: none was reached
	Model   string // as resolved
	Arm     string // of an experiment, as "experiment/arm"; empty: none
	Unit    string // of the experiment: whoever counts once in it, hashed
	Backend string // who answered; empty: nobody

	Classes []string       // of data that the filter found in the request
	Request *chat.Filtered // what the filter did to the request; nil: nothing
	Answer  *chat.Filtered // and to the answer, where it last did something

	Sent []Sent // to other servers, in order; what came back is not told of each

	Usage   chat.Usage
	First   time.Duration // from Start to the first piece of the answer; 0: none came
	Total   time.Duration // from Start to the end
	Runes   int           // of the answer's text
	Finish  chat.Finish   // of the first choice
	Refusal bool          // the model declined to answer, as its protocol says
	Phrase  bool          // the answer begins as refusals do; a guess, see [SoundsLikeRefusal]
	Outcome Outcome
	Err     error // of an Outcome that is Failed; for its Kind and Code alone
}

// Code returns what programs know the entry's error by; empty: there is none. It
// has no word of anybody's.
func (e *Entry) Code() string {
	if e.Err == nil {
		return ""
	}
	err, ok := errors.AsType[*chat.Error](e.Err)
	switch {
	case !ok:
		return chat.Internal.String()
	case err.Code != "" && sane(err.Code):
		return err.Code
	}
	return strings.ReplaceAll(err.Kind.String(), " ", "_")
}

// sane reports whether a code is one of ours, or like them: a backend may have
// put anything there.
func sane(code string) bool {
	for _, c := range code {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return len(code) <= 40
}

// Shadow is the Operation of a copy of a request, for a shadow arm of an
// experiment.
const Shadow = "shadow"

// Sent is a body that was sent to a backend, for this request.
type Sent struct {
	Backend string
	Outside bool          // of the house
	After   time.Duration // since the request came
	Bytes   int
	SHA256  string // of the bytes that left the house; empty inside
}

// An Outcome is how a request ended. There is exactly one for each.
type Outcome string

const (
	Success Outcome = "success" // the whole answer was handed on
	Failed  Outcome = "failed"  // with an error, which the client was told
	Gone    Outcome = "gone"    // the client left before the end
)
