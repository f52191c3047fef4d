package dialect

import (
	"slices"
	"strings"
)

// A Family is a way to write tool calls. Arguments stand in capitals.
type Family uint8

const (
	// NoCalls: the model knows no tools.
	NoCalls Family = iota
	// Hermes, of Qwen 2.5, Qwen 3 and many fine-tuned models:
	//
	//	<tool_call>
	//	{"name": "NAME", "arguments": {…}}
	//	</tool_call>
	Hermes
	// QwenXML, of Qwen3-Coder and Qwen 3.5 on:
	//
	//	<tool_call>
	//	<function=NAME>
	//	<parameter=KEY>
	//	VALUE
	//	</parameter>
	//	</function>
	//	</tool_call>
	QwenXML
	// GLM, of GLM 4.5 on:
	//
	//	<tool_call>NAME
	//	<arg_key>KEY</arg_key>
	//	<arg_value>VALUE</arg_value>
	//	</tool_call>
	GLM
	// DeepSeekV31, of DeepSeek V3.1:
	//
	//	<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜><｜tool▁calls▁end｜>
	DeepSeekV31
	// DeepSeekV3, of DeepSeek V3 and R1:
	//
	//	<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME
	//	```json
	//	{…}
	//	```<｜tool▁call▁end｜><｜tool▁calls▁end｜>
	DeepSeekV3
)

const think, thinkEnd = "<think>", "</think>"

// A Dialect says how a model's answers are written. The zero Dialect is plain
// text. Dialects may be compared with ==.
type Dialect struct {
	Calls Family

	// ThinkStart and ThinkEnd enclose reasoning; both are empty when the model
	// does not reason. Writing ThinkEnd for the model ends its reasoning.
	ThinkStart, ThinkEnd string
}

// Detect tells the dialect of a model from the source of its chat template and
// the names of the control tokens of its vocabulary. Tool calls go by the
// template, since tools that it does not show to the model cannot be called;
// the vocabulary counts where there is no template.
func Detect(template string, tokens []string) Dialect {
	mentions := func(tag string) bool { return strings.Contains(template, tag) }
	if template == "" {
		mentions = func(tag string) bool { return slices.Contains(tokens, tag) }
	}
	d := Dialect{Calls: familyOf(mentions)}
	if mentions(thinkEnd) || slices.Contains(tokens, think) && slices.Contains(tokens, thinkEnd) {
		d.ThinkStart, d.ThinkEnd = think, thinkEnd
	}
	return d
}

// Opened reports whether the answer to a rendered prompt begins inside the
// reasoning: many templates write ThinkStart themselves.
func (d Dialect) Opened(prompt string) bool {
	return d.ThinkStart != "" && strings.HasSuffix(strings.TrimRight(prompt, " \t\r\n"), d.ThinkStart)
}

// Tags returns the tags that a [Parser] looks for. Those that are control
// tokens must reach it as text.
func (d Dialect) Tags() []string {
	tags := slices.Clone(formats[d.Calls].tags)
	if d.ThinkStart != "" {
		tags = append(tags, d.ThinkStart, d.ThinkEnd)
	}
	return tags
}
