package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
	"bendi/inference/engine/dialect"
	"bendi/inference/watch"
	"bendi/models/load"
)

// A Config says which model to load and how.
type Config struct {
	Name     string            // the model's id in requests
	Model    string            // GGUF file
	Adapters map[string]string // LoRA GGUF files by adapter name; the id is Name:adapter
	Context  int               // tokens of each sequence; 0: what the model was trained with
	Slots    int               // sequences decoded at once, 1 to 256
	Threads  int               // 0: the physical cores, as far as this process may use them; 1 for a small model
	Queue    int               // most requests that wait for a slot; 0: 512

	load.Options // the KV cache, and what lies on GPUs

	// TemplateKwargs is what requests may give to the chat template, by name,
	// with the defaults as JSON: true or false, whole numbers, texts.
	TemplateKwargs map[string]json.RawMessage

	// Observe is called once for each model that is served, by its id, and
	// returns who is told what that model does. nil: nobody is.
	Observe func(model string) watch.Observer
}

const defaultQueue = 512

// An Engine is a loaded model. It answers to its name and to those of its
// adapters.
type Engine struct {
	name     string
	created  int64
	model    llama.Model
	vocab    *vocab
	prompts  *renderer
	dialect  dialect.Dialect
	defaults sampling
	shelf    *shelf // of adapters; the loop knows them by their numbers
	observe  func(model string) watch.Observer
	changing sync.Mutex // held while an adapter comes or goes
	kwargs   kwargs
	window   int  // tokens of each sequence
	sharing  bool // prefixes, between all principals
	loop     *loop
	embed    *embedder
	file     string // the model's
	info     Info
}

// Info describes a loaded model.
type Info struct {
	Device    string // what computes
	Context   int    // tokens of each sequence
	Slots     int
	Layers    int      // of the model, its output one of them
	GPULayers int      // how many of them lie on GPUs
	SizeBytes int64    // of the weights
	Adapters  []string // names, sorted
	LoadTime  time.Duration
}

