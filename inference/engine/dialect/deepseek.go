package dialect

import "strings"

// DeepSeek V3 and V3.1 put calls between tags of their own, and the arguments
// in JSON. Both are read alike: a head "function" with a name after the
// separator is V3, a head with arguments after it is V3.1.

func (p *Parser) deepSeekCalls() bool {
	if !p.skip() {
		return false
	}
	switch tag, m := p.at(dsCall); m {
	case partial:
		return false
	case yes:
		p.take(len(tag))
		return p.next((*Parser).deepSeekHead)
	}
	return p.fail()
}

func (p *Parser) deepSeekHead() bool {
	head, m := p.until("<", longestName)
	switch m {
	case partial:
		return false
	case no:
		return p.fail()
	}
	p.call.key = strings.TrimSpace(head)
	return p.next((*Parser).deepSeekSeparator)
}

func (p *Parser) deepSeekSeparator() bool {
	switch tag, m := p.at(dsSep); m {
	case partial:
		return false
	case yes:
		p.take(len(tag))
		return p.next((*Parser).deepSeekName)
	}
	return p.fail()
}

func (p *Parser) deepSeekName() bool {
	switch {
	case !p.skip():
		return false
	case p.in == "":
		return p.fail()
	case p.in[0] == '{':
		if !p.named(p.call.key) {
			return p.fail()
		}
		return p.next((*Parser).deepSeekArguments)
	}
	switch name, m := p.until("\n", longestName); {
	case m == partial:
		return false
	case m == no || p.call.key != "function" || !p.named(strings.TrimSpace(name)):
		return p.fail()
	}
	return p.next((*Parser).deepSeekFence)
}

func (p *Parser) deepSeekFence() bool {
	if !p.skip() {
		return false
	}
	switch tag, m := p.at("```json"); m {
	case partial:
		return false
	case yes:
		p.take(len(tag))
		p.call.fence = true
	}
	return p.next((*Parser).deepSeekArguments)
}

func (p *Parser) deepSeekArguments() bool {
	switch {
	case !p.skip():
		return false
	case p.in == "" || p.in[0] != '{':
		return p.fail()
	}
	p.call.scan = jsonScanner{}
	return p.next((*Parser).deepSeekObject)
}

func (p *Parser) deepSeekObject() bool {
	switch m, bad := p.scanValue(p.arg); {
	case bad:
		return p.fail()
	case m == partial:
		return false
	}
	return p.next((*Parser).deepSeekEnd)
}

func (p *Parser) deepSeekEnd() bool {
	if !p.skip() {
		return false
	}
	tag := dsCallEnd
	if p.call.fence {
		tag = "```"
	}
	switch p.ended(tag) {
	case partial:
		return false
	case no:
		return p.fail()
	}
	if p.call.fence {
		p.call.fence = false
		return true
	}
	p.done()
	return p.next((*Parser).deepSeekMore)
}

// deepSeekMore is after a call, where another may follow, or the end of them.
func (p *Parser) deepSeekMore() bool {
	if !p.skip() {
		return false
	}
	switch tag, m := p.at(dsCall); m {
	case partial:
		return false
	case yes:
		p.take(len(tag))
		return p.next((*Parser).deepSeekHead)
	}
	switch p.ended(dsCallsEnd) {
	case partial:
		return false
	case no:
		return p.fail()
	}
	p.call = call{}
	return p.next((*Parser).content)
}
