package engine

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/inference/watch"
	"bendi/models/load"
)

const (
	// maxSequences is LLAMA_MAX_SEQ: running sequences and kept prefixes.
	maxSequences = 256

	// adapterQuantum is for how many steps one adapter is served while
	// another waits: adapters cannot share a batch, and each change costs.
	adapterQuantum = 8

	// shareLeast is how many tokens a shared prefix has to have: copying one
	// costs about as much as decoding a few.
	shareLeast = 16

	// keepLeast is how many tokens a sequence has to leave to be kept after its
	// end, and keepShare the part of the cache that all those kept may take.
	// They are not free: llama.cpp attends to every cell up to the last one in
	// use and masks those of others, so each step pays for what lies there.
	// Most of what is kept is never used, so that what has not been yet may take
	// a part of that only.
	keepLeast   = 64
	keepShare   = 0.5
	unusedShare = 0.125

	// ageing is how many tokens of a prompt each step of waiting makes good
	// for, where the shorter rest goes first.
	ageing = 64

	// doze is how long the loop sleeps when everybody's reader is slow.
	doze = 2 * time.Millisecond
)

// A loop decodes sequences, all those of one adapter together in one batch.
// Its goroutine alone touches the llama context.
type loop struct {
	ctx      llama.Context
	mem      llama.Memory
	batch    llama.Batch
	pool     llama.Threadpool
	vocab    *vocab
	adapters []llama.AdapterLora
	slots    int          // sequences decoded at once
	cells    int          // of the KV cache
	sharing  bool         // a prefix of one sequence can serve another
	copies   *checkpoints // where it cannot; nil: none are made

	queue   int // most sequences waiting
	inbox   chan []*sequence
	chores  chan func() // what others want done between two steps
	quit    chan struct{}
	closing sync.Once
	gate    sync.RWMutex  // held for reading by whoever submits
	ended   chan struct{} // closed when no more sequences are taken
	done    chan struct{} // closed when everything is freed
	err     error         // why it ended, when not by close
	stats   stats
	view    atomic.Pointer[watch.View]

	names     []string         // of the models, by adapter
	observers []watch.Observer // likewise
	looked    time.Time        // when the view was taken
	drawnAt   time.Time        // when the tokens of this step were drawn
	step      watch.Step       // what it cost

	tree    *prefixTree
	running []*sequence // in order of arrival
	waiting []*sequence // in no order: see line
	line    *line
	arrived int
	active  int // the adapter that the context has on
	steps   int // for how many steps it has been
	pace    pace
}

// stats count what the loop does. They may be read at any time.
type stats struct {
	pending   atomic.Int64 // sequences submitted and not ended
	running   atomic.Int64 // of those, in a slot
	cells     atomic.Int64 // of the KV cache in use, kept prefixes too
	prefilled atomic.Int64 // prompt tokens decoded
	generated atomic.Int64 // tokens drawn
	preempted atomic.Int64 // sequences that had to give way
	turn      atomic.Int64 // nanoseconds that a sequence has a slot, lately
	began     moment       // of the present step
}

type loopConfig struct {
	slots, cells, threads, queue int
	adapters                     []llama.AdapterLora
	names                        []string // of the models: the base, then each adapter's
	observers                    []watch.Observer
	options                      load.Options
}

