package engine

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
)

const (
	// prefillChunk is how many prompt tokens at most one step takes on, so
	// that a long prompt holds up those who are being answered by little.
	prefillChunk = 512

	// adapterQuantum is for how many steps one adapter is served while
	// another waits: adapters cannot share a batch, and each change costs.
	adapterQuantum = 8
)

// A sequence is a request as the loop sees it.
type sequence struct {
	ctx     context.Context
	prompt  []llama.Token
	budget  int // most tokens to generate, at least 1
	adapter int // 0: none
	sampler *sampler

	// tokens holds what was generated, and has room for budget of them, so the
	// loop never waits for a slow reader. It is closed at the end; finish and
	// err may be read after that.
	tokens chan llama.Token
	finish chat.Finish
	err    error

	// The rest is the loop's own.
	arrival int
	done    int         // prompt tokens decoded
	last    llama.Token // generated, and to be decoded next
	count   int         // tokens generated
	row     int32       // where in the batch its logits are asked for; -1: nowhere
}

// A loop decodes sequences, all those of one adapter together in one batch.
// Its goroutine alone touches the llama context.
type loop struct {
	ctx      llama.Context
	mem      llama.Memory
	batch    llama.Batch
	vocab    int
	pool     llama.Threadpool
	adapters []llama.AdapterLora

	queue   int // most sequences waiting
	inbox   chan *sequence
	quit    chan struct{}
	closing sync.Once
	gate    sync.RWMutex  // held for reading by whoever submits
	ended   chan struct{} // closed when no more sequences are taken
	done    chan struct{} // closed when everything is freed
	err     error         // why it ended, when not by close

	pending atomic.Int64 // sequences submitted and not ended
	running atomic.Int64 // of those, in a slot

	slots   []*sequence // by llama.cpp's sequence id; nil: free
	waiting []*sequence
	arrived int
	active  int // the adapter that the context has on
	steps   int // for how many steps it has been
}

func newLoop(model llama.Model, vocab, window, slots, threads int, adapters []llama.AdapterLora) (*loop, error) {
	p := llama.ContextDefaultParams()
	p.NCtx = uint32(window * slots)
	p.NBatch, p.NUbatch = uint32(prefillChunk+slots), prefillChunk
	p.NSeqMax, p.NOutputsMax, p.NOutputsMaxPerSeq = uint32(slots), uint32(slots), 1
	p.NThreads, p.NThreadsBatch = int32(threads), int32(threads)
	p.KVUnified, p.SwaFull, p.NoPerf = 1, 0, 1
	ctx, err := llama.InitFromModel(model, p)
	if err != nil || ctx == 0 {
		return nil, fmt.Errorf("no memory for a context of %d slots with %d tokens each: lower slots or context", slots, window)
	}
	mem, err := llama.GetMemory(ctx)
	if err != nil {
		return nil, fmt.Errorf("this model keeps no KV cache, so it cannot chat: %w", err)
	}
	l := &loop{
		ctx: ctx, mem: mem, vocab: vocab, adapters: adapters,
		batch: llama.BatchInit(int32(p.NBatch), 0, 1),
		inbox: make(chan *sequence, slots),
		quit:  make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}),
		slots: make([]*sequence, slots),
	}
	// Without a pool of its own ggml starts threads for every graph.
	pool := llama.ThreadpoolParamsDefault(int32(threads))
	if l.pool, err = llama.ThreadpoolNew(&pool); err == nil {
		llama.AttachThreadpool(ctx, uintptr(l.pool), uintptr(l.pool))
	}
	if err := l.warmUp(); err != nil {
		return nil, err
	}
	return l, nil
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

