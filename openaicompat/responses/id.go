package responses

import (
	"crypto/rand"
	"strconv"
	"strings"
)

// An ID names a response by where it is kept: the turn of a session. Nobody can
// guess one.
type ID struct {
	Session string // such as "conv_…", or "resp_…" of what is no conversation of its own
	Turn    string
}

// What sessions of this protocol are called. No client can name one so.
const (
	chainPrefix        = "resp_"
	conversationPrefix = "conv_"
)

// size is the length of a random text.
const size = 26

// The character between session and turn says what the session is.
const (
	inChain        = '0'
	inConversation = '1'
)

// NewID draws the id of a turn of a session, or of one of its own where that is
// empty.
func NewID(session string) ID {
	if session == "" {
		session = chainPrefix + random()
	}
	return ID{session, random()}
}

// NewConversation draws the id of a conversation.
func NewConversation() string { return conversationPrefix + random() }

func random() string { return strings.ToLower(rand.Text()) }

// IsConversation reports whether id can name a conversation.
func IsConversation(id string) bool {
	rest, ok := strings.CutPrefix(id, conversationPrefix)
	return ok && isRandom(rest)
}

// IsSession reports whether id can name a session of this protocol, which those
// of others leave alone.
func IsSession(id string) bool {
	rest, ok := strings.CutPrefix(id, chainPrefix)
	return ok && isRandom(rest) || IsConversation(id)
}

func isRandom(s string) bool {
	return len(s) == size && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// String returns the id as clients are told it.
func (id ID) String() string { return "resp_" + id.token() }

// token is what the ids of a response and of its items have in common.
func (id ID) token() string {
	rest, kind := strings.CutPrefix(id.Session, conversationPrefix)
	if kind {
		return rest + string(inConversation) + id.Turn
	}
	return strings.TrimPrefix(rest, chainPrefix) + string(inChain) + id.Turn
}

// ParseID reads the id of a response.
func ParseID(text string) (ID, bool) {
	token, ok := strings.CutPrefix(text, "resp_")
	id, rest, valid := parseToken(token)
	return id, ok && valid && rest == ""
}

// ParseItemID returns the response that an item is of, by the item's id.
func ParseItemID(text string) (ID, bool) {
	_, token, ok := strings.Cut(text, "_")
	id, _, valid := parseToken(token)
	return id, ok && valid
}

func parseToken(token string) (id ID, rest string, ok bool) {
	if len(token) < 2*size+1 {
		return ID{}, "", false
	}
	session, turn := token[:size], token[size+1:2*size+1]
	id = ID{chainPrefix + session, turn}
	switch token[size] {
	case inChain:
	case inConversation:
		id.Session = conversationPrefix + session
	default:
		return ID{}, "", false
	}
	return id, token[2*size+1:], isRandom(session) && isRandom(turn)
}

// item returns the id of the nth item of a kind that the response gave; of the
// first, n is 0.
func (id ID) item(prefix string, n int) string {
	if n == 0 {
		return prefix + id.token()
	}
	return prefix + id.token() + "_" + strconv.Itoa(n+1)
}

// input returns the id of the nth item that the response was asked with.
func (id ID) input(prefix string, n int) string {
	return prefix + id.token() + "i" + strconv.Itoa(n)
}