func newLoop(model llama.Model, v *vocab, cfg loopConfig) (*loop, error) {
	p := llama.ContextDefaultParams()
	p.NCtx = uint32(cfg.cells)
	p.NBatch, p.NUbatch = uint32(prefillChunk+cfg.slots), prefillChunk
	p.NSeqMax, p.NOutputsMax, p.NOutputsMaxPerSeq = uint32(cfg.slots), uint32(cfg.slots), 1
	p.NThreads, p.NThreadsBatch = int32(cfg.threads), int32(cfg.threads)
	p.KVUnified, p.SwaFull, p.NoPerf = 1, 0, 1
	setCache(&p, cfg.options)
	ctx, err := llama.InitFromModel(model, p)
	if err != nil || ctx == 0 {
		why := ""
		if cfg.options.CacheType.Quantized() {
			why = ", or this model cannot have one of the type " + string(cfg.options.CacheType) + ": write cache_type: f16"
		}
		return nil, fmt.Errorf("no memory for a KV cache of %d tokens: lower slots, context or cache%s", cfg.cells, why)
	}
	mem, err := llama.GetMemory(ctx)
	if err != nil {
		return nil, fmt.Errorf("this model keeps no KV cache, so it cannot chat: %w", err)
	}
	l := &loop{
		ctx: ctx, mem: mem, vocab: v, adapters: cfg.adapters,
		names: cfg.names, observers: cfg.observers,
		batch: llama.BatchInit(int32(p.NBatch), 0, 1),
		slots: cfg.slots, cells: cfg.cells, queue: cfg.queue,
		// A recurrent state is one of the whole sequence, and a sliding window
		// forgets its beginning: neither can serve another prompt.
		sharing: !llama.ModelIsRecurrent(model) && !llama.ModelIsHybrid(model) && llama.ModelNSWA(model) == 0,
		inbox:   make(chan []*sequence, cfg.slots), chores: make(chan func()),
		quit: make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}),
		tree: newPrefixTree(), line: newLine(),
	}
	l.tree.rent = rent(model)
	if budget := int64(cfg.options.Checkpoints) << 20; !l.sharing && budget > 0 {
		l.copies = &checkpoints{budget: budget}
	}
	l.pool = attachThreads(ctx, cfg.threads)
	if err := l.warmUp(); err != nil {
		return nil, err
	}
	l.lookIdle()
	return l, nil
}

// attachThreads gives a context threads of its own, without which ggml starts
// some for every graph. Between two graphs they sleep. By default they would
// spin for a tenth of a second, on processors that sampling and sending could
// use: waking them takes some 50 µs, spinning cost a fifth of all tokens where
// the model is cheap. It returns 0 where there can be none.
func attachThreads(ctx llama.Context, n int) llama.Threadpool {
	p := llama.ThreadpoolParamsDefault(int32(n))
	p.Poll = 0
	pool, err := llama.ThreadpoolNew(&p)
	if err != nil {
		return 0
	}
	llama.AttachThreadpool(ctx, uintptr(pool), uintptr(pool))
	return pool
}

// rent returns how many rows pass over a cell of the model's cache in the time
// in which it decodes a token of a prompt: two operations for each weight, those
// of the vocabulary aside, against what each head of each layer takes to find
// that the cell is somebody else's. On a CPU that was measured as some 3 ns, in
// which the matrices make 256 operations. It is some answers of others at least,
// so that the next turn of a conversation finds the last.
func rent(model llama.Model) int {
	const pass, least = 256, 1024
	all := int(llama.ModelNParams(model))
	tokens := int(llama.VocabNTokens(llama.ModelGetVocab(model))) * int(llama.ModelNEmbd(model))
	heads := max(1, int(llama.ModelNHead(model))*int(llama.ModelNLayer(model)))
	return max(least, 2*max(all-2*tokens, all/4)/(pass*heads))
}

// warmUp decodes one token, so that the first request finds the weights in
// memory and the graph built, and a model that cannot decode is known at once.
func (l *loop) warmUp() error {
	l.batch.Add(0, 0, []llama.SeqId{0}, true)
	if ret, err := llama.Decode(l.ctx, l.batch); ret != 0 || err != nil {
		return fmt.Errorf("the model cannot decode: llama_decode returned %d, %v", ret, err)
	}
	llama.Synchronize(l.ctx)
	l.batch.Clear()
	return llama.MemoryClear(l.mem, false)
}

// submit hands the sequences of a request to the loop.
func (l *loop) submit(ctx context.Context, seqs []*sequence) error {
	n := int64(len(seqs))
	if int(l.stats.pending.Add(n)) > l.queue+l.slots {
		l.stats.pending.Add(-n)
		after := l.retryAfter()
		return &chat.Error{
			Kind: chat.Unavailable, RetryAfter: after,
			Msg: fmt.Sprintf("the engine answers %d requests and %d wait: try again in %v", l.slots, l.queue, after),
		}
	}
	l.gate.RLock()
	defer l.gate.RUnlock()
	err := l.gone()
	select {
	case <-l.ended:
	default:
		select {
		case l.inbox <- seqs:
			return nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-l.ended:
		}
	}
	l.stats.pending.Add(-n)
	return err
}

