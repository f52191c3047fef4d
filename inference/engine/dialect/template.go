package dialect

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ardanlabs/jinja"

	"bendi/chat"
)

// A Template writes conversations in the form a model was trained on. It may
// be used concurrently.
//
// It renders what transformers would render, but for a few rare constructs.
// Where the template engine differs in what templates do use, Compile rewrites
// the source: see [rewrite].
type Template struct {
	compiled    *jinja.Template
	noneContent bool
	tools       bool
}

// asksForNone finds a template that distinguishes content that is none.
var asksForNone = regexp.MustCompile(`content['"]?\]?\s+is\s+(not\s+)?none`)

// Compile reads the source of a chat template.
func Compile(source string) (t *Template, err error) {
	defer recovered(&err)
	compiled, err := jinja.Compile(rewrite(source))
	if err != nil {
		return nil, fmt.Errorf("the model's chat template: %w", err)
	}
	return &Template{
		compiled:    compiled,
		noneContent: asksForNone.MatchString(source),
		tools:       strings.Contains(source, "tools"),
	}, nil
}

// Tools reports whether the template says anything about tools. Without it,
// tools of a request would not reach the model.
func (t *Template) Tools() bool { return t.tools }

// An Input is what a template is rendered with.
type Input struct {
	Messages []chat.Message
	Tools    []chat.Tool
	Shield   func(string) string // see [Messages]; nil: none

	Generate bool  // end with the beginning of the assistant's turn
	Thinking *bool // nil: as the template does by default
	Effort   string
	BOS, EOS string
	Now      time.Time // for templates that write the date

	// Extra holds further variables as JSON, such as chat_template_kwargs. It
	// does not replace those above.
	Extra map[string]json.RawMessage
}

// Render returns the prompt of a conversation. Where arguments in its past are
// no JSON object and the template cannot do with that, it is given an object
// {"arguments": "what was written"}. An error is the template's
// refusal, in words that may quote the conversation.
func (t *Template) Render(in Input) (string, error) {
	big := new(bigNumbers)
	v := values{shield: in.Shield, big: big, noneContent: t.noneContent}
	vars := map[string]jinja.Value{}
	for name, raw := range in.Extra {
		parsed, ok := v.json(string(raw))
		if !ok {
			return "", fmt.Errorf("a template variable of %d bytes is not JSON", len(raw))
		}
		vars[name] = parsed
	}
	vars["messages"] = jinja.NewList(v.messages(in.Messages))
	vars["tools"] = jinja.None() // as transformers does: defined, and none
	vars["documents"] = jinja.None()
	if len(in.Tools) > 0 {
		vars["tools"] = jinja.NewList(v.tools(in.Tools))
	}
	vars["add_generation_prompt"] = jinja.NewBool(in.Generate)
	vars["bos_token"] = jinja.NewString(in.BOS)
	vars["eos_token"] = jinja.NewString(in.EOS)
	if in.Thinking != nil {
		vars["enable_thinking"] = jinja.NewBool(*in.Thinking) // Qwen, GLM, MiniCPM
		vars["thinking"] = jinja.NewBool(*in.Thinking)        // DeepSeek
	}
	if in.Effort != "" {
		vars["reasoning_effort"] = v.str(in.Effort)
	}
	vars["strftime_now"] = jinja.NewCallable("strftime_now", func(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		format := "%Y-%m-%d"
		if len(args) > 0 {
			format = big.string(args[0])
		}
		return jinja.NewString(strftime(in.Now, format)), nil
	})
	vars[filterPrefix+"tojson"] = jinja.NewCallable("tojson", big.toJSON)
	vars[filterPrefix+"string"] = jinja.NewCallable("string", func(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		return jinja.NewString(big.string(args[0])), nil
	})
	prompt, err := t.run(vars)
	if err != nil && v.oddArguments(in.Messages) {
		v.wrapArguments = true
		vars["messages"] = jinja.NewList(v.messages(in.Messages))
		if again, err := t.run(vars); err == nil {
			return again, nil
		}
	}
	return prompt, err
}

func (t *Template) run(vars map[string]jinja.Value) (prompt string, err error) {
	defer recovered(&err)
	return t.compiled.RenderValues(vars)
}

// recovered turns a panic of the template engine into an error: v1.8.0 has
// some left, such as for selectattr with an attribute alone, and a template
// that comes with a model must not end the process.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the template engine broke on the model's chat template: %v", r)
	}
}

// oddArguments reports whether any arguments are no object. One call that the
// model once got wrong must not end a conversation for good.
func (v values) oddArguments(messages []chat.Message) bool {
	for _, m := range messages {
		for _, c := range m.ToolCalls {
			if !v.arguments(c.Arguments).IsDict() {
				return true
			}
		}
	}
	return false
}

// strftime formats t as Python does, for the directives that templates use;
// any other is left as it is.
func strftime(t time.Time, format string) string {
	layouts := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'B': "January", 'b': "Jan", 'd': "02", 'j': "002", 'e': "_2",
		'A': "Monday", 'a': "Mon", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
		'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		bare := format[i] == '-' && i+1 < len(format) // %-d: without padding
		if bare {
			i++
		}
		layout, ok := layouts[format[i]]
		switch {
		case format[i] == '%':
			b.WriteByte('%')
		case !ok:
			b.WriteByte('%')
			if bare {
				b.WriteByte('-')
			}
			b.WriteByte(format[i])
		case bare:
			s := strings.TrimLeft(t.Format(layout), "0 ")
			b.WriteString(max(s, "0"))
		default:
			b.WriteString(t.Format(layout))
		}
	}
	return b.String()
}
