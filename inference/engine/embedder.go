package engine

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/models/load"
)

const (
	// packTokens is how many tokens of several inputs make one batch; a longer
	// input is alone. Each token attends to the cells of all of them, most of
	// which are masked, so larger batches cost more than they save.
	packTokens = 512

	// maxRowLogits is how many logits one step may make. llama.cpp computes
	// them of every token whose vector is wanted, for nothing: of 1000 tokens
	// of a vocabulary of 150,000 it would take 1.2 GB.
	maxRowLogits = 16 << 20

	// packInputs is how many inputs one batch may hold.
	packInputs = 64

	// contextRest is how long the memory of the context is kept for the next
	// request.
	contextRest = 5 * time.Minute

	// maxEmbedJobs is how many requests may wait.
	maxEmbedJobs = 512
)

// An embedder computes what a model makes of whole inputs: a vector of each,
// or a score of each pair. It has a llama context of its own, so the loop that
// chats does not notice it but by sharing the processors. The context is made
// at the first request, as large as that needs, and again for a longer input;
// when nobody has asked for a while it is freed.
//
// One goroutine touches the context. It takes the inputs of those who wait in
// the order of a [line], and of one who asks several times in turn, so that a
// request of thousands does not keep out the others.
type embedder struct {
	model    llama.Model
	adapters []llama.AdapterLora
	options  load.Options
	threads  int
	window   int // most tokens of an input
	pooling  llama.PoolingType
	width    int  // numbers of a result
	most     int  // inputs of a batch
	stepwise bool // a token sees only those before it, so they can be computed piece by piece
	only     bool // the model does not chat

	inbox   chan *embedJob
	chores  chan func() // what others want done
	quit    chan struct{}
	done    chan struct{} // closed when the goroutine has ended
	pending atomic.Int64
	began   moment     // of the present batch
	life    sync.Mutex // guards what follows
	started bool
	closed  bool

	// The rest is the goroutine's own.
	ctx    llama.Context
	mem    llama.Memory // 0: the model keeps none
	batch  llama.Batch
	rows   int // tokens of a step
	pool   llama.Threadpool
	room   int // tokens of the context; 0: there is none
	active int // the adapter that the context has on
	jobs   []*embedJob
	line   *line
}

// An asker is who asks, and how urgently.
type asker struct {
	principal string
	priority  int
}

// An embedJob is a request in tokens.
type embedJob struct {
	ctx     context.Context
	from    asker
	class   *class // of the line
	adapter int
	inputs  [][]llama.Token
	results [][]float32 // by input
	next    int         // the first input that is in no batch yet
	left    int         // inputs without a result
	ended   bool
	done    chan error // gets one
}

// A place is where an input is in a batch: that of its sequence.
type place struct {
	job   *embedJob
	index int
}

func newEmbedder(model llama.Model, adapters []llama.AdapterLora, o load.Options, threads, window int) *embedder {
	m := &embedder{
		model: model, adapters: adapters, options: o, threads: threads, window: window, pooling: poolingOf(model), only: embedsOnly(model),
		inbox: make(chan *embedJob), chores: make(chan func()), quit: make(chan struct{}), done: make(chan struct{}),
		line: newLine(),
	}
	m.width = int(llama.ModelNEmbdOut(model))
	if m.pooling == llama.PoolingTypeRank {
		m.width = max(1, int(llama.ModelNClsOut(model)))
	}
	m.most = packInputs
	if llama.ModelIsRecurrent(model) || llama.ModelIsHybrid(model) {
		m.most = 1 // a state for each sequence would be large
	}
	m.stepwise = causal(model)
	if !m.stepwise { // its positions end where its training did
		m.window = min(window, int(llama.ModelNCtxTrain(model)))
	}
	return m
}

// architectureKey returns the value of a key that begins with the name of the
// model's architecture.
func architectureKey(model llama.Model, key string) (string, bool) {
	arch, _ := llama.ModelMetaValStr(model, "general.architecture")
	return llama.ModelMetaValStr(model, arch+"."+key)
}