// gone is what a request hears that the loop cannot serve any more. Why, the
// worker says in its log.
func (l *loop) gone() error {
	return &chat.Error{Kind: chat.Unavailable, Code: chat.CodeEngineFailed, Msg: "the engine has ended: ask again", RetryAfter: time.Second}
}

// close ends the loop and every sequence, and frees the context.
func (l *loop) close() {
	l.closing.Do(func() { close(l.quit) })
	<-l.done
}

// run serves until close, or until llama.cpp can decode no more.
func (l *loop) run() {
	// Unlocked at the end: a thread that ends with its goroutine would run the
	// C++ destructors of its locals while llama.cpp is being freed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.free()
	for l.err == nil && l.receive() {
		begin := time.Now()
		l.stats.began.set(begin)
		l.release()
		l.admit()
		l.look(begin)
		if l.build() && l.decode() {
			l.step.Whole = time.Since(begin)
			l.observers[l.active].Step(l.step)
		}
		l.stats.cells.Store(int64(l.tree.cells))
		l.stats.began.clear()
	}
}

// free ends every sequence, those still being submitted too.
func (l *loop) free() {
	defer close(l.done)
	close(l.ended)
	l.gate.Lock()
	defer l.gate.Unlock()
	for len(l.inbox) > 0 {
		l.waiting = append(l.waiting, <-l.inbox...)
	}
	for _, s := range slices.Concat(l.running, l.waiting) {
		last := step{choice: s.choice, err: l.gone()}
		l.noteEnd(s, last)
		s.out.put(last)
	}
	llama.Free(l.ctx)
	llama.ThreadpoolFree(l.pool)
	llama.BatchFree(l.batch)
}

// receive takes in what has arrived. With nothing to do it waits. It reports
// false when the loop is to end.
func (l *loop) receive() bool {
	for {
		if len(l.running) == 0 && len(l.waiting) == 0 {
			l.lookIdle()
			select {
			case seqs := <-l.inbox:
				l.enqueue(seqs)
			case chore := <-l.chores:
				chore()
			case <-l.quit:
				return false
			}
			continue
		}
		select {
		case seqs := <-l.inbox:
			l.enqueue(seqs)
		case chore := <-l.chores:
			chore()
		case <-l.quit:
			return false
		default:
			return true
		}
	}
}

func (l *loop) enqueue(seqs []*sequence) {
	now := time.Now()
	for _, s := range seqs {
		s.arrival, s.class = l.arrived, l.line.arrive(s.principal, s.priority, now)
		l.arrived++
		l.waiting = append(l.waiting, s)
	}
}

// release lets go of whoever has left.
func (l *loop) release() {
	for _, s := range slices.Clone(l.running) {
		if s.ctx.Err() != nil {
			l.end(s, step{err: context.Cause(s.ctx)})
		}
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(s *sequence) bool {
		if s.ctx.Err() == nil {
			return false
		}
		l.stats.pending.Add(-1)
		l.line.depart(s.class, false)
		l.noteEnd(s, step{err: s.ctx.Err()})
		return true
	})
}

// end ends a running sequence. What it leaves in the cache is kept for those
// who begin with the same.
func (l *loop) end(s *sequence, last step) {
	if l.sharing && s.holder.size >= keepLeast {
		l.keep(s.holder)
	} else {
		l.evict(s.holder)
	}
	l.running = slices.DeleteFunc(l.running, func(o *sequence) bool { return o == s })
	l.line.depart(s.class, true)
	l.noteTurn(s)
	l.stats.running.Store(int64(len(l.running)))
	l.stats.pending.Add(-1)
	last.choice, last.cached = s.choice, s.progress.Cached
	l.noteEnd(s, last)
	s.out.put(last)
}

// keep keeps what h holds, and lets go of others where that is too much.
func (l *loop) keep(h *holder) {
	l.tree.keep(h)
	share := func(of float64) int { return int(of * float64(l.cells)) }
	for l.tree.cells-l.tree.held() > share(keepShare) {
		l.evict(l.tree.oldest(nil))
	}
	others := func(o *holder) bool { return o.unused() && o != h }
	for l.tree.unused() > share(unusedShare) {
		o := l.tree.first(others)
		if o == nil {
			break // h alone is more; it stays until there is another
		}
		l.evict(o)
	}
}

