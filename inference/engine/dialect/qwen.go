package dialect

const (
	function, functionEnd   = "<function=", "</function>"
	parameter, parameterEnd = "<parameter=", "</parameter>"
)

// QwenXML: arguments between tags. Some models leave out <tool_call>, with or
// without </tool_call>.
var qwenFormat = format{
	name:  "qwen-xml",
	marks: []string{function, parameter},
	tags:  []string{toolCall, toolCallEnd, function, functionEnd, parameter, parameterEnd},
	opens: []fork{{toolCall, qwenFunction}, {function, qwenBare}},
	call: func(name string) (string, string) {
		return toolCall + "\n" + function + name + ">\n", functionEnd + "\n" + toolCallEnd
	},
	param: func(key string) (string, string) { return parameter + key + ">\n", "\n" + parameterEnd + "\n" },
}

var qwenText = textForm{end: parameterEnd, follow: [2]string{parameter, functionEnd}, newline: true}

func qwenFunction(p *Parser) state { return p.tag(fork{function, qwenName}) }
func qwenName(p *Parser) state     { return p.name(">", qwenOpen) }
func qwenOpen(p *Parser) state     { return p.tag(fork{">", qwenFirst}) }
func qwenNext(p *Parser) state     { return p.tag(fork{parameter, qwenKey}, fork{functionEnd, qwenClose}) }
func qwenKey(p *Parser) state      { return p.key(">", qwenKeyEnd) }
func qwenKeyEnd(p *Parser) state   { return p.tag(fork{">", qwenValue}) }
func qwenEnd(p *Parser) state      { return p.last(toolCallEnd, (*Parser).done) }
func qwenBareEnd(p *Parser) state  { return p.last(toolCallEnd, (*Parser).over) }

func qwenBare(p *Parser) state {
	p.call.bare = true
	return qwenName
}

func qwenFirst(p *Parser) state {
	p.arg("{")
	return qwenNext
}

func qwenValue(p *Parser) state {
	switch {
	case p.in == "" && !p.final:
		return nil
	case p.in != "" && p.in[0] == '\n':
		p.take(1)
	}
	return p.argument(qwenText, qwenNext)
}

func qwenClose(p *Parser) state {
	p.arg("}")
	if p.call.bare {
		p.done()
		return qwenBareEnd
	}
	return qwenEnd
}
