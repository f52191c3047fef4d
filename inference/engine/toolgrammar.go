package engine

import (
	"fmt"
	"slices"
	"strings"

	"bendi/chat"
	"bendi/inference/engine/dialect"
	"bendi/inference/engine/grammar"
)

// forceCalls returns the constraint of an answer that has to call a tool, in
// the dialect's form: calls alone, each of a tool that there is, with arguments
// of its schema. single allows one call only. A schema that is at fault is named
// by its place among the request's tools.
func forceCalls(form dialect.Grammar, tools []chat.Tool, single, opened bool, d dialect.Dialect) (*constraint, error) {
	var g strings.Builder
	more := fmt.Sprintf("(%s call)*", literal(form.Between))
	if single {
		more = ""
	}
	fmt.Fprintf(&g, "root ::= %s call %s %s\n", literal(form.Begin), more, literal(form.End))
	names := make([]string, len(form.Calls))
	for i, call := range form.Calls {
		names[i] = fmt.Sprintf("call%d", i)
		arguments, err := argumentsOf(&g, names[i], call)
		if err != nil {
			at := slices.IndexFunc(tools, func(t chat.Tool) bool { return t.Name == call.Name })
			return nil, formatError(fmt.Sprintf("tools[%d].function.parameters", at), err)
		}
		fmt.Fprintf(&g, "%s ::= %s %s %s\n", names[i], literal(call.Prefix), arguments, literal(call.Suffix))
	}
	fmt.Fprintf(&g, "call ::= %s\n", strings.Join(names, " | "))
	return newConstraint("tools", g.String(), d, opened)
}

// argumentsOf adds the rules of a call's arguments to g, under names that begin
// with prefix, and returns what stands for them in a rule.
func argumentsOf(g *strings.Builder, prefix string, call dialect.CallForm) (string, error) {
	if !call.Keyed {
		rules, err := grammar.FromSchema(call.Parameters)
		if err != nil {
			return "", err
		}
		g.WriteString(rename(rules, prefix+"-"))
		return prefix + "-root", nil
	}
	var parts []string
	for i, p := range call.Params {
		name := fmt.Sprintf("%s-p%d", prefix, i)
		rules, err := grammar.FromSchema(p.Schema)
		if err != nil {
			return "", err
		}
		g.WriteString(rename(rules, name+"-"))
		value := name + "-root"
		if p.Text {
			// Bare text, which a tag ends. What looks like one is not
			// generated; that keeps the call in form.
			value = "[^<]*"
		}
		part := fmt.Sprintf("%s %s %s", literal(p.Prefix), value, literal(p.Suffix))
		if !p.Required {
			part = "(" + part + ")?"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " "), nil
}

// literal writes a text as GBNF.
func literal(text string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	return `"` + r.Replace(text) + `"`
}

// rename puts prefix in front of every rule name in gbnf.
func rename(gbnf, prefix string) string {
	var out strings.Builder
	for i := 0; i < len(gbnf); {
		switch c := gbnf[i]; {
		case c == '"' || c == '[':
			end := byte('"')
			if c == '[' {
				end = ']'
			}
			j := i + 1
			for j < len(gbnf) && gbnf[j] != end {
				if gbnf[j] == '\\' {
					j++
				}
				j++
			}
			out.WriteString(gbnf[i : j+1])
			i = j + 1
		case isName(c) && !(c >= '0' && c <= '9') && c != '-':
			j := i
			for j < len(gbnf) && isName(gbnf[j]) {
				j++
			}
			out.WriteString(prefix + gbnf[i:j])
			i = j
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String()
}

func isName(c byte) bool {
	return c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
