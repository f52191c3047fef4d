package engine

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/inference/engine/dialect"
)

// read returns the tokens that the model reads before it answers req, at most
// limit of them, and notes in j how the answer is to be read.
func (e *Engine) read(req *chat.Request, j *job, limit int) ([]llama.Token, error) {
	if req.Prompt != nil {
		j.dialect = dialect.Dialect{} // what goes on with a text is text
		return e.raw(req.Prompt, limit)
	}
	effort, given := req.ReasoningEffort, req.Extra[kwargsField]
	more, err := e.kwargs.with(given)
	if err != nil {
		return nil, err
	}
	if saysThinking(given) {
		// It says so itself.
	} else if req.Format != nil || req.ThinkingBudget != nil && *req.ThinkingBudget == 0 {
		effort = cmp.Or(effort, "none") // what is asked for is the form
	}
	segments, err := e.written(req, j, effort, more)
	if err != nil {
		return nil, err
	}
	tokens, err := e.vocab.tokenize(segments, limit)
	if err == nil && len(tokens) == 0 {
		err = chat.BadParam("messages", "the prompt has no tokens: send a message with text")
	}
	return tokens, err
}

// written returns the prompt of a conversation, and notes whether it ends within
// reasoning.
func (e *Engine) written(req *chat.Request, j *job, effort string, more kwargs) (prompt, error) {
	if req.Continue {
		return e.prompts.goOn(req.Messages, effort, more, e.dialect)
	}
	segments, text, err := e.prompts.render(req.Messages, j.tools, effort, more)
	j.opened = e.dialect.Opened(text)
	return segments, err
}

// raw returns the tokens of a prompt that no template is put around. Names of
// control tokens in it are those tokens: who writes a prompt writes those too.
func (e *Engine) raw(p *chat.Prompt, limit int) ([]llama.Token, error) {
	var tokens []llama.Token
	var err error
	if p.Tokens != nil {
		tokens, err = e.vocab.check(p.Tokens, "prompt")
	} else {
		tokens, err = e.vocab.tokenize(prompt{{text: p.Text, special: true}}, limit)
	}
	if err == nil && len(tokens) > limit {
		err = contextExceeded(fmt.Sprint(len(tokens)), limit)
	}
	if refusal, ok := errors.AsType[*chat.Error](err); ok && refusal.Param == "messages" {
		refusal.Param = "prompt"
	}
	if err == nil && len(tokens) == 0 {
		err = chat.BadParam("prompt", "the prompt has no tokens: send some text to go on with")
	}
	return tokens, err
}
