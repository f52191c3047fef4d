package ollama

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ollama/ollama/api"
	ollamamodel "github.com/ollama/ollama/types/model"

	"bendi/chat"
)

// facts are what the server says about one of its models, and about itself.
type facts struct {
	known time.Time // when it was asked

	trained    int // tokens; 0: not said
	configured int // num_ctx of the Modelfile; 0: none
	dimensions int // of its embeddings; 0: not said
	family     string
	abilities  []ollamamodel.Capability // nil: an old server, which does not say
	stops      []string                 // of the Modelfile; a request's would replace them
	system     string                   // of the Modelfile, before messages that have none
	template   int                      // bytes that it can write by itself
	hidden     int                      // bytes of the longest message that the Modelfile puts before every request's; 0: none
	exact      bool                     // the server refuses what does not fit; see window.go
	plain      bool                     // the engine draws tokens without penalties
}

// factsLife is how long facts are believed. A model may be replaced meanwhile.
const factsLife = time.Minute

// exactSince is the first version that knows truncate and shift of /api/chat.
// One that says 0.0.0 was built from a checkout, and is not believed.
var exactSince = [3]int{0, 12, 6}

// fullSamplerSince is the first version whose engine is llama-server for all.
var fullSamplerSince = [3]int{0, 30, 0}

// plainFamilies are those that Ollama's own engine runs, whose sampler knows
// temperature, top_k, top_p and min_p alone (fs/ggml and sample of 0.9.6; gptoss
// came later).
var plainFamilies = []string{"gemma3", "gemma3n", "gptoss", "gpt-oss", "llama4", "mistral3", "mllama", "qwen25vl"}

// shown is the answer of /api/show, with what newer servers add.
type shown struct {
	api.ShowResponse
	RemoteHost string `json:"remote_host"`
}

// about returns the facts of a model. It asks the server unless it did so a
// moment ago.
func (m *Model) about(ctx context.Context, name string) (facts, error) {
	m.mu.Lock()
	f, ok := m.facts[name]
	m.mu.Unlock()
	if ok && time.Since(f.known) < factsLife {
		return f, nil
	}
	if cloud(name) {
		return facts{}, elsewhere()
	}
	show, err := whole[shown](ctx, m, http.MethodPost, "/api/show", name, api.ShowRequest{Model: name})
	if err != nil {
		return facts{}, err
	}
	if show.RemoteHost != "" {
		return facts{}, elsewhere()
	}
	version, err := m.version(ctx)
	if err != nil {
		return facts{}, err
	}
	f = read(show, version)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.facts) >= 1000 {
		clear(m.facts) // names come from clients
	}
	m.facts[name] = f
	return f, nil
}

// elsewhere is the error of a model that the server does not run itself.
func elsewhere() error {
	return chat.Errorf(chat.Forbidden, "Ollama would send the request for this model on to its service on the internet, which the operator has not allowed; name a model that is installed")
}

// read makes facts of an answer of /api/show.
func read(show *shown, version [3]int) facts {
	arch, _ := show.ModelInfo["general.architecture"].(string)
	number := func(key string) int {
		n, _ := show.ModelInfo[arch+"."+key].(float64)
		return int(min(max(n, 0), maxContext))
	}
	f := facts{
		known:      time.Now(),
		trained:    number("context_length"),
		dimensions: number("embedding_length"),
		family:     arch,
		abilities:  show.Capabilities,
		system:     show.System,
		template:   literals(show.Template),
		exact:      !older(version, exactSince),
		plain:      slices.Contains(plainFamilies, arch) && older(version, fullSamplerSince),
	}
	for _, msg := range show.Messages {
		f.hidden = max(f.hidden, len(msg.Role)+len(msg.Content)+1)
	}
	for name, value := range parameters(show.Parameters) {
		switch name {
		case "num_ctx":
			f.configured, _ = strconv.Atoi(value)
		case "stop":
			f.stops = append(f.stops, value)
		}
	}
	return f
}

// parameters yields the settings of a Modelfile as /api/show writes them: a
// line for each, with the name, spaces, and the value as Go source has it.
func parameters(text string) func(yield func(name, value string) bool) {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			value = strings.TrimSpace(value)
			if s, err := strconv.Unquote(value); err == nil {
				value = s
			}
			if name != "" && !yield(name, value) {
				return
			}
		}
	}
}

var (
	action    = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	constants = regexp.MustCompile("(?s)\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`")
)

// literals returns how many bytes of text are in a template itself, beside what
// it is given: all that stands outside of actions, and the constants in them.
func literals(template string) int {
	n := len(action.ReplaceAllLiteralString(template, ""))
	for _, a := range action.FindAllString(template, -1) {
		for _, c := range constants.FindAllString(a, -1) {
			n += len(c)
		}
	}
	return n
}

// can reports whether the model has an ability. A server too old to say is
// asked and says no itself.
func (f facts) can(ability ollamamodel.Capability) bool {
	return f.abilities == nil || slices.Contains(f.abilities, ability)
}

// version asks for the server's version, which costs it nothing.
func (m *Model) version(ctx context.Context) (v [3]int, err error) {
	answer, err := whole[struct {
		Version string `json:"version"`
	}](ctx, m, http.MethodGet, "/api/version", "", nil)
	if err != nil {
		return v, err
	}
	if answer.Version == "" {
		return v, stranger(http.StatusOK, "application/json")
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(answer.Version, "v"), "-")
	parts := strings.SplitN(number, ".", 3)
	for i := range parts {
		if v[i], err = strconv.Atoi(parts[i]); err != nil {
			return [3]int{}, nil // of a build that is not told by numbers
		}
	}
	return v, nil
}

func older(v, than [3]int) bool { return slices.Compare(v[:], than[:]) < 0 }

// window returns how many tokens a model's window is to have.
func (m *Model) window(o Offer, f facts) int {
	n := o.Context
	for _, other := range []int{m.cfg.Context, f.configured, DefaultContext} {
		if n == 0 {
			n = other
		}
	}
	if f.trained > 0 {
		n = min(n, f.trained)
	}
	return max(n, minContext)
}

// compact returns JSON without white space, or nil for what is none.
func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return nil
	}
	return b.Bytes()
}
