package conversation

import (
	"log/slog"
	"time"

	"bendi/chat"
)

// A Down says what becomes of a request while the store cannot be reached.
type Down string

const (
	Fail      Down = "fail"      // it fails, as unavailable
	Stateless Down = "stateless" // it is answered as it came, and the answer says so
)

// limit is how long a request waits for the store at the most. One that may be
// answered without memory is not to be late for it; where that would fail it,
// the store is given time.
func (d Down) limit() time.Duration {
	if d == Stateless {
		return 50 * time.Millisecond
	}
	return 2 * time.Second
}

// A Busy says what becomes of a request whose session is being answered.
type Busy string

const (
	Wait   Busy = "wait"   // it waits its turn, for a while
	Refuse Busy = "refuse" // it fails, as a conflict
)

// A Trim says what is done about a history that does not fit the window of the
// model that is to answer.
type Trim string

const (
	TrimError   Trim = "error"   // nothing: the request fails with both numbers
	TrimOldest  Trim = "oldest"  // the oldest turns are left out
	TrimSummary Trim = "summary" // likewise, and a summary stands for them
)

// A By says which requests have a session.
type By string

const (
	Asked  By = "asked" // those that name one
	ByUser By = "user"  // those as well that name a user: the session is called ~ and that
	Never  By = "off"   // none
)

// Options are what a [Memory] works by. All but the Store may be left out.
type Options struct {
	Store  Store
	Sealer *Sealer // nil: what is stored is not encrypted

	TTL      time.Duration // how long a session is kept after its last turn; 0: 1 h
	Down     Down          // empty: Fail
	Limit    time.Duration // most that a request waits for the store in all, half of it before it is answered; 0: as of Down
	Busy     Busy          // empty: Wait
	Patience time.Duration // most that a request waits for its turn; 0: 30 s
	MaxSize  int           // bytes of a stored session; 0: 4 MiB

	PerUser   bool // the users that a principal names have sessions of their own
	Reasoning bool // an answer's reasoning is kept

	Trim         Trim       // empty: TrimError
	Summarizer   chat.Model // writes summaries
	SummaryModel string     // by this name

	Log     *slog.Logger // nil: nothing is logged
	Observe Observer     // nil: nobody is told
}

// An Observer is told what happens, for metrics. It may be told of several
// things at once.
type Observer interface {
	// Store tells of a call of the store: "load", "save", "delete", "list" or
	// "lease". Err is nil where it did what it does, be it that nothing is there.
	Store(call string, took time.Duration, err error)
	// Turn tells how a turn ended: "stored", "interrupted", "lost", "stateless",
	// "busy" or "failed".
	Turn(outcome string)
	// LeftOut tells how many messages of a history were left out.
	LeftOut(messages int)
}

type nobody struct{}

func (nobody) Store(string, time.Duration, error) {}
func (nobody) Turn(string)                        {}
func (nobody) LeftOut(int)                        {}