// Open loads a model. [LoadLibrary] must have been called. The file must be
// one that has been inspected: llama.cpp aborts the process on some that are
// damaged.
func Open(cfg Config) (*Engine, error) {
	begin := time.Now()
	if cfg.Slots < 1 || cfg.Slots > maxSequences {
		return nil, fmt.Errorf("slots must be 1 to %d, not %d", maxSequences, cfg.Slots)
	}
	e := &Engine{name: cfg.Name, created: time.Now().Unix(), file: cfg.Model, sharing: cfg.SharePrefixes == load.ShareAll, kwargs: cfg.TemplateKwargs}
	var err error
	devices := Devices()
	if err := CheckDevices(cfg.Options, devices); err != nil {
		return nil, err
	}
	gpus := len(gpusOf(devices))
	if e.model, err = openModel(cfg.Model, cfg.Options, gpus); err != nil {
		return nil, err
	}
	if llama.ModelHasEncoder(e.model) || !llama.ModelHasDecoder(e.model) {
		return nil, fmt.Errorf("%s is an encoder model, which cannot chat", cfg.Model)
	}
	e.vocab = newVocab(e.model)
	e.defaults = recommended(e.model)
	source := template(e.model)
	if e.prompts, err = newRenderer(source, e.vocab); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Model, err)
	}
	e.dialect = dialect.Detect(source, e.vocab.control)
	e.vocab.speak(e.dialect.Tags())

	var adapters []llama.AdapterLora
	e.shelf, e.observe = newShelf(slices.Sorted(maps.Keys(cfg.Adapters))), cfg.Observe
	for _, name := range slices.Sorted(maps.Keys(cfg.Adapters)) {
		path := cfg.Adapters[name]
		adapter, err := llama.AdapterLoraInit(e.model, path)
		if err != nil || adapter == 0 {
			return nil, fmt.Errorf("llama.cpp cannot load the adapter %s for %s; the lines above say why", path, cfg.Model)
		}
		adapters = append(adapters, adapter)
	}

	e.window = cfg.Context
	if e.window == 0 {
		e.window = int(llama.ModelNCtxTrain(e.model))
	}
	threads := cmp.Or(cfg.Threads, autoThreads(e.model))
	cells := cmp.Or(cfg.Cache, e.window*cfg.Slots)
	if cells < e.window {
		return nil, fmt.Errorf("a KV cache of %d tokens cannot hold one sequence of %d: raise cache, or lower context", cells, e.window)
	}
	var names []string
	var observers []watch.Observer
	for _, m := range e.Models() {
		var o watch.Observer = watch.Nobody{}
		if cfg.Observe != nil {
			o = cfg.Observe(m.ID)
		}
		names, observers = append(names, m.ID), append(observers, o)
	}
	e.embed = newEmbedder(e.model, adapters, cfg.Options, threads, e.window)
	if e.embed.only {
		e.loop, err = noLoop(), e.embed.warmUp()
		if err != nil {
			return nil, err
		}
	} else if e.loop, err = newLoop(e.model, e.vocab, loopConfig{
		slots: cfg.Slots, cells: cells, threads: threads,
		queue: cmp.Or(cfg.Queue, defaultQueue), adapters: adapters,
		names: names, observers: observers, options: cfg.Options,
	}); err != nil {
		return nil, err
	}
	layers, gpuLayers := int(llama.ModelNLayer(e.model)), 0
	if gpus > 0 && !cfg.OffGPU() {
		gpuLayers = cfg.GPULayers.Of(layers)
	}
	e.info = Info{
		Device:    computing(devices, gpuLayers, threads),
		Layers:    layers + 1,
		GPULayers: gpuLayers,
		Context:   e.window,
		Slots:     cfg.Slots,
		SizeBytes: int64(llama.ModelSize(e.model)),
		Adapters:  e.shelf.names(),
		LoadTime:  time.Since(begin),
	}
	go e.loop.run()
	return e, nil
}

// Close ends every request with an error, waits for the loop, and frees the
// model.
func (e *Engine) Close() {
	e.loop.close()
	e.embed.close()
	llama.ModelFree(e.model)
}

// Done is closed when the engine can decode no more; Err says why.
func (e *Engine) Done() <-chan struct{} { return e.loop.done }

// Err returns the failure that ended the engine, or nil after Close. It may be
// called once Done is closed.
func (e *Engine) Err() error { return e.loop.err }

// Info describes the model.
func (e *Engine) Info() Info { return e.info }

// Load returns how many requests have a slot and how many wait for one.
func (e *Engine) Load() (running, waiting int) {
	running = int(e.loop.stats.running.Load())
	return running, max(0, int(e.loop.stats.pending.Load())-running)
}

// Models lists the model and its adapters.
func (e *Engine) Models() []chat.ModelInfo {
	info := chat.ModelInfo{ID: e.name, Created: e.created, OwnedBy: "local", Context: e.window}
	list := []chat.ModelInfo{info}
	for _, a := range e.shelf.names() {
		info.ID = e.name + ":" + a
		list = append(list, info)
	}
	return list
}

// Resolve returns the id of the model that answers to a name, which may be
// empty.
func (e *Engine) Resolve(name string) (string, error) {
	i, err := e.adapter(name)
	if err != nil {
		return "", err
	}
	if i == 0 {
		return e.name, nil
	}
	return name, nil
}

// hold keeps the adapter that a model name asks for from being unloaded until
// it is let go of.
func (e *Engine) hold(name string) (let func()) {
	_, adapter, _ := strings.Cut(name, ":")
	return e.shelf.hold(adapter)
}