// evict frees the cells that h alone holds.
func (l *loop) evict(h *holder) {
	llama.MemorySeqRm(l.mem, h.id, -1, -1)
	l.tree.remove(h)
}

// admit gives free slots to those who wait, in the order of the line.
func (l *loop) admit() {
	if len(l.waiting) == 0 || len(l.running) == l.slots {
		return
	}
	now := time.Now()
	for _, s := range l.waiting {
		s.passed = false
	}
	for len(l.running) < l.slots {
		i := l.foremost(now)
		if i < 0 {
			return
		}
		s := l.waiting[i]
		from, length := l.prefix(s)
		copied := l.copied(s)
		if l.beingDecoded(s, length) || l.beingCopied(s, copied) {
			s.passed = true // its turn comes when it can share what another decodes now
			continue
		}
		if !l.makeRoom(len(s.tokens)-length, from) {
			return
		}
		s.holder = l.tree.add(s.key, l.freeID(from))
		if copied != nil {
			l.restore(s, copied)
		}
		if from != nil {
			llama.MemorySeqCp(l.mem, from.id, s.holder.id, 0, llama.Pos(length))
			l.tree.fork(s.holder, from, length)
			if s.generated() == 0 {
				s.progress.Cached = length
			}
		}
		l.waiting = slices.Delete(l.waiting, i, i+1)
		l.running = append(l.running, s)
		s.class.begin(now)
		l.stats.running.Store(int64(len(l.running)))
		l.noteBegin(s)
	}
}

// foremost returns who of those who wait is next, but for those passed over,
// or -1.
func (l *loop) foremost(now time.Time) int {
	best := -1
	for i, s := range l.waiting {
		if !s.passed && (best < 0 || compareWaiting(s, l.waiting[best], now) < 0) {
			best = i
		}
	}
	return best
}

// prefix returns who holds the longest prefix of s worth sharing. The last
// token is always decoded, for its logits.
func (l *loop) prefix(s *sequence) (*holder, int) {
	if !l.sharing {
		return nil, 0
	}
	from, length := l.tree.match(s.key, s.tokens[:len(s.tokens)-1])
	if length < shareLeast {
		return nil, 0
	}
	return from, length
}

// beingDecoded reports whether a running sequence is about to decode more of
// the beginning of s than length tokens.
func (l *loop) beingDecoded(s *sequence, length int) bool {
	if !l.sharing {
		return false
	}
	return slices.ContainsFunc(l.running, func(r *sequence) bool {
		return r.key == s.key && r.pending() > 1 &&
			commonPrefix(r.tokens, s.tokens[:len(s.tokens)-1]) >= length+shareLeast
	})
}

// makeRoom evicts kept prefixes, the one used longest ago first, until n more
// cells are free. It spares one. It reports whether they are.
func (l *loop) makeRoom(n int, spare *holder) bool {
	for l.tree.cells+n > l.cells {
		h := l.tree.oldest(spare)
		if h == nil {
			return false
		}
		l.evict(h)
	}
	return true
}

// freeID returns the lowest sequence id that is free, and evicts a kept prefix
// where none is.
func (l *loop) freeID(spare *holder) llama.SeqId {
	var taken [maxSequences]bool
	for _, h := range l.tree.holders {
		taken[h.id] = true
	}
	if i := slices.Index(taken[:], false); i >= 0 {
		return llama.SeqId(i)
	}
	h := l.tree.oldest(spare)
	l.evict(h)
	return h.id
}

