package engine

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"bendi/chat"
)

// A Config says which model to load and how.
type Config struct {
	Name     string            // the model's id in requests
	Model    string            // GGUF file
	Adapters map[string]string // LoRA GGUF files by adapter name; the id is Name:adapter
	Context  int               // tokens of each sequence; 0: what the model was trained with
	Slots    int               // sequences decoded at once, 1 to 256
	Threads  int               // 0: the physical cores, as far as this process may use them
	Queue    int               // most requests that wait for a slot; 0: 512
}

const (
	maxSlots     = 256 // LLAMA_MAX_SEQ
	defaultQueue = 512
)

// An Engine is a loaded model. It answers to its name and to those of its
// adapters.
type Engine struct {
	name     string
	created  int64
	model    llama.Model
	vocab    *vocab
	prompts  *renderer
	defaults sampling
	adapters []string // names, sorted; the loop knows adapter i as i+1
	window   int      // tokens of each sequence
	loop     *loop
	info     Info
}

// Info describes a loaded model.
type Info struct {
	Model     string // architecture, parameters and quantization
	Device    string // what computes
	Context   int    // tokens of each sequence
	Slots     int
	SizeBytes int64    // of the weights
	Adapters  []string // names, sorted
	LoadTime  time.Duration
}

// Open loads a model. [LoadLibrary] must have been called. The file must be
// one that has been inspected: llama.cpp aborts the process on some that are
// damaged.
func Open(cfg Config) (*Engine, error) {
	begin := time.Now()
	if cfg.Slots < 1 || cfg.Slots > maxSlots {
		return nil, fmt.Errorf("slots must be 1 to %d, not %d", maxSlots, cfg.Slots)
	}
	e := &Engine{name: cfg.Name, created: time.Now().Unix()}
	var err error
	if e.model, err = llama.ModelLoadFromFile(cfg.Model, llama.ModelDefaultParams()); err != nil || e.model == 0 {
		return nil, fmt.Errorf("llama.cpp cannot load %s; the lines above say why", cfg.Model)
	}
	if llama.ModelHasEncoder(e.model) || !llama.ModelHasDecoder(e.model) {
		return nil, fmt.Errorf("%s is an encoder model, which cannot chat", cfg.Model)
	}
	e.vocab = newVocab(e.model)
	e.defaults = recommended(e.model)
	if e.prompts, err = newRenderer(template(e.model), e.vocab); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Model, err)
	}

	var adapters []llama.AdapterLora
	for _, name := range slices.Sorted(maps.Keys(cfg.Adapters)) {
		path := cfg.Adapters[name]
		adapter, err := llama.AdapterLoraInit(e.model, path)
		if err != nil || adapter == 0 {
			return nil, fmt.Errorf("llama.cpp cannot load the adapter %s for %s; the lines above say why", path, cfg.Model)
		}
		adapters, e.adapters = append(adapters, adapter), append(e.adapters, name)
	}

	e.window = cfg.Context
	if e.window == 0 {
		e.window = int(llama.ModelNCtxTrain(e.model))
	}
	threads := cfg.Threads
	if threads == 0 {
		threads = max(1, min(int(llama.Threads()), runtime.GOMAXPROCS(0)))
	}
	if e.loop, err = newLoop(e.model, e.vocab.size(), e.window, cfg.Slots, threads, adapters); err != nil {
		return nil, err
	}
	e.loop.queue = cfg.Queue
	if cfg.Queue == 0 {
		e.loop.queue = defaultQueue
	}
	e.info = Info{
		Model:     describe(e.model),
		Device:    device(threads),
		Context:   e.window,
		Slots:     cfg.Slots,
		SizeBytes: int64(llama.ModelSize(e.model)),
		Adapters:  e.adapters,
		LoadTime:  time.Since(begin),
	}
	go e.loop.run(e.vocab.eog)
	return e, nil
}

// Close ends every request with an error, waits for the loop, and frees the
// model.
func (e *Engine) Close() {
	e.loop.close()
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
	running = int(e.loop.running.Load())
	return running, max(0, int(e.loop.pending.Load())-running)
}

// Models lists the model and its adapters.
func (e *Engine) Models() []chat.ModelInfo {
	info := chat.ModelInfo{ID: e.name, Created: e.created, OwnedBy: "local", Context: e.window}
	list := []chat.ModelInfo{info}
	for _, a := range e.adapters {
		info.ID = e.name + ":" + a
		list = append(list, info)
	}
	return list
}

// adapter returns the loop's number of the adapter that a model name asks for;
// 0 is the model itself.
func (e *Engine) adapter(name string) (int, error) {
	if name == "" || name == e.name {
		return 0, nil
	}
	if a, ok := strings.CutPrefix(name, e.name+":"); ok {
		if i := slices.Index(e.adapters, a); i >= 0 {
			return i + 1, nil
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
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // on break, return and panic alike
		seq, err := e.prepare(ctx, req)
		if err == nil {
			err = e.loop.submit(seq)
		}
		if err == nil {
			err = answer(ctx, seq, textOf{pieces: e.vocab.pieces, stop: stopFilter{words: req.Stop}}, yield)
		}
		if err != nil {
			yield(chat.Event{}, err)
		}
	}
}

// prepare turns a request into a sequence for the loop.
func (e *Engine) prepare(ctx context.Context, req *chat.Request) (*sequence, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := unsupported(req); err != nil {
		return nil, err
	}
	adapter, err := e.adapter(req.Model)
	if err != nil {
		return nil, err
	}
	s, err := e.defaults.with(req.Sampling, e.vocab.size())
	if err != nil {
		return nil, err
	}
	rendered, err := e.prompts.render(req.Messages)
	if err != nil {
		return nil, err
	}
	tokens, err := e.vocab.tokenize(rendered, e.window-1)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return nil, chat.BadParam("messages", "the prompt has no tokens: send a message with text")
	}
	budget := e.window - len(tokens)
	if req.MaxTokens > 0 {
		budget = min(budget, req.MaxTokens)
	}
	return &sequence{
		ctx: ctx, prompt: tokens, budget: budget, adapter: adapter,
		sampler: newSampler(s, tokens),
		tokens:  make(chan llama.Token, budget),
	}, nil
}

