package grammar

import "sync"

// A Grammar is a GBNF grammar, compiled to a program for a pushdown matcher.
// It does not change once made and may be used concurrently.
type Grammar struct {
	insts   []inst
	targets [][]int32 // of fork instructions
	classes []class
	entry   []int32  // of each rule
	names   []string // of each rule
	start   *set
	scratch sync.Pool // of *stepper
}

type op uint8

const (
	opEnd  op = iota // the rule is over: return
	opRune           // read a character of class arg, go on at next
	opCall           // match the rule arg, go on at next
	opFork           // go on at every one of targets[arg]
)

// An inst is an instruction of the program.
type inst struct {
	op   op
	tail bool // of a call: nothing follows it in its rule
	arg  int32
	next int32
}

// A class is a set of characters, ready to be asked.
type class struct {
	ascii [2]uint64
	set   runeSet
}

func newClass(set runeSet) class {
	c := class{set: set}
	for r := range rune(128) {
		if set.contains(r) {
			c.ascii[r>>6] |= 1 << (r & 63)
		}
	}
	return c
}

func (c *class) has(r rune) bool {
	if r < 128 {
		return c.ascii[r>>6]&(1<<(r&63)) != 0
	}
	return c.set.contains(r)
}

// inlineSize is how many instructions a rule may have, at most, to be copied
// to where it is used. A call takes a frame on the stack; without one for each
// character, a step within a JSON string allocates next to nothing.
const inlineSize = 8

// A compiler turns parsed rules into a program, each rule from its end to its
// beginning, so that an instruction always knows what follows it.
type compiler struct {
	*parser
	g       *Grammar
	copied  []int            // sizes of the rules that are copied, 0 for others; nil within a copy
	known   map[string]int32 // classes by their ranges
	owner   []int            // the rule of each instruction
	current int
	end     int32 // of the current rule
}