// build fills the batch: the last token of every sequence that is being
// answered, then pieces of prompts. It reports whether there is anything to
// decode.
func (l *loop) build() bool {
	l.batch.Clear()
	if !l.chooseAdapter() {
		return false
	}
	var answered, prompts []*sequence
	for _, s := range l.running {
		s.row, s.fed = -1, 0
		switch {
		case s.key.adapter != l.active:
		case s.out.full():
		case s.pending() == 1:
			answered = append(answered, s)
		default:
			prompts = append(prompts, s)
		}
	}
	answered = l.fit(answered)
	prompts = slices.DeleteFunc(prompts, func(s *sequence) bool { return s.holder == nil }) // gave way
	for _, s := range answered {
		l.feed(s, 1)
	}
	now := time.Now()
	slices.SortFunc(prompts, func(a, b *sequence) int {
		return cmp.Or(a.class.compare(b.class, now), cmp.Compare(l.urgency(a), l.urgency(b)))
	})
	room, paced := prefillChunk, l.pace.budget(len(answered), len(prompts))
	for _, s := range prompts {
		n := min(room, s.pending(), s.nextMark()-s.holder.size)
		slowly := disturbs(s, answered)
		if slowly {
			n = min(n, paced)
		}
		if n == 0 {
			continue
		}
		if !l.makeRoom(int(l.batch.NTokens)+n, nil) {
			continue // until another ends
		}
		l.feed(s, n)
		if room -= n; slowly {
			paced -= n
		}
	}
	switch {
	case l.batch.NTokens > 0:
		return true
	case len(prompts) > 0 && len(l.running) > 1:
		l.giveWay() // each holds cells that another prompt needs
	default:
		time.Sleep(doze) // the readers are slow
	}
	return false
}

// disturbs reports whether the prompt of s has to be read at the pace of those
// who are being answered. One that came before their answers began, and that
// one step can read, has not: had it been its turn first, they would have waited
// as long, and the sooner all are answered in the same steps, the fewer these are.
func disturbs(s *sequence, answered []*sequence) bool {
	return s.pending() > prefillChunk || slices.ContainsFunc(answered, func(a *sequence) bool {
		return a.progress.First.Before(s.progress.Arrived)
	})
}

// urgency orders the prompts of a class: the shorter rest first, but nobody
// waits for ever.
func (l *loop) urgency(s *sequence) int {
	return s.pending() - ageing*(l.arrived-s.arrival)
}

// fit makes room for one token of each sequence. Where no kept prefix is left
// to evict, others give way. It returns those that did not.
func (l *loop) fit(answered []*sequence) []*sequence {
	for !l.makeRoom(len(answered), nil) && len(l.running) > 1 {
		l.giveWay()
		answered = slices.DeleteFunc(answered, func(s *sequence) bool { return s.holder == nil })
	}
	return answered
}

// giveWay takes the slot and the cells of one sequence: of those of the lowest
// priority, the youngest. It begins again later, from its prompt and what it
// has said.
func (l *loop) giveWay() {
	last := slices.MinFunc(l.running, compareYielding)
	l.evict(last.holder)
	last.holder = nil
	l.running = slices.DeleteFunc(l.running, func(s *sequence) bool { return s == last })
	last.class.yield(time.Now())
	l.stats.running.Store(int64(len(l.running)))
	l.waiting = append(l.waiting, last)
	l.stats.preempted.Add(1)
}

// feed puts the next n tokens of s into the batch.
func (l *loop) feed(s *sequence, n int) {
	for i := s.holder.size; i < s.holder.size+n; i++ {
		last := i == len(s.tokens)-1
		if last {
			s.row = l.batch.NTokens
		}
		if err := l.batch.Add(s.tokens[i], llama.Pos(i), []llama.SeqId{s.holder.id}, last); err != nil {
			panic(err) // the batch has room for prefillChunk and every slot
		}
	}
	s.fed = n
}

// chooseAdapter turns on the adapter whose turn it is. It reports false when
// no sequence runs.
func (l *loop) chooseAdapter() bool {
	next, own := -1, false
	for k := 1; k <= len(l.adapters)+1; k++ { // those after the active one, itself last
		a := (l.active + k) % (len(l.adapters) + 1)
		if !slices.ContainsFunc(l.running, func(s *sequence) bool { return s.key.adapter == a }) {
			continue
		}
		if a == l.active {
			own = true
		} else if next < 0 {
			next = a
		}
	}
	switch {
	case own && (next < 0 || l.steps < adapterQuantum):
		l.steps++
		return true
	case next < 0:
		return false
	}
	if err := turnOn(l.ctx, l.adapters, next); err != nil {
		l.err = err
		return false
	}
	l.active, l.steps = next, 1
	return true
}

