package engine

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/ardanlabs/jinja"

	"bendi/chat"
)

// chatML is the template of a model that brings none.
const chatML = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

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
// turn and speak as the system. So before a message is rendered, such names
// are replaced with placeholders that nobody can guess, and in the rendered
// prompt each placeholder becomes a segment of plain text again.
type renderer struct {
	template *jinja.Template
	bos, eos string
	control  []string
	shield   *strings.Replacer
	mark     string // what every placeholder begins with
}

func newRenderer(source string, v *vocab) (*renderer, error) {
	template, err := jinja.Compile(source)
	if err != nil {
		return nil, fmt.Errorf("the model's chat template: %w", err)
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
// about to speak.
func (r *renderer) render(messages []chat.Message) (prompt, error) {
	var list []jinja.Value
	for _, m := range normalize(messages) {
		d := jinja.NewDict()
		d.AsDict().Set("role", jinja.NewString(string(m.Role)))
		d.AsDict().Set("content", jinja.NewString(r.shield.Replace(m.Text())))
		if m.Name != "" {
			d.AsDict().Set("name", jinja.NewString(r.shield.Replace(m.Name)))
		}
		list = append(list, d)
	}
	text, err := r.template.RenderValues(map[string]jinja.Value{
		"messages":              jinja.NewList(list),
		"add_generation_prompt": jinja.NewBool(true),
		"bos_token":             jinja.NewString(r.bos),
		"eos_token":             jinja.NewString(r.eos),
	})
	if err != nil {
		return nil, &chat.Error{
			Kind: chat.Invalid, Param: "messages",
			Msg: "the model's chat template refuses this order of roles: use an optional system message, then user and assistant in turn",
			Err: err,
		}
	}
	return r.split(text), nil
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

// normalize rewrites what templates do not know: a developer message is a
// system message, and all system messages become one, which comes first.
func normalize(messages []chat.Message) []chat.Message {
	var system []string
	var rest []chat.Message
	for _, m := range messages {
		if m.Role == chat.System || m.Role == chat.Developer {
			system = append(system, m.Text())
			continue
		}
		rest = append(rest, m)
	}
	if system == nil {
		return rest
	}
	first := chat.TextMessage(chat.System, strings.Join(system, "\n\n"))
	return append([]chat.Message{first}, rest...)
}