func (p *parser) compile() (g *Grammar, err error) {
	c := &compiler{parser: p, g: &Grammar{}, known: map[string]int32{}}
	sizes := make([]int, len(p.rules))
	for i, r := range p.rules {
		if n := size(r.body, nil); n <= inlineSize {
			sizes[i] = n
		}
	}
	c.copied = sizes
	total := 0
	for _, r := range p.rules {
		if total += 1 + size(r.body, sizes); total > maxInstructions {
			return nil, p.errorAt(r.at, "with the rule %q the grammar grows to more than %d steps; use fewer or smaller repetitions", r.name, maxInstructions)
		}
	}
	for i, r := range p.rules {
		c.current = i
		c.end = c.emit(inst{op: opEnd})
		c.g.names = append(c.g.names, r.name)
		c.g.entry = append(c.g.entry, c.alternatives(r.body, c.end))
	}
	for i := range c.g.insts {
		in := &c.g.insts[i]
		in.tail = in.op == opCall && c.g.insts[in.next].op == opEnd
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	c.g.scratch.New = func() any { return newStepper(c.g) }
	c.g.start = c.g.begin(c.g.entry[p.index["root"]])
	return c.g, nil
}

// size returns how many instructions alternatives take, or one more than all
// may. copied has the sizes of the rules that are copied to where they are
// used, and 0 for others.
func size(alts [][]expr, copied []int) int {
	n := 1
	for _, seq := range alts {
		for _, e := range seq {
			switch e.kind {
			case literal:
				n += len(e.runes)
			case charset:
				n++
			case reference:
				n++
				if copied != nil {
					n += copied[e.rule]
				}
			case group:
				n += size(e.alts, copied)
			case repeat:
				n += max(e.min, e.max, 1)*(size([][]expr{{*e.item}}, copied)+1) + 1
			}
			if n > maxInstructions {
				return maxInstructions + 1
			}
		}
	}
	return n
}

func (c *compiler) emit(in inst) int32 {
	c.g.insts = append(c.g.insts, in)
	c.owner = append(c.owner, c.current)
	return int32(len(c.g.insts) - 1)
}

func (c *compiler) fork(to ...int32) int32 {
	c.g.targets = append(c.g.targets, to)
	return c.emit(inst{op: opFork, arg: int32(len(c.g.targets) - 1)})
}

func (c *compiler) class(set runeSet) int32 {
	key := make([]byte, 0, 8*len(set))
	for _, r := range set {
		key = append(key, byte(r.lo>>16), byte(r.lo>>8), byte(r.lo), byte(r.hi>>16), byte(r.hi>>8), byte(r.hi))
	}
	i, ok := c.known[string(key)]
	if !ok {
		i = int32(len(c.g.classes))
		c.known[string(key)] = i
		c.g.classes = append(c.g.classes, newClass(set))
	}
	return i
}

// alternatives compiles sequences of which any may match. Those that begin
// alike share their beginning: a list of a thousand values is a tree, and a
// step looks at the one branch that it is on.
func (c *compiler) alternatives(alts [][]expr, next int32) int32 {
	var to []int32
	var order []head
	alike := map[head][][]expr{}
	for _, seq := range alts {
		if len(seq) > 0 && seq[0].kind == literal && len(seq[0].runes) == 0 {
			seq = seq[1:]
		}
		h, ok := headOf(seq)
		if !ok || len(alts) == 1 {
			to = append(to, c.sequence(seq, next))
			continue
		}
		if alike[h] == nil {
			order = append(order, h)
		}
		alike[h] = append(alike[h], seq)
	}
	for _, h := range order {
		seqs := alike[h]
		if len(seqs) == 1 {
			to = append(to, c.sequence(seqs[0], next))
			continue
		}
		shared := seqs[0][0]
		if shared.kind == literal {
			for _, seq := range seqs[1:] {
				shared.runes = commonPrefix(shared.runes, seq[0].runes)
			}
		}
		rests := make([][]expr, len(seqs))
		for i, seq := range seqs {
			rests[i] = seq[1:]
			if more := seq[0].runes[len(shared.runes):]; len(more) > 0 {
				rest := seq[0]
				rest.runes = more
				rests[i] = append([]expr{rest}, seq[1:]...)
			}
		}
		to = append(to, c.item(&shared, c.alternatives(rests, next)))
	}
	if len(to) == 1 {
		return to[0]
	}
	return c.fork(to...)
}

// A head is what sequences have in common that begin alike.
type head struct {
	kind kind
	rune rune
	rule int
}

func headOf(seq []expr) (head, bool) {
	if len(seq) == 0 {
		return head{}, false
	}
	switch e := seq[0]; e.kind {
	case literal:
		if len(e.runes) > 0 {
			return head{kind: literal, rune: e.runes[0]}, true
		}
	case reference:
		return head{kind: reference, rule: e.rule}, true
	}
	return head{}, false
}

func commonPrefix(a, b []rune) []rune {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return a[:i]
		}
	}
	return a[:min(len(a), len(b))]
}

func (c *compiler) sequence(seq []expr, next int32) int32 {
	for i := len(seq) - 1; i >= 0; i-- {
		next = c.item(&seq[i], next)
	}
	return next
}

func (c *compiler) item(e *expr, next int32) int32 {
	switch e.kind {
	case literal:
		for i := len(e.runes) - 1; i >= 0; i-- {
			r := e.runes[i]
			next = c.emit(inst{op: opRune, arg: c.class(runeSet{{r, r}}), next: next})
		}
		return next
	case charset:
		return c.emit(inst{op: opRune, arg: c.class(e.set), next: next})
	case reference:
		if c.copied == nil || c.copied[e.rule] == 0 {
			return c.emit(inst{op: opCall, arg: int32(e.rule), next: next})
		}
		copied := c.copied
		c.copied = nil // a copy holds no copies
		defer func() { c.copied = copied }()
		return c.alternatives(c.rules[e.rule].body, next)
	case group:
		return c.alternatives(e.alts, next)
	}
	// A repetition: first the copies that may be left out, or the loop.
	pc := next
	if e.max < 0 {
		loop := c.fork(0, next)
		c.g.targets[c.g.insts[loop].arg][0] = c.item(e.item, loop)
		pc = loop
	}
	for range e.max - e.min {
		pc = c.fork(c.item(e.item, pc), next)
	}
	for range e.min {
		pc = c.item(e.item, pc)
	}
	return pc
}
