package engine

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"bendi/chat"
	"bendi/inference/engine/dialect"
)

// A prompt is rendered text on its way to tokens.
type prompt []segment

// A segment is a stretch of a prompt. Only where special is set do the names
// of control tokens, such as <|im_end|>, become those tokens.
type segment struct {
	text    string
	special bool
}

func (p prompt) size() int {
	n := 0
	for _, s := range p {
		n += len(s.text)
	}
	return n
}

// A renderer writes conversations in the form the model was trained on, by the
// Jinja template that comes with the model. It may be used concurrently.
//
// A user who writes the name of a control token must not be able to end the
// turn and speak as the system. So before a text is rendered, such names
// are replaced with placeholders that nobody can guess, and in the rendered
// prompt each placeholder becomes a segment of plain text again.
type renderer struct {
	template *dialect.Template
	bos, eos string
	control  []string
	shield   *strings.Replacer
	mark     string // what every placeholder begins with
}

func newRenderer(source string, v *vocab) (*renderer, error) {
	template, err := dialect.Compile(source)
	if err != nil {
		return nil, err
	}
	r := &renderer{template: template, bos: v.bos, eos: v.eos, control: v.control, mark: "\uE000" + rand.Text() + "."}
	var pairs []string
	for i, name := range r.control {
		pairs = append(pairs, name, fmt.Sprintf("%s%08d", r.mark, i))
	}
	r.shield = strings.NewReplacer(pairs...)
	return r, nil
}

// render returns the prompt of a conversation, up to where the assistant is
// about to speak, as segments and as the text they come from.
func (r *renderer) render(messages []chat.Message, tools []chat.Tool, effort string, more kwargs) (p prompt, text string, err error) {
	in := dialect.Input{
		Messages: messages, Tools: tools, Shield: r.shield.Replace,
		Generate: true, BOS: r.bos, EOS: r.eos, Now: time.Now(), Extra: more,
	}
	switch effort {
	case "":
	case "none":
		in.Thinking = new(false)
	default:
		in.Thinking, in.Effort = new(true), effort
	}
	if text, err = r.template.Render(in); err != nil {
		// What the template said may quote the conversation.
		return nil, "", chat.BadParam("messages", "the model's chat template refuses this order of roles: send an optional system message, then user and assistant in turn")
	}
	return r.split(text), text, nil
}

// goOn returns the prompt of a conversation up to the end of its last message,
// which is the assistant's and to be gone on with. What it says is plain text,
// and its reasoning is over.
func (r *renderer) goOn(messages []chat.Message, effort string, more kwargs, d dialect.Dialect) (p prompt, err error) {
	last := len(messages) - 1
	half := messages[last]
	if half.Reasoning == "" {
		effort = "none"
	}
	p, text, err := r.render(messages[:last], nil, effort, more)
	if err != nil {
		return nil, err
	}
	add := func(s segment) { p = append(p, s) }
	opened := d.Opened(text)
	if half.Reasoning != "" && d.ThinkStart != "" {
		if !opened {
			add(segment{text: d.ThinkStart + "\n", special: true})
		}
		add(segment{text: half.Reasoning})
		opened = true
	}
	if opened {
		add(segment{text: "\n" + d.ThinkEnd + "\n\n", special: true})
	}
	add(segment{text: half.Text()})
	return p, nil
}

// split cuts rendered text at the placeholders.
func (r *renderer) split(text string) prompt {
	var p prompt
	for {
		before, rest, found := strings.Cut(text, r.mark)
		if before != "" {
			p = append(p, segment{text: before, special: true})
		}
		if !found {
			return p
		}
		var i int
		fmt.Sscanf(rest[:8], "%d", &i)
		p = append(p, segment{text: r.control[i]})
		text = rest[8:]
	}
}