// causal reports whether a token sees only those before it.
func causal(model llama.Model) bool {
	value, ok := architectureKey(model, "attention.causal")
	return !ok || value != "false"
}

// poolingOf returns how the vectors of an input's tokens become one: as the
// file says, else their mean.
func poolingOf(model llama.Model) llama.PoolingType {
	value, _ := architectureKey(model, "pooling_type")
	if n, err := strconv.Atoi(value); err == nil && n > int(llama.PoolingTypeNone) && n <= int(llama.PoolingTypeRank) {
		return llama.PoolingType(n)
	}
	return llama.PoolingTypeMean
}

// embedsOnly reports whether a model was made for vectors or scores, and does
// not chat.
func embedsOnly(model llama.Model) bool {
	_, pools := architectureKey(model, "pooling_type")
	return pools || !causal(model)
}

// noLoop returns the loop of a model that does not chat. It takes nothing, and
// waits for its end.
func noLoop() *loop {
	return &loop{chores: make(chan func()), quit: make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}), tree: newPrefixTree()}
}

// warmUp computes one token, so that a model that cannot is known at once.
func (m *embedder) warmUp() error {
	_, err := m.run(context.Background(), asker{}, 0, [][]llama.Token{{0}})
	return err
}

// run returns a result for each input. An input has at least one token and at
// most window, each of the vocabulary.
func (m *embedder) run(ctx context.Context, from asker, adapter int, inputs [][]llama.Token) ([][]float32, error) {
	if m.pending.Add(1) > maxEmbedJobs {
		m.pending.Add(-1)
		return nil, &chat.Error{
			Kind: chat.Unavailable, RetryAfter: time.Second,
			Msg: fmt.Sprintf("%d requests for embeddings wait already: try again in 1 s", maxEmbedJobs),
		}
	}
	defer m.pending.Add(-1)
	if !m.start() {
		return nil, m.gone()
	}
	j := &embedJob{
		ctx: ctx, from: from, adapter: adapter, inputs: inputs,
		results: make([][]float32, len(inputs)), left: len(inputs), done: make(chan error, 1),
	}
	select {
	case m.inbox <- j:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-m.done:
		return nil, m.gone()
	}
	select {
	case err := <-j.done:
		switch {
		case err == nil:
			return j.results, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		return nil, err
	case <-ctx.Done(): // its inputs are left out of the next batch
		return nil, context.Cause(ctx)
	}
}

func (m *embedder) gone() error {
	return &chat.Error{Kind: chat.Unavailable, Code: chat.CodeEngineFailed, Msg: "the engine has ended: ask again", RetryAfter: time.Second}
}

// start starts the goroutine, once. It reports false after close.
func (m *embedder) start() bool {
	m.life.Lock()
	defer m.life.Unlock()
	if !m.started && !m.closed {
		m.started = true
		go m.serve()
	}
	return !m.closed
}

// close ends every request with an error and frees the context.
func (m *embedder) close() {
	m.life.Lock()
	started := m.started
	if !m.closed {
		m.closed = true
		close(m.quit)
	}
	m.life.Unlock()
	if started {
		<-m.done
	}
}

// serve computes until close.
func (m *embedder) serve() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() {
		m.free()
		for _, j := range m.jobs {
			j.done <- m.gone()
		}
		close(m.done)
	}()
	for m.receive() {
		m.began.set(time.Now())
		if places := m.pack(); len(places) > 0 {
			m.deliver(places, m.compute(places))
		}
		m.began.clear()
	}
}

// receive takes in what has arrived. With nothing to do it waits. It reports
// false when the embedder is to end.
func (m *embedder) receive() bool {
	rest := time.NewTimer(contextRest)
	defer rest.Stop()
	for len(m.jobs) == 0 {
		select {
		case j := <-m.inbox:
			m.enqueue(j)
		case chore := <-m.chores:
			chore()
		case <-m.quit:
			return false
		case <-rest.C:
			m.free()
		}
	}
	for {
		select {
		case j := <-m.inbox:
			m.enqueue(j)
		case chore := <-m.chores:
			chore()
		case <-m.quit:
			return false
		default:
			return true
		}
	}
}

