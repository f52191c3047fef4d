package ollama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	ollamamodel "github.com/ollama/ollama/types/model"
)

// Config says which Ollama server to ask and how.
type Config struct {
	Name   string // of the backend, in errors
	URL    string // of the server's root; empty: DefaultURL
	Socket string // path of a unix socket to connect to, whatever the host of URL
	Key    string // sent as a bearer token, for a proxy that asks for one; may be empty

	// EnvProxy has connections go through the proxy that HTTPS_PROXY and the
	// like name. Without it the environment is not read.
	EnvProxy bool

	// Models are what is offered, in this order. With none, everything that is
	// installed is, by its own name.
	Models []Offer

	// Context is the window in tokens of a model whose offer has none. 0: what
	// its Modelfile says, else DefaultContext. It is never more than what the
	// model was trained for.
	Context int

	// KeepAlive is how long a model stays loaded after its last request;
	// negative: for ever. nil: as the server is set.
	KeepAlive *time.Duration

	MaxConns       int           // to the server, at once; further requests wait. 0: 100
	MaxIdle        int           // of them kept open; 0: 20, below 0: none
	ConnectTimeout time.Duration // 0: 10 seconds

	// Stale is told when the server's name cannot be looked up, and it is asked
	// where it was before; nil: nobody is. See [upstream.Dialer].
	Stale func(age time.Duration, err error)

	// IdleTimeout is how long the server may be silent in the midst of an
	// answer; 0: 300 seconds. How long it takes to begin one is not bounded,
	// since it may have to load the model: ctx does that.
	IdleTimeout time.Duration

	// Sent is told of each body that asks for an answer before it is sent, with
	// the ctx of the request; nil: nobody is.
	Sent func(ctx context.Context, body []byte)
}

// An Offer is a model of the server under the name that clients know.
type Offer struct {
	ID      string // what clients ask for; empty: Model
	Model   string // the server's own name, such as "qwen3:8b"
	Context int    // window in tokens; 0: as Config has it
}

const (
	DefaultURL     = "http://127.0.0.1:11434"
	DefaultContext = 4096 // tokens; Ollama's own for small GPUs

	minContext     = 64      // tokens; less holds no conversation
	maxContext     = 1 << 24 // tokens
	maxSocketPath  = 103     // bytes: the smallest sun_path there is has 104, with the zero byte
	defaultIdle    = 300 * time.Second
	defaultConns   = 100
	defaultMaxIdle = 20
	defaultConnect = 10 * time.Second
)

// Validate reports everything wrong with c, one line each, by the names that
// the fields have in a configuration file.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{key}, args...)...))
	}
	if c.URL != "" {
		// The URL itself is not shown: a key may have been put into it.
		switch u, err := url.Parse(c.URL); {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
			bad("url", "must be http or https with a host, such as %s, without user, query and fragment", DefaultURL)
		case strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/v1"), strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/api"):
			bad("url", "must be the root of the server, such as %s, without /v1 or /api behind it", DefaultURL)
		case u.Hostname() == "ollama.com" || strings.HasSuffix(u.Hostname(), ".ollama.com"):
			bad("url", "is Ollama's service on the internet; name it as a remote backend, outside, with its key")
		}
	}
	switch {
	case c.Socket != "" && !filepath.IsAbs(c.Socket):
		bad("socket", "must be an absolute path")
	case len(c.Socket) > maxSocketPath:
		bad("socket", "has %d bytes; the path of a unix socket has %d at most", len(c.Socket), maxSocketPath)
	}
	window := func(key string, n int) {
		if n != 0 && (n < minContext || n > maxContext) {
			bad(key, "is %d tokens; it may be %d to %d, or 0 for the model's own", n, minContext, maxContext)
		}
	}
	ids := map[string]int{}
	for i, o := range c.Models {
		key := fmt.Sprintf("models[%d]", i)
		switch {
		case o.Model == "":
			bad(key+".model", "is missing; it is the name that `ollama list` shows, such as qwen3:8b")
		case !ollamamodel.ParseName(o.Model).IsValid():
			bad(key+".model", "is not the name of a model; it is what `ollama list` shows, such as qwen3:8b")
		case cloud(o.Model):
			bad(key+".model", "is a model that Ollama passes on to its service on the internet; name that as a remote backend, outside")
		}
		id := cmp.Or(o.ID, o.Model)
		if first, twice := ids[id]; twice {
			bad(key+".id", "is that of models[%d] too; each needs one of its own", first)
		} else {
			ids[id] = i
		}
		window(key+".context", o.Context)
	}
	window("context", c.Context)
	if c.IdleTimeout < 0 {
		bad("idle_timeout", "is %v; it must be above 0, or 0 for %v", c.IdleTimeout, defaultIdle)
	}
	if c.MaxConns < 0 {
		bad("max_conns", "is %d; it must be above 0, or 0 for %d", c.MaxConns, defaultConns)
	}
	if c.ConnectTimeout < 0 {
		bad("connect_timeout", "is %v; it must be above 0, or 0 for %v", c.ConnectTimeout, defaultConnect)
	}
	return errors.Join(errs...)
}

// cloud reports whether a name has the tag of models that Ollama does not run
// itself.
func cloud(name string) bool {
	tag := strings.ToLower(ollamamodel.ParseName(name).Tag)
	return tag == "cloud" || strings.HasSuffix(tag, "-cloud")
}
