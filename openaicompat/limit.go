package openaicompat

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/access"
	"bendi/chat"
)

// A Limiter decides how much may be asked.
type Limiter interface {
	// Reserve sets aside a request of who to a route, and the tokens that it
	// takes at most. It returns an [access.Exceeded] where that is too much.
	Reserve(ctx context.Context, who access.Identity, route string, tokens int64) (Allowance, error)
}

// An Allowance is a request that may be answered.
type Allowance interface {
	// Standing tells what is left.
	Standing() access.Standing
	// Settle says that the request has ended and how many tokens it took.
	Settle(tokens int64)
}

// reserve sets a request aside, which takes at most so many tokens, of which at
// most so many are the prompt's, and tells the client what is left. What it
// returns is to be called at the end; [exchange.note] does so when the last event
// of an answer is there, before the client has it: who asks one thing after the
// other must not be in its own way.
//
// A request counts from here on, whatever comes of it. Of tokens, those count
// that were used. Where that is not known, for the answer was cut short, the
// prompt counts at its most and each piece as one; but a failure of ours, before
// the first piece, costs no tokens.
func (s *server) reserve(c *gin.Context, x *exchange, rt Route, tokens, prompt int64) (settle func(), err error) {
	if s.Limits == nil {
		return func() {}, nil
	}
	allowed, err := s.Limits.Reserve(c.Request.Context(), x.who, rt.Path, tokens)
	if e, ok := errors.AsType[*access.Exceeded](err); ok {
		s.standing(c, e.Standing)
		return nil, exceeded(c, e)
	}
	if err != nil {
		if c.Request.Context().Err() != nil {
			return nil, errGone
		}
		return nil, &chat.Error{Kind: chat.Unavailable, Code: "limits_unavailable", RetryAfter: time.Second,
			Msg: "What counts the requests cannot be reached, and none is answered uncounted: try again in 1 s.", Err: err}
	}
	s.standing(c, allowed.Standing())
	x.settle = sync.OnceFunc(func() {
		used := counted(x.usage.PromptTokens) + counted(x.usage.CompletionTokens)
		gone := c.Request.Context().Err() != nil
		switch {
		case x.usage == (chat.Usage{}) && (x.pieces > 0 || gone):
			used = prompt + x.pieces
		case x.usage.Partial:
			used = max(used, prompt+x.pieces)
		}
		allowed.Settle(used)
	})
	return x.settle, nil
}

// counted returns a number of tokens that a backend told, if it can be one.
func counted(tokens int) int64 { return min(max(int64(tokens), 0), access.MaxLimit/2) }

// exceeded is the failure of a request that is over a limit.
func exceeded(c *gin.Context, e *access.Exceeded) error {
	if e.Retry == 0 {
		c.Header("X-Should-Retry", "false") // to OpenAI's and Anthropic's clients: it would be the same
	}
	return &chat.Error{Kind: chat.RateLimited, Code: "rate_limit_exceeded", Msg: e.Error(), RetryAfter: e.Retry}
}

// standing tells what is left, in the headers of the protocol that is spoken.
func (s *server) standing(c *gin.Context, st access.Standing) {
	anthropic := s.protocols[c.FullPath()] != nil
	tell := func(what string, left access.Left) {
		if left.Limit == 0 {
			return
		}
		limit, remaining := strconv.FormatInt(left.Limit, 10), strconv.FormatInt(left.Remaining, 10)
		if anthropic {
			c.Header("Anthropic-Ratelimit-"+what+"-Limit", limit)
			c.Header("Anthropic-Ratelimit-"+what+"-Remaining", remaining)
			c.Header("Anthropic-Ratelimit-"+what+"-Reset", time.Now().Add(left.Reset).UTC().Format(time.RFC3339))
			return
		}
		c.Header("X-Ratelimit-Limit-"+what, limit)
		c.Header("X-Ratelimit-Remaining-"+what, remaining)
		c.Header("X-Ratelimit-Reset-"+what, left.Reset.Round(time.Millisecond).String())
	}
	tell("Requests", st.Requests)
	tell("Tokens", st.Tokens)
}

// unknownAnswer is how many tokens are set aside for an answer of which nobody
// says how long it may become.
const unknownAnswer = 4096

// template is how many tokens a model's template may add to what the body says.
const template = 256

// bound returns the most tokens that requests can take together, and that their
// prompts can. A token is at least a byte of the body, which has more than the
// prompts in it; and nothing is longer than the window of a model, where that is
// known. What a session remembers is no part of the body.
func bound(rt Route, reqs []*chat.Request, body int) (most, prompt int64) {
	inBody := int64(body) + template
	answers := int64(0)
	for _, req := range reqs {
		window := windowOf(rt, req.Model)
		out := int64(req.MaxTokens)
		switch {
		case out == 0 && window == 0:
			out = unknownAnswer
		case out == 0, window > 0 && out > window:
			out = window
		}
		answers += int64(max(req.N, 1)) * out
		switch {
		case req.Session != "" && !req.Turn.Begins():
			prompt += max(window, inBody)
		case window > 0:
			prompt += min(window, inBody)
		default:
			prompt += inBody
		}
		if window > 0 && len(reqs) == 1 && req.N <= 1 {
			return min(prompt+answers, window), min(prompt, window)
		}
	}
	if len(reqs) > 1 { // these have no sessions, and share the body
		prompt = min(prompt, inBody+int64(len(reqs))*template)
	}
	return prompt + answers, prompt
}

// windowOf returns the window of a model in tokens, or 0 where it is not known.
func windowOf(rt Route, model string) int64 {
	l, ok := rt.Model.(chat.Lister)
	if !ok {
		return 0
	}
	for _, m := range l.Models() {
		if m.ID == model {
			return int64(max(m.Context, 0))
		}
	}
	return 0
}