func (m *embedder) enqueue(j *embedJob) {
	j.class = m.line.arrive(j.from.principal, j.from.priority, time.Now())
	m.jobs = append(m.jobs, j)
}

// drop forgets the requests that ended is true of.
func (m *embedder) drop(ended func(*embedJob) bool) {
	m.jobs = slices.DeleteFunc(m.jobs, func(j *embedJob) bool {
		if !ended(j) {
			return false
		}
		m.line.depart(j.class, false)
		return true
	})
}

// pack chooses what to compute next, until the batch is full: each time an
// input of whoever is next in the line, and of those who are equal there, of
// the request that has the fewest in this batch. All are for the adapter of the
// first. Who is in this batch is behind its equals in the next, so a long input
// finds its turn as well.
func (m *embedder) pack() []place {
	m.drop(func(j *embedJob) bool { return j.ctx.Err() != nil })
	var places []place
	taken := make(map[*embedJob]int)
	now := time.Now()
	for size := 0; ; {
		var next *embedJob
		for _, j := range m.jobs {
			switch {
			case j.next == len(j.inputs):
			case len(places) > 0 && (j.adapter != places[0].job.adapter || len(places) == m.most || size+len(j.inputs[j.next]) > packTokens):
			case next == nil || cmp.Or(j.class.compare(next.class, now), cmp.Compare(taken[j], taken[next])) < 0:
				next = j
			}
		}
		if next == nil {
			break
		}
		n := len(next.inputs[next.next])
		places = append(places, place{next, next.next})
		next.class.charge(n, 0)
		next.class.latest = now
		taken[next]++
		next.next++
		size += n
	}
	slices.SortStableFunc(m.jobs, func(a, b *embedJob) int { return cmp.Compare(min(taken[a], 1), min(taken[b], 1)) })
	return places
}

// deliver ends the requests that have all their results, and those that err
// struck.
func (m *embedder) deliver(places []place, err error) {
	for _, p := range places {
		p.job.left--
		if (p.job.left == 0 || err != nil) && !p.job.ended {
			p.job.ended = true
			p.job.done <- err
		}
	}
	m.drop(func(j *embedJob) bool { return j.ended })
}

// A row is a token in a step.
type row struct {
	seq         int // of the place
	first, last bool
}

// compute fills in the results of the inputs, in as many steps as it takes. It
// ends early when nobody waits for any of them.
func (m *embedder) compute(places []place) error {
	tokens := 0
	for _, p := range places {
		tokens += len(p.job.inputs[p.index])
	}
	if err := m.prepare(tokens); err != nil {
		return err
	}
	if err := m.choose(places[0].job.adapter); err != nil {
		return err
	}
	m.batch.Clear()
	if m.mem != 0 {
		if err := llama.MemoryClear(m.mem, false); err != nil {
			return err
		}
	}
	rows := make([]row, 0, m.rows)
	sums := make([][]float64, len(places))
	for seq, p := range places {
		sums[seq] = make([]float64, m.width)
		id := []llama.SeqId{llama.SeqId(seq)}
		input := p.job.inputs[p.index]
		for pos, token := range input {
			if err := m.batch.Add(token, llama.Pos(pos), id, true); err != nil {
				panic(err) // it is emptied before it is full
			}
			rows = append(rows, row{seq, pos == 0, pos == len(input)-1})
			if len(rows) < m.rows && !(seq == len(places)-1 && rows[len(rows)-1].last) {
				continue
			}
			if !slices.ContainsFunc(places, func(p place) bool { return p.job.ctx.Err() == nil }) {
				return context.Canceled
			}
			if err := m.step(rows, sums); err != nil {
				return err
			}
			m.batch.Clear()
			rows = rows[:0]
		}
	}
	for seq, p := range places {
		result := make([]float32, m.width)
		for i, x := range sums[seq] {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("the embedding of an input of %d tokens is not finite", len(p.job.inputs[p.index]))
			}
			result[i] = float32(x)
		}
		p.job.results[p.index] = result
	}
	return nil
}