// submit hands a sequence to the loop.
func (l *loop) submit(s *sequence) error {
	if n := l.pending.Add(1); int(n) > l.queue+len(l.slots) {
		l.pending.Add(-1)
		return &chat.Error{
			Kind: chat.Unavailable, RetryAfter: time.Second,
			Msg: fmt.Sprintf("the engine answers %d requests and %d wait: try again in 1 s", len(l.slots), l.queue),
		}
	}
	l.gate.RLock()
	defer l.gate.RUnlock()
	err := l.gone()
	select {
	case <-l.ended:
	default:
		select {
		case l.inbox <- s:
			return nil
		case <-s.ctx.Done():
			err = context.Cause(s.ctx)
		case <-l.ended:
		}
	}
	l.pending.Add(-1)
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
func (l *loop) run(eog []bool) {
	// Unlocked at the end: a thread that ends with its goroutine would run the
	// C++ destructors of its locals while llama.cpp is being freed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.free()
	for l.err == nil && l.receive() {
		l.admit()
		if l.build() {
			l.decode(eog)
		}
	}
}

// free ends every sequence, those still being submitted too.
func (l *loop) free() {
	defer close(l.done)
	close(l.ended)
	l.gate.Lock()
	defer l.gate.Unlock()
	for i, s := range l.slots {
		if s != nil {
			l.end(i, "", l.gone())
		}
	}
	for _, s := range l.waiting {
		l.drop(s, l.gone())
	}
	for len(l.inbox) > 0 {
		l.drop(<-l.inbox, l.gone())
	}
	llama.Free(l.ctx)
	llama.ThreadpoolFree(l.pool)
	llama.BatchFree(l.batch)
}

// receive takes in what has arrived. With nothing to do it waits. It reports
// false when the loop is to end.
func (l *loop) receive() bool {
	for {
		if l.running.Load() == 0 && len(l.waiting) == 0 {
			select {
			case s := <-l.inbox:
				l.enqueue(s)
			case <-l.quit:
				return false
			}
			continue
		}
		select {
		case s := <-l.inbox:
			l.enqueue(s)
		case <-l.quit:
			return false
		default:
			return true
		}
	}
}

func (l *loop) enqueue(s *sequence) {
	s.arrival = l.arrived
	l.arrived++
	l.waiting = append(l.waiting, s)
}

// admit lets go of whoever has left and gives free slots to those who wait.
func (l *loop) admit() {
	for i, s := range l.slots {
		if s != nil && s.ctx.Err() != nil {
			l.end(i, "", context.Cause(s.ctx))
		}
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(s *sequence) bool {
		if s.ctx.Err() != nil {
			l.drop(s, context.Cause(s.ctx))
			return true
		}
		return false
	})
	for i, s := range l.slots { // the lowest free id first keeps ids dense
		if s == nil && len(l.waiting) > 0 {
			l.slots[i] = l.waiting[0]
			l.waiting = slices.Delete(l.waiting, 0, 1)
			l.running.Add(1)
		}
	}
}

// drop ends a sequence that has no slot.
func (l *loop) drop(s *sequence, err error) {
	s.err = err
	close(s.tokens)
	l.pending.Add(-1)
}

// end ends the sequence in slot i and frees the slot and its KV cells.
func (l *loop) end(i int, why chat.Finish, err error) {
	s := l.slots[i]
	s.finish = why
	l.slots[i] = nil
	llama.MemorySeqRm(l.mem, llama.SeqId(i), -1, -1)
	l.running.Add(-1)
	l.drop(s, err)
}

// build fills the batch: the last token of every sequence that is being
// answered, then prompts in order of arrival. It reports whether there is
// anything to decode.
func (l *loop) build() bool {
	l.batch.Clear()
	if !l.chooseAdapter() {
		return false
	}
	var prefill []int
	for i, s := range l.slots {
		if s == nil || s.adapter != l.active {
			continue
		}
		s.row = -1
		if s.done < len(s.prompt) {
			prefill = append(prefill, i)
			continue
		}
		l.add(i, s.last, len(s.prompt)+s.count-1, true)
	}
	slices.SortFunc(prefill, func(a, b int) int { return l.slots[a].arrival - l.slots[b].arrival })
	room := prefillChunk
	for _, i := range prefill {
		s := l.slots[i]
		n := min(room, len(s.prompt)-s.done)
		for range n {
			l.add(i, s.prompt[s.done], s.done, s.done == len(s.prompt)-1)
			s.done++
		}
		if room -= n; room == 0 {
			break
		}
	}
	return l.batch.NTokens > 0
}

func (l *loop) add(slot int, token llama.Token, pos int, logits bool) {
	if logits {
		l.slots[slot].row = l.batch.NTokens
	}
	if err := l.batch.Add(token, llama.Pos(pos), []llama.SeqId{llama.SeqId(slot)}, logits); err != nil {
		panic(err) // the batch has room for prefillChunk and every slot
	}
}

// chooseAdapter turns on the adapter whose turn it is. It reports false when
// no sequence runs.
func (l *loop) chooseAdapter() bool {
	next, own := -1, false
	for k := 1; k <= len(l.adapters)+1; k++ { // those after the active one, itself last
		a := (l.active + k) % (len(l.adapters) + 1)
		if !slices.ContainsFunc(l.slots, func(s *sequence) bool { return s != nil && s.adapter == a }) {
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
	scales := make([]float32, len(l.adapters)) // 0 turns an adapter off
	if next > 0 {
		scales[next-1] = 1
	}
	if ret := llama.SetAdaptersLora(l.ctx, l.adapters, scales); ret != 0 {
		l.err = fmt.Errorf("llama_set_adapters_lora returned %d", ret)
		return false
	}
	l.active, l.steps = next, 1
	return true
}

// decode runs the batch and gives every sequence that asked for it a token.
func (l *loop) decode(eog []bool) {
	if ret, err := llama.Decode(l.ctx, l.batch); ret != 0 || err != nil {
		// There is a KV cell for every token of every slot, so this is no
		// shortage but a fault that nothing here can mend. The worker ends and
		// is started again.
		l.err = fmt.Errorf("llama_decode returned %d for a batch of %d tokens, %v", ret, l.batch.NTokens, err)
		return
	}
	for i, s := range l.slots {
		if s == nil || s.adapter != l.active || s.row < 0 {
			continue
		}
		logits, err := llama.GetLogitsIth(l.ctx, s.row, l.vocab)
		if err != nil || logits == nil {
			l.err = fmt.Errorf("no logits for row %d of a batch of %d tokens: %v", s.row, l.batch.NTokens, err)
			return
		}
		token := s.sampler.sample(logits)
		if eog[token] {
			l.end(i, chat.Stop, nil)
			continue
		}
		s.tokens <- token
		s.last = token
		if s.count++; s.count == s.budget {
			l.end(i, chat.Length, nil)
		}
	}
}
