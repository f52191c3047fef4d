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

// A compiler turns parsed rules into a program, each rule from its end to its
// beginning, so that an instruction always knows what follows it.
type compiler struct {
	*parser
	g       *Grammar
	known   map[string]int32 // classes by their ranges
	owner   []int            // the rule of each instruction
	current int
	end     int32 // of the current rule
}

func (p *parser) compile() (g *Grammar, err error) {
	if n, r := p.cost(); n > maxInstructions {
		return nil, p.errorAt(r.at, "with the rule %q the grammar grows to more than %d steps; use fewer or smaller repetitions", r.name, maxInstructions)
	}
	c := &compiler{parser: p, g: &Grammar{}, known: map[string]int32{}}
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

// cost returns how many instructions the rules take, and the rule at which
// that goes over the limit.
func (p *parser) cost() (total int, over *rule) {
	for _, r := range p.rules {
		total = min(total+1+costOf(r.body), maxInstructions+1)
		if total > maxInstructions {
			return total, r
		}
	}
	return total, nil
}

func costOf(alts [][]expr) int {
	n := 1
	for _, seq := range alts {
		for _, e := range seq {
			switch e.kind {
			case literal:
				n += len(e.runes)
			case charset, reference:
				n++
			case group:
				n += costOf(e.alts)
			case repeat:
				n += max(e.min, e.max, 1)*(costOf([][]expr{{*e.item}})+1) + 1
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

func (c *compiler) alternatives(alts [][]expr, next int32) int32 {
	var to []int32
	for _, seq := range alts {
		pc := next
		for i := len(seq) - 1; i >= 0; i-- {
			pc = c.item(&seq[i], pc)
		}
		to = append(to, pc)
	}
	if len(to) == 1 {
		return to[0]
	}
	return c.fork(to...)
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
		return c.emit(inst{op: opCall, arg: int32(e.rule), next: next})
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