// step decodes the batch and adds to the sums what its rows are worth. For the
// mean the sum will do: only its direction counts.
func (m *embedder) step(rows []row, sums [][]float64) error {
	if ret, err := llama.Decode(m.ctx, m.batch); ret != 0 || err != nil {
		m.free() // whatever is wrong with it
		return fmt.Errorf("llama_decode returned %d for %d tokens to embed, %v", ret, len(rows), err)
	}
	if m.pools() {
		for _, r := range rows {
			if !r.last {
				continue
			}
			v, err := llama.GetEmbeddingsSeq(m.ctx, llama.SeqId(r.seq), int32(m.width))
			if err != nil || v == nil {
				return fmt.Errorf("no embedding for sequence %d: %v", r.seq, err)
			}
			accumulate(sums[r.seq], v)
		}
		return nil
	}
	all, err := llama.GetEmbeddings(m.ctx, len(rows), m.width)
	if err != nil || len(all) < len(rows)*m.width {
		return fmt.Errorf("no embeddings for %d tokens: %v", len(rows), err)
	}
	for i, r := range rows {
		if m.pooling == llama.PoolingTypeMean || r.last && m.pooling == llama.PoolingTypeLast || r.first && m.pooling == llama.PoolingTypeCLS {
			accumulate(sums[r.seq], all[i*m.width:][:m.width])
		}
	}
	return nil
}

func accumulate(sum []float64, v []float32) {
	for i, x := range v {
		sum[i] += float64(x)
	}
}

// pools reports whether llama.cpp makes one vector of those of the tokens. It
// has to where there is more to it, and may where all tokens are computed at
// once anyway. Elsewhere it is done here, so that an input can be computed
// piece by piece.
func (m *embedder) pools() bool { return !m.stepwise || m.pooling == llama.PoolingTypeRank }

// prepare sees to a context that holds so many tokens.
func (m *embedder) prepare(tokens int) error {
	if tokens <= m.room {
		return nil
	}
	m.free()
	room := packTokens
	for room < tokens {
		room *= 2
	}
	room = min(room, max(packTokens, m.window))
	m.rows = room
	if vocab := int(llama.VocabNTokens(llama.ModelGetVocab(m.model))); m.stepwise {
		m.rows = min(room, max(32, min(packTokens, maxRowLogits/max(1, vocab))))
	}
	p := llama.ContextDefaultParams()
	p.NCtx, p.NBatch, p.NUbatch = uint32(room), uint32(m.rows), uint32(m.rows)
	p.NSeqMax = uint32(m.most)
	p.NThreads, p.NThreadsBatch = int32(m.threads), int32(m.threads)
	p.KVUnified, p.SwaFull, p.NoPerf = 1, 0, 1
	o := m.options
	o.CacheType = load.F16 // it lasts for one batch
	setCache(&p, o)
	p.Embeddings, p.PoolingType = 1, m.pooling
	if !m.pools() {
		p.PoolingType = llama.PoolingTypeNone
	}
	ctx, err := llama.InitFromModel(m.model, p)
	if err != nil || ctx == 0 {
		return &chat.Error{
			Kind: chat.Unavailable,
			Msg:  fmt.Sprintf("there is no memory for inputs of %d tokens now: send shorter ones, or lower the model's context, cache or slots", tokens),
			Err:  err,
		}
	}
	m.ctx, m.room, m.active = ctx, room, 0
	m.mem, _ = llama.GetMemory(ctx)
	m.batch = llama.BatchInit(int32(m.rows), 0, 1)
	m.pool = attachThreads(ctx, m.threads)
	return nil
}

// choose turns an adapter on, and the others off.
func (m *embedder) choose(adapter int) error {
	if adapter == m.active {
		return nil
	}
	if err := turnOn(m.ctx, m.adapters, adapter); err != nil {
		m.free()
		return err
	}
	m.active = adapter
	return nil
}

// free frees the context, if there is one.
func (m *embedder) free() {
	if m.room == 0 {
		return
	}
	llama.Free(m.ctx)
	llama.ThreadpoolFree(m.pool)
	llama.BatchFree(m.batch)
	m.ctx, m.mem, m.pool, m.room = 0, 0, 0, 0
}
