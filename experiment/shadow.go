package experiment

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"bendi/chat"
	"bendi/ledger"
)

const (
	mostCopies   = 4               // that are answered at once, for a route and an experiment
	shadowTime   = 2 * time.Minute // that a copy may take
	shadowTokens = 256             // of its answer, where the plan says nothing
	lastPriority = -10             // behind all others
	mostJudged   = 64 << 10        // bytes of a copy's answer that the filter looks at
	shadowOf     = "shadow-of-"    // before the ID of a copy
)

// mirror has the shadow arms answer copies of a request. It returns at once.
func (s *Split) mirror(t *trial, req *chat.Request, unit string) {
	stopped := t.now.Load().stopped
	for i := range t.Arms {
		arm := &t.Arms[i]
		if !arm.Shadow || stopped[arm.Name] != "" {
			continue
		}
		if !arm.may(req) {
			t.exclude(ShadowNotTold)
			continue
		}
		select {
		case t.running <- struct{}{}:
		default:
			t.exclude(ShadowBusy)
			continue
		}
		own := arm.copy(req)
		if !s.beside(func(ctx context.Context) {
			defer func() { <-t.running }()
			t.answer(ctx, arm, own, unit, s.lab)
		}) {
			<-t.running
		}
	}
}

// beside runs f while the Split is open.
func (s *Split) beside(f func(context.Context)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.copying.Go(func() { f(s.ctx) })
	return true
}

// copy returns a request as a shadow arm gets it. Where it may go is still
// decided by who asks.
func (a *Arm) copy(req *chat.Request) *chat.Request {
	own := a.rewrite(req)
	own.ID = shadowOf + req.ID
	own.AnswerID, own.Session, own.Turn = "", "", nil
	own.Waiting, own.Burst = nil, nil // those are for the client's loop
	own.Priority = lastPriority
	own.N = 1
	if a.MaxTokens == 0 && (own.MaxTokens == 0 || own.MaxTokens > shadowTokens) {
		own.MaxTokens = shadowTokens
	}
	return own
}

// answer has a shadow arm answer a copy, and counts what comes of it.
func (t *trial) answer(ctx context.Context, arm *Arm, req *chat.Request, unit string, lab *Lab) {
	ctx, cancel := context.WithTimeoutCause(ctx, shadowTime, errors.New("a copy for a shadow arm took too long"))
	defer cancel()
	var text strings.Builder
	pieces, cut := 0, false
	count := func(e *ledger.Entry) {
		if e.Operation, e.Arm = ledger.Shadow, t.Name+"/"+arm.Name; lab.Copied != nil {
			lab.Copied(e)
		}
		if refusal, ok := errors.AsType[*chat.Error](e.Err); ok && refusal.Code == notAllowedCode {
			t.exclude(ShadowNotTold)
			return
		}
		switch {
		case cut: // by ourselves, with all the tokens it may have
			e.Outcome, e.Finish = ledger.Success, chat.Length
			e.Usage.CompletionTokens = max(e.Usage.CompletionTokens, pieces)
		case e.Outcome == ledger.Gone && errors.Is(context.Cause(ctx), context.Canceled):
			return // the program ends
		case e.Outcome == ledger.Gone:
			e.Outcome, e.Err = ledger.Failed, &chat.Error{Kind: chat.Timeout, Msg: "too long"}
		}
		if t.judge != nil && text.Len() > 0 && t.judge(text.String()) {
			e.Answer = new(chat.Filtered)
		}
		e.Unit = unit
		t.count(e, arm.Name, lab.keys)
	}
	for ev, err := range ledger.Record(arm.Model, t.Route, count).Chat(ctx, req) {
		if err != nil {
			return
		}
		if ev.Text != "" || ev.Reasoning != "" || ev.ToolCall != nil {
			pieces++
		}
		if text.Len() < mostJudged {
			text.WriteString(ev.Text)
		}
		if pieces > req.MaxTokens { // a backend that does not keep to it
			cut = true
			return
		}
	}
}

// notAllowedCode is the code of a request that no backend may be asked; it is
// the router's.
const notAllowedCode = "no_allowed_backend"

// Nameless returns m, which is told that nobody asks: what a copy for a shadow
// arm takes is charged to nobody.
func Nameless(m chat.Model) chat.Model { return nameless{m} }

type nameless struct{ chat.Model }

func (m nameless) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	own := *req
	own.Principal = ""
	return m.Model.Chat(ctx, &own)
}