// adapter returns the loop's number of the adapter that a model name asks for;
// 0 is the model itself.
func (e *Engine) adapter(name string) (int, error) {
	if name == "" || name == e.name {
		return 0, nil
	}
	if a, ok := strings.CutPrefix(name, e.name+":"); ok {
		if n := e.shelf.find(a); n > 0 {
			return n, nil
		}
	}
	var names []string
	for _, m := range e.Models() {
		names = append(names, m.ID)
	}
	return 0, &chat.Error{
		Kind: chat.NotFound, Code: chat.CodeModelNotFound, Param: "model",
		Msg: "this engine serves " + strings.Join(names, ", "),
	}
}

// Chat answers req.
func (e *Engine) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		arrived := time.Now()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(errLeft) // on break, return and panic alike
		defer e.hold(req.Model)()
		j, err := e.prepare(ctx, req)
		if err == nil {
			err = e.loop.submit(ctx, j.sequences(ctx, arrived))
		}
		if err == nil {
			err = e.answer(ctx, j, yield)
		}
		if err != nil {
			yield(chat.Event{}, err)
		}
	}
}

// A job is a request in the model's terms.
type job struct {
	prompt   []llama.Token
	marks    []int // see sequence
	opened   bool  // the prompt ends inside the reasoning
	dialect  dialect.Dialect
	tools    []chat.Tool
	forced   bool // the answer has to call one of them
	single   bool // one call is all there may be
	stop     []string
	key      treeKey
	sampling sampling

	principal string
	priority  int
	waiting   func(position, length int) // of the request; nil: nobody asks
	budget    int                        // most tokens of each choice
	report    int                        // see sequence
	limits    *constraint                // of the text; nil: none
	think     *thinking                  // of the reasoning; nil: none
	out       *output

	// end ends a choice that is whole, which the loop may not know: a stop
	// string is its reader's business.
	end []context.CancelCauseFunc
}

// prepare turns a request into a job.
func (e *Engine) prepare(ctx context.Context, req *chat.Request) (*job, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := e.unsupported(req); err != nil {
		return nil, err
	}
	choice, err := dialect.ParseChoice(req.ToolChoice, req.Tools)
	if err != nil {
		return nil, err
	}
	j := &job{stop: req.Stop, tools: choice.Allows(req.Tools), report: -1, out: newOutput(max(req.N, 1)), dialect: e.dialect}
	j.principal, j.priority, j.waiting = req.Principal, req.Priority, req.Waiting
	if !e.sharing {
		j.key.salt = req.Principal
	}
	if j.key.adapter, err = e.adapter(req.Model); err != nil {
		return nil, err
	}
	if j.sampling, err = e.defaults.with(req.Sampling, e.vocab.size()); err != nil {
		return nil, err
	}
	if req.Sampling.IgnoreEOS {
		j.sampling.bias = e.vocab.without(j.sampling.bias)
	}
	if req.LogProbs {
		j.report = req.TopLogProbs
	}
	if j.prompt, err = e.read(req, j, e.window-1); err != nil {
		return nil, err
	}
	if j.think, err = e.think(req.ThinkingBudget, j.opened); err != nil {
		return nil, err
	}
	j.single = req.ParallelToolCalls != nil && !*req.ParallelToolCalls
	form, calls := e.dialect.ToolGrammar(req.Tools, choice)
	if j.forced = calls && form.Must; j.forced {
		j.limits, err = forceCalls(form, req.Tools, j.single, j.opened, j.dialect)
	} else {
		j.limits, err = constrain(req.Format, j.dialect, j.opened)
	}
	if err != nil {
		return nil, err
	}
	if e.loop.copies != nil {
		j.marks = marks(j.prompt, func(t llama.Token) bool { return len(e.vocab.pieces[t]) == 0 })
	}
	if j.limits != nil {
		e.vocab.spelling() // which takes a moment the first time, better here than in the loop
	}
	j.budget = e.window - len(j.prompt)
	if req.MaxTokens > 0 {
		j.budget = min(j.budget, req.MaxTokens)
	}
	return j, nil
}

