package grammar

// check refuses a program that could run for ever without reading a character,
// which is left recursion, and one with a rule that can never end.
func (c *compiler) check() error {
	before := c.predecessors()
	empty := c.closure(before, false)
	finite := c.closure(before, true)
	for i, pc := range c.g.entry {
		if !finite[pc] {
			r := c.rules[i]
			return c.errorAt(r.at, "the rule %q can never end: it always leads to itself or to a character that does not exist", r.name)
		}
	}
	if err := c.walk(empty); err != nil {
		return err
	}
	w := &wayCounter{rules: c.rules, known: make([]int, len(c.rules)), empty: make([]bool, len(c.rules))}
	for i, pc := range c.g.entry {
		w.empty[i] = empty[pc]
	}
	for i, r := range c.rules {
		if w.rule(i) > maxWays {
			return c.errorAt(r.at, "the rule %q can begin in more than %d ways; use fewer alternatives that begin with the same rules", r.name, maxWays)
		}
	}
	return nil
}

// predecessors returns, for each instruction, those that go on at it.
func (c *compiler) predecessors() [][]int32 {
	before := make([][]int32, len(c.g.insts))
	for pc, in := range c.g.insts {
		switch in.op {
		case opRune, opCall:
			before[in.next] = append(before[in.next], int32(pc))
		case opFork:
			for _, to := range c.g.targets[in.arg] {
				before[to] = append(before[to], int32(pc))
			}
		}
	}
	return before
}

// closure marks the instructions from which the end of their rule can be
// reached: reading characters, or without reading any.
func (c *compiler) closure(before [][]int32, reading bool) []bool {
	reached := make([]bool, len(c.g.insts))
	done := make([]bool, len(c.g.entry))        // rules whose beginning is reached
	waiting := make([][]int32, len(c.g.entry))  // calls that only wait for their rule
	entries := make(map[int32][]int, len(done)) // rules by where they begin
	for i, pc := range c.g.entry {
		entries[pc] = append(entries[pc], i)
	}
	var todo []int32
	for pc, in := range c.g.insts {
		if in.op == opEnd {
			todo = append(todo, int32(pc))
		}
	}
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if reached[pc] {
			continue
		}
		reached[pc] = true
		for _, rule := range entries[pc] {
			done[rule] = true
			todo = append(todo, waiting[rule]...)
		}
		for _, from := range before[pc] {
			switch in := c.g.insts[from]; in.op {
			case opFork:
				todo = append(todo, from)
			case opRune:
				if reading && c.g.classes[in.arg].set.writable() {
					todo = append(todo, from)
				}
			case opCall:
				if done[in.arg] {
					todo = append(todo, from)
				} else {
					waiting[in.arg] = append(waiting[in.arg], from)
				}
			}
		}
	}
	return reached
}

// walk looks for a way from an instruction back to itself without reading a
// character, given from where the end of the rule can be reached that way.
func (c *compiler) walk(empty []bool) error {
	const (
		fresh = iota
		open
		closed
	)
	type visit struct {
		pc   int32
		edge int
	}
	// edge returns the n-th place that pc leads to without reading.
	edge := func(pc int32, n int) (int32, bool) {
		switch in := c.g.insts[pc]; in.op {
		case opFork:
			if to := c.g.targets[in.arg]; n < len(to) {
				return to[n], true
			}
		case opCall:
			switch {
			case n == 0:
				return c.g.entry[in.arg], true
			case n == 1 && empty[c.g.entry[in.arg]]:
				return in.next, true
			}
		}
		return 0, false
	}
	state := make([]uint8, len(c.g.insts))
	for first := range c.g.insts {
		if state[first] != fresh {
			continue
		}
		state[first] = open
		path := []visit{{pc: int32(first)}}
		for len(path) > 0 {
			top := &path[len(path)-1]
			to, ok := edge(top.pc, top.edge)
			switch {
			case !ok:
				state[top.pc] = closed
				path = path[:len(path)-1]
			case state[to] == open:
				r := c.rules[c.owner[to]]
				return c.errorAt(r.at, "the rule %q comes back to itself without reading a character (left recursion, or a repetition of something that may be empty)", r.name)
			case state[to] == fresh:
				state[to] = open
				path = append(path, visit{pc: to})
			default:
				top.edge++
			}
		}
	}
	return nil
}

// A wayCounter counts the ways in which rules can begin: every path through
// the rules up to the first character. llama.cpp takes each of them when it
// looks for left recursion, so a few rules can keep it busy for ever.
type wayCounter struct {
	rules []*rule
	known []int  // of each rule, 0 where not counted yet
	empty []bool // of each rule: it may be empty
}

func (w *wayCounter) rule(i int) int {
	if w.known[i] == 0 {
		w.known[i], _ = w.alternatives(w.rules[i].body)
	}
	return w.known[i]
}

// alternatives returns the number of ways, at most one more than allowed, and
// whether one of the alternatives may be empty.
func (w *wayCounter) alternatives(alts [][]expr) (ways int, empty bool) {
	ways = 1
	for _, seq := range alts {
		all := true // the items so far may be empty
		for i := 0; i < len(seq) && all; i++ {
			var n int
			n, all = w.item(&seq[i])
			ways = min(ways+n, maxWays+1)
		}
		empty = empty || all
	}
	return ways, empty
}

func (w *wayCounter) item(e *expr) (ways int, empty bool) {
	switch e.kind {
	case literal:
		return 0, len(e.runes) == 0
	case reference:
		return w.rule(e.rule), w.empty[e.rule]
	case group:
		return w.alternatives(e.alts)
	case repeat:
		n, empty := w.item(e.item)
		if empty {
			n *= max(e.min, e.max, 1)
		}
		return n + 1, empty || e.min == 0
	}
	return 0, false
}
