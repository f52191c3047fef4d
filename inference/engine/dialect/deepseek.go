package dialect

import "strings"

const (
	dsCalls, dsCallsEnd = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
	dsCall, dsCallEnd   = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"
	dsSep               = "<｜tool▁sep｜>"
	dsFence             = "```"
	dsJSON              = dsFence + "json"
)

// DeepSeek V3 and V3.1 put calls between tags of their own, and the arguments
// in JSON. Both are read alike: a head "function" with a name after the
// separator is V3, a head with arguments after it is V3.1.
var (
	deepSeekV3Format = format{
		name:  "deepseek-v3",
		marks: []string{dsCalls, dsJSON},
		tags:  deepSeekTags,
		opens: deepSeekOpens,
		begin: dsCalls, end: dsCallsEnd,
		call: func(name string) (string, string) {
			return dsCall + "function" + dsSep + name + "\n" + dsJSON + "\n", "\n" + dsFence + dsCallEnd
		},
	}
	deepSeekV31Format = format{
		name:  "deepseek-v3.1",
		marks: []string{dsCalls},
		tags:  deepSeekTags,
		opens: deepSeekOpens,
		begin: dsCalls, end: dsCallsEnd,
		call: func(name string) (string, string) { return dsCall + name + dsSep, dsCallEnd },
	}
	deepSeekTags  = []string{dsCalls, dsCallsEnd, dsCall, dsCallEnd, dsSep}
	deepSeekOpens = []fork{{dsCalls, deepSeekCalls}, {dsCall, deepSeekHead}}
)

func deepSeekCalls(p *Parser) state { return p.tag(fork{dsCall, deepSeekHead}) }
func deepSeekHead(p *Parser) state {
	return p.word("<", longestName, (*Parser).keyed, deepSeekSeparator)
}
func deepSeekSeparator(p *Parser) state { return p.tag(fork{dsSep, deepSeekName}) }
func deepSeekFence(p *Parser) state {
	return p.tag(fork{dsJSON, deepSeekFenced}, fork{"", deepSeekBare})
}
func deepSeekFenced(p *Parser) state   { return p.object(deepSeekFenceEnd) }
func deepSeekBare(p *Parser) state     { return p.object(deepSeekEnd) }
func deepSeekFenceEnd(p *Parser) state { return p.last(dsFence, deepSeekEnd) }
func deepSeekEnd(p *Parser) state      { return p.last(dsCallEnd, deepSeekDone) }
func deepSeekMore(p *Parser) state {
	return p.tag(fork{dsCall, deepSeekHead}, fork{"", deepSeekCallsEnd})
}
func deepSeekCallsEnd(p *Parser) state { return p.last(dsCallsEnd, (*Parser).over) }

func deepSeekName(p *Parser) state {
	switch {
	case !p.skip():
		return nil
	case !strings.HasPrefix(p.in, "{"):
		return p.word("\n", longestName, (*Parser).namedFunction, deepSeekFence)
	case !p.named(p.call.key):
		return p.fail()
	}
	return deepSeekBare
}

func deepSeekDone(p *Parser) state {
	p.done()
	return deepSeekMore
}

// namedFunction notes a name behind the head "function".
func (p *Parser) namedFunction(name string) bool {
	return p.call.key == "function" && p.named(name)
}