// unsupported names the first field of req that asks for what this engine
// cannot do and that would change the answer.
func unsupported(req *chat.Request) error {
	switch {
	case req.N > 1:
		return chat.Unsupported("n", "this model gives 1 choice for each request, not %d: send the request %d times", req.N, req.N)
	case len(req.Tools) > 0:
		return chat.Unsupported("tools", "this model cannot call tools")
	case req.Format != nil:
		return chat.Unsupported("response_format", "this model gives plain text only, not %s", req.Format.Type)
	case req.LogProbs:
		return chat.Unsupported("logprobs", "this model reports no log probabilities")
	case req.ReasoningEffort != "" && req.ReasoningEffort != "none":
		return chat.Unsupported("reasoning_effort", "this model does not reason before it answers")
	}
	for i, m := range req.Messages {
		param := fmt.Sprintf("messages[%d]", i)
		if m.Role == chat.ToolRole || len(m.ToolCalls) > 0 {
			return chat.Unsupported(param, "this model cannot call tools")
		}
		for j, p := range m.Content {
			if p.Kind != chat.TextPart && p.Kind != chat.RefusalPart {
				return chat.Unsupported(fmt.Sprintf("%s.content[%d]", param, j), "this model reads text only, not %s", p.Kind)
			}
		}
	}
	return nil
}

// textOf turns tokens into the text that may be let out.
type textOf struct {
	pieces [][]byte
	runes  runeBuffer
	stop   stopFilter
}

// answer yields what the loop makes of seq. It returns an error that has not
// been yielded.
func answer(ctx context.Context, seq *sequence, text textOf, yield func(chat.Event, error) bool) error {
	usage := chat.Usage{PromptTokens: len(seq.prompt)}
	end := func(rest string, why chat.Finish) {
		yield(chat.Event{Text: rest, Finish: why, Usage: &usage}, nil)
	}
	for {
		var bytes []byte
		var open bool
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case token, ok := <-seq.tokens:
			if open = ok; ok {
				usage.CompletionTokens++
				bytes = text.pieces[token]
			}
		}
		out, stopped := text.stop.push(text.runes.push(bytes))
		if stopped {
			end(out, chat.Stop)
			return nil
		}
		if !open {
			if seq.err != nil {
				return seq.err
			}
			rest, stopped := text.stop.push(text.runes.flush())
			if out += rest; stopped {
				end(out, chat.Stop)
				return nil
			}
			end(out+text.stop.flush(), seq.finish)
			return nil
		}
		if out != "" && !yield(chat.Event{Text: out}, nil) {
			return nil
		}
	}
}

// template returns the Jinja source of the model's chat template.
func template(model llama.Model) string {
	if source, ok := llama.ModelMetaValStr(model, "tokenizer.chat_template"); ok && source != "" {
		return source
	}
	return chatML
}

// recommended returns the default sampling, with what the model's metadata
// recommends.
func recommended(model llama.Model) sampling {
	s := defaultSampling
	for key, field := range map[string]*float64{"temp": &s.temperature, "top_p": &s.topP, "min_p": &s.minP} {
		if text, ok := llama.ModelMetaValStr(model, "general.sampling."+key); ok {
			if v, err := strconv.ParseFloat(text, 64); err == nil && v >= 0 {
				*field = v
			}
		}
	}
	if text, ok := llama.ModelMetaValStr(model, "general.sampling.top_k"); ok {
		if v, err := strconv.Atoi(text); err == nil && v >= 0 {
			s.topK = v
		}
	}
	return s
}

// describe says what a model is in a few words, such as "qwen2 7.3M Q8_0".
func describe(model llama.Model) string {
	arch, _ := llama.ModelMetaValStr(model, "general.architecture")
	params := float64(llama.ModelNParams(model))
	unit := "M"
	if params /= 1e6; params >= 1000 {
		params, unit = params/1000, "B"
	}
	return fmt.Sprintf("%s %.1f%s %s", arch, params, unit, llama.FtypeName(llama.ModelFtype(model)))
}

// device says what computes: the GPUs by name, or the CPU.
func device(threads int) string {
	var gpus []string
	cpu := "CPU"
	for i := range llama.GGMLBackendDeviceCount() {
		d := llama.GGMLBackendDeviceGet(i)
		switch llama.GGMLBackendDevType(d) {
		case llama.GGMLBackendDeviceTypeCPU:
			cpu = llama.GGMLBackendDeviceDescription(d)
		case llama.GGMLBackendDeviceTypeGPU:
			gpus = append(gpus, llama.GGMLBackendDeviceDescription(d))
		}
	}
	if gpus != nil {
		return strings.Join(gpus, ", ")
	}
	return fmt.Sprintf("%s, %d threads", strings.TrimSpace(cpu), threads)
}