// decode runs the batch and gives every sequence that asked for it a token. It
// reports false when it could not.
func (l *loop) decode() bool {
	begin := time.Now()
	if ret, err := llama.Decode(l.ctx, l.batch); ret != 0 || err != nil {
		// There is a cell for every token of the batch, so this is no shortage
		// but a fault that nothing here can mend. The worker ends and is
		// started again.
		l.err = fmt.Errorf("llama_decode returned %d for a batch of %d tokens, %v", ret, l.batch.NTokens, err)
		return false
	}
	var drawing []*sequence
	var rows [][]float32
	prompt := 0
	for _, s := range l.running {
		if s.fed == 0 {
			continue
		}
		if s.fed > 1 || s.generated() == 0 {
			prompt += s.fed
			s.class.charge(s.fed, 0)
		}
		l.tree.extend(s.holder, s.tokens[s.holder.size:s.holder.size+s.fed]...)
		if s.row < 0 {
			continue
		}
		logits, err := llama.GetLogitsIth(l.ctx, s.row, l.vocab.size())
		if err != nil || logits == nil {
			l.err = fmt.Errorf("no logits for row %d of a batch of %d tokens: %v", s.row, l.batch.NTokens, err)
			return false
		}
		drawing, rows = append(drawing, s), append(rows, logits)
		s.class.charge(0, 1)
	}
	if len(drawing) == 0 {
		llama.Synchronize(l.ctx)
	}
	decoded := time.Now()
	l.draw(drawing, rows)
	l.drawnAt = time.Now()
	for _, s := range drawing {
		l.deliver(s)
	}
	if l.copies != nil {
		for _, s := range l.running {
			if s.fed > 0 && s.pending() > 0 {
				l.checkpoint(s)
			}
		}
	}
	l.tree.rows += len(drawing)
	for h := l.tree.overdue(); h != nil; h = l.tree.overdue() {
		l.evict(h)
	}
	l.pace.note(decoded.Sub(begin), len(drawing), prompt)
	l.stats.prefilled.Add(int64(prompt))
	l.stats.generated.Add(int64(len(drawing)))
	l.step = watch.Step{Decode: decoded.Sub(begin), Sample: l.drawnAt.Sub(decoded), Prompt: prompt, Drawn: len(drawing)}
	return true
}

// draw draws the next token of each sequence, on all processors: with a large
// vocabulary it takes longer than a GPU takes to decode.
func (l *loop) draw(seqs []*sequence, rows [][]float32) {
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(seqs) {
				return
			}
			seqs[i].next = l.drawOne(seqs[i], rows[i])
		}
	}
	var wg sync.WaitGroup
	if parallel := len(seqs) * l.vocab.size() / parallelLogits; parallel > 0 {
		for range min(parallel, len(seqs)-1, runtime.GOMAXPROCS(0)-1) {
			wg.Go(work)
		}
	}
	work()
	wg.Wait()
}

// parallelLogits is how many logits are worth another goroutine.
const parallelLogits = 64 << 10

func (l *loop) drawOne(s *sequence, logits []float32) drawn {
	token, ok := s.think.forced()
	if !ok {
		token, ok = s.sampler.sample(logits, s.limits.rule(l.vocab))
	}
	if !ok {
		return drawn{err: chat.Errorf(chat.Internal, "no token of the vocabulary goes on with what the response_format or grammar asks for")}
	}
	d := drawn{token: token}
	if s.report >= 0 {
		d.logs = newLogprobs(logits, token, s.report)
	}
	return d
}

// deliver hands the drawn token to its reader.
func (l *loop) deliver(s *sequence) {
	d := s.next
	switch {
	case d.err != nil:
		l.end(s, step{err: d.err})
	case l.vocab.eog[d.token]:
		l.end(s, step{finish: chat.Stop})
	default:
		s.tokens = append(s.tokens, d.token)
		s.think.take(d.token, l.vocab.pieces[d.token])
		s.out.put(step{choice: s.choice, cached: s.progress.Cached, token: d.token, logs: d.logs})
		l.noteToken(s)
		switch whole := s.limits.take(l.vocab.pieces[d.token]); {
		case whole:
			l.end(s, step{finish: chat.Stop})
		case s.generated() == s.budget:
			l.end(s, step{finish: chat.Length})
		}
	}
}