// sequences returns the job's choices for the loop.
func (j *job) sequences(ctx context.Context, arrived time.Time) []*sequence {
	seqs := make([]*sequence, j.out.choices)
	s := j.sampling
	j.end = make([]context.CancelCauseFunc, len(seqs))
	for i := range seqs {
		var own context.Context
		own, j.end[i] = context.WithCancelCause(ctx)
		seqs[i] = &sequence{
			ctx: own, key: j.key, choice: i, budget: j.budget, report: j.report, out: j.out,
			principal: j.principal, priority: j.priority,
			limits:  j.limits.clone(),
			think:   j.think.clone(),
			sampler: newSampler(s, j.prompt),
			tokens:  slices.Clone(j.prompt), prompt: len(j.prompt), marks: j.marks,
			progress: watch.Progress{Arrived: arrived, Prompt: len(j.prompt)},
		}
		s.seed++
	}
	return seqs
}

// unsupported names the first field of req that asks for what this model
// cannot do and that would change the answer.
func (e *Engine) unsupported(req *chat.Request) error {
	const noTools = "this model cannot call tools"
	callsTools := e.dialect.Calls != dialect.NoCalls && e.prompts.template.Tools()
	switch {
	case e.embed.only:
		return chat.Unsupported("model", "this model was made for embeddings or reranking and does not chat: name another")
	case req.Prompt != nil && (len(req.Messages) > 0 || len(req.Tools) > 0):
		return chat.Unsupported("prompt", "a prompt is gone on with as it stands: send no messages and no tools with it")
	case req.Prompt != nil && req.Prompt.Suffix != "":
		return chat.Unsupported("suffix", "this model goes on with a prompt and cannot lead it to a suffix: leave 'suffix' out")
	case req.Prompt != nil && req.ThinkingBudget != nil:
		return chat.Unsupported("thinking_budget_tokens", "in what goes on with a prompt reasoning is not told from text: leave 'thinking_budget_tokens' out")
	case len(req.Tools) > 0 && !callsTools:
		return chat.Unsupported("tools", noTools)
	case req.Continue && (len(req.Tools) > 0 || req.Format != nil):
		return chat.Unsupported("continue_final_message", "this model goes on with plain text alone: leave out 'tools' and 'response_format'")
	case len(req.Tools) > 0 && req.Format != nil:
		return chat.Unsupported("response_format", "this model cannot keep to a format and call tools in one answer: send one of them")
	case req.ReasoningEffort != "" && req.ReasoningEffort != "none" && e.dialect.ThinkStart == "":
		return chat.Unsupported("reasoning_effort", "this model does not reason before it answers")
	}
	for i, m := range req.Messages {
		param := fmt.Sprintf("messages[%d]", i)
		if (m.Role == chat.ToolRole || len(m.ToolCalls) > 0) && !callsTools {
			return chat.Unsupported(param, noTools)
		}
		for j, p := range m.Content {
			if p.Kind != chat.TextPart && p.Kind != chat.RefusalPart {
				return chat.Unsupported(fmt.Sprintf("%s.content[%d]", param, j), "this model reads text only, not %s", p.Kind)
			}
		}
	}
	return nil
}

// chatML is the template of a model that brings none.
const chatML = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

// smallModel is the size in bytes below which a model is best decoded by one
// thread: a step is over before a second has woken, and on a busy machine each
// layer would wait for it to be scheduled. Measured with the demo model (4 MB)
// on two busy cores: 989 tokens/s with one thread, 382 with two.
const smallModel = 32 << 20

// autoThreads returns how many threads to decode with where none are
// configured: the physical cores, as far as this process may use them.
func autoThreads(model llama.Model) int {
	if llama.ModelSize(model) < smallModel {
		return 1
	}
	return max(1, min(int(llama.Threads()), runtime.GOMAXPROCS(0)))
}

// template returns the Jinja source of the model's chat template.
func template(model llama.Model) string {
	if source, ok := llama.ModelMetaValStr(model, "tokenizer.chat_template"); ok && source != "" {
		return source
	}
	return chatML
}
