package dialect

const (
	argKey, argKeyEnd     = "<arg_key>", "</arg_key>"
	argValue, argValueEnd = "<arg_value>", "</arg_value>"
)

// GLM: the name of the tool, and keys and values between tags.
var glmFormat = format{
	name:  "glm",
	marks: []string{argKey},
	tags:  []string{toolCall, toolCallEnd, argKey, argKeyEnd, argValue, argValueEnd},
	opens: []fork{{toolCall, glmName}},
	call:  func(name string) (string, string) { return toolCall + name + "\n", toolCallEnd },
	param: func(key string) (string, string) {
		return argKey + key + argKeyEnd + "\n" + argValue, argValueEnd + "\n"
	},
}

var glmText = textForm{end: argValueEnd, follow: [2]string{argKey, toolCallEnd}}

func glmNext(p *Parser) state   { return p.tag(fork{argKey, glmKey}, fork{toolCallEnd, glmClose}) }
func glmKey(p *Parser) state    { return p.key("<", glmKeyEnd) }
func glmKeyEnd(p *Parser) state { return p.tag(fork{argKeyEnd, glmArg}) }
func glmArg(p *Parser) state    { return p.tag(fork{argValue, glmValue}) }
func glmValue(p *Parser) state  { return p.argument(glmText, glmNext) }

func glmName(p *Parser) state {
	if !p.skip() {
		return nil
	}
	return p.name("\n<", glmFirst)
}

func glmFirst(p *Parser) state {
	p.arg("{")
	return glmNext
}

func glmClose(p *Parser) state {
	p.arg("}")
	return p.done()
}
