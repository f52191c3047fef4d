package config

import (
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"bendi/access"
	"bendi/internal/spelling"
)

// Limits on what a setting may be.
const (
	maxSlots   = 256
	minContext = 128
	maxContext = 1 << 24
	maxThreads = 1024
	maxID      = 64
	maxAlias   = 128
)

// reserved are the paths of the server itself.
var reserved = []string{"/", "/healthz", "/readyz", "/metrics"}

// Validate returns everything wrong with c as a [Faults], in the order of the
// keys, or nil. Load has done so already.
func (c *Config) Validate() error {
	var faults Faults
	c.check(func(key, format string, args ...any) {
		faults = append(faults, Fault{Key: key, Message: fmt.Sprintf(format, args...)})
	})
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// bad reports something wrong with the setting called key.
type bad func(key, format string, args ...any)

func (c *Config) check(bad bad) {
	c.checkListen(bad)
	if err := choose(c.Log.Level); err != nil {
		bad("log.level", "%v", err)
	}
	if err := choose(c.Log.Format); err != nil {
		bad("log.format", "%v", err)
	}
	if err := choose(c.Engine.Memory); err != nil {
		bad("engine.memory", "%v", err)
	}
	if c.Engine.MemoryLimit < 0 {
		bad("engine.memory_limit", "want 0 (what is free) or a size such as 24GiB, have %v", c.Engine.MemoryLimit)
	}
	if d := time.Duration(c.Engine.LoadWait); d < time.Second || d > time.Hour {
		bad("engine.load_wait", "want 1s to 1h, have %v", c.Engine.LoadWait)
	}
	c.checkModels(bad)
	c.checkBackends(bad)
	c.checkRelays(bad)
	c.checkRelay(bad)
	c.checkRoutes(bad)
	c.checkExperiments(bad)
	c.checkSessions(bad)
	c.checkLedger(bad)
	c.checkLexicons(bad)
	c.checkFilters(bad)
	c.Server.check(bad)
	c.Server.checkDoors(bad, c.Listen)
	c.Server.TLS.check(bad)
	c.checkAccess(bad)
}

func (c *Config) checkListen(bad bad) {
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		bad("listen", "want host:port such as 127.0.0.1:8080, have %q", c.Listen)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		bad("listen", "want a port from 0 to 65535, have %q", port)
	}
}

func (c *Config) checkModels(bad bad) {
	if len(c.Models) == 0 {
		bad("models", "needs at least one model; without the key the bundled one serves")
	}
	for _, id := range slices.Sorted(maps.Keys(c.Models)) {
		m, key := c.Models[id], join("models", id)
		if !isName(id, maxID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") {
			bad(key, "a model id has letters, digits, dots, dashes and underscores, at most %d, and begins with a letter or digit", maxID)
		}
		if m.Path == "" {
			bad(key+".path", "is missing: the model file (.gguf)")
		}
		if m.Context != 0 && (m.Context < minContext || m.Context > maxContext) {
			bad(key+".context", "want 0 or %d to %d tokens, have %d", minContext, maxContext, m.Context)
		}
		if m.Slots < 1 || m.Slots > maxSlots {
			bad(key+".slots", "want 1 to %d conversations, have %d", maxSlots, m.Slots)
		}
		if m.Threads < 0 || m.Threads > maxThreads {
			bad(key+".threads", "want 0 (one per core) to %d threads, have %d", maxThreads, m.Threads)
		}
		if err := choose(m.Load); err != nil {
			bad(key+".load", "%v", err)
		}
		if d := time.Duration(m.UnloadAfter); d != 0 && (d < time.Second || d > 30*24*time.Hour) {
			bad(key+".unload_after", "want 0s (never) or 1s to 720h, have %v", m.UnloadAfter)
		}
		if d := time.Duration(m.HangTimeout); d != 0 && (d < 10*time.Second || d > 24*time.Hour) {
			bad(key+".hang_timeout", "want 0s (none) or 10s to 24h, have %v", m.HangTimeout)
		}
		for i, dir := range m.AdapterDirs {
			if dir == "" {
				bad(fmt.Sprintf("%s.adapter_dirs[%d]", key, i), "is empty: want a folder")
			}
		}
		for _, name := range slices.Sorted(maps.Keys(m.TemplateKwargs)) {
			switch {
			case !isName(name, maxID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"):
				bad(join(key+".template_kwargs", name), "the name of a template's variable has letters, digits and underscores, at most %d, and begins with a letter", maxID)
			case slices.Contains(templateOwn, name):
				bad(join(key+".template_kwargs", name), "%s is what the template gets from the conversation itself", name)
			}
		}
		m.Check(m.Context, func(option, format string, args ...any) { bad(join(key, option), format, args...) })
		for _, a := range slices.Sorted(maps.Keys(m.Adapters)) {
			if !IsAdapterName(a) {
				bad(join(key+".adapters", a), "an adapter name has small letters, digits and dashes, at most %d, and begins with a letter or digit", maxID)
			}
			if m.Adapters[a] == "" {
				bad(join(key+".adapters", a), "is empty: want the adapter file (.gguf)")
			}
		}
	}
}

// templateOwn are the variables of a chat template that nobody may set.
var templateOwn = []string{"messages", "tools", "add_generation_prompt", "bos_token", "eos_token", "documents"}

// IsAdapterName reports whether an adapter may be called so.
func IsAdapterName(name string) bool {
	return isName(name, maxID, "abcdefghijklmnopqrstuvwxyz0123456789-")
}

// isName reports whether s has 1 to most characters, all among letters, and
// begins with neither a dot nor a dash nor an underscore.
func isName(s string, most int, letters string) bool {
	return s != "" && len(s) <= most && strings.Trim(s, letters) == "" && !strings.ContainsAny(s[:1], "._-")
}

func (c *Config) checkRoutes(bad bad) {
	if len(c.Routes) == 0 {
		bad("routes", "needs at least one route, such as {path: /v1/chat, models: [%s]}", firstID(c.Models))
	}
	offered := c.Targets()
	ids := slices.Sorted(maps.Keys(offered))
	owner := map[string]string{} // of each path that is answered
	for i, r := range c.Routes {
		key := fmt.Sprintf("routes[%d]", i)
		if problem := checkPath(r.Path); problem != "" {
			bad(key+".path", "%s", problem)
		} else if other := overlap(owner, r); other != "" {
			bad(key+".path", "%s", other)
		}
		if len(r.Models) == 0 {
			bad(key+".models", "needs at least one of: %s", strings.Join(ids, ", "))
		}
		checkPriority(bad, key, r.Priority)
		names := r.IDs()
		if len(r.Models) > 0 && strings.HasSuffix(names[0], ":*") {
			bad(key+".models[0]", "the first model answers when a request names none, and has to be one: put %s behind it", names[0])
		}
		misspelt := false
		for j, id := range names {
			key := fmt.Sprintf("%s.models[%d]", key, j)
			if m := r.Models[j]; len(m.Tiers) > 0 {
				misspelt = c.checkTiers(bad, key, m, offered) || misspelt
				if slices.Contains(names[:j], id) {
					bad(key, "names %q a second time", id)
				}
			} else if m.Hedge || m.Continue || m.Balance != "" {
				bad(key+".tiers", "is missing: the models to choose from, such as [[%s]]", firstID(c.Models))
			} else if base, all := strings.CutSuffix(id, ":*"); !offered[id] && !(all && offered[base] && !strings.Contains(base, ":")) {
				misspelt = true
				bad(key, "no model %q%s", id, suggest(id, ids))
			} else if slices.Contains(names[:j], id) {
				bad(key, "names %q a second time", id)
			}
		}
		for _, alias := range slices.Sorted(maps.Keys(r.Aliases)) {
			key, id := join(key+".aliases", alias), r.Aliases[alias]
			switch {
			case alias == "" || len(alias) > maxAlias || strings.ContainsFunc(alias, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
				bad(key, "an alias has 1 to %d bytes and no spaces", maxAlias)
			case strings.HasSuffix(id, ":*"):
				bad(key, "an alias stands for one model, not for %s", id)
			case slices.Contains(names, alias):
				bad(key, "is a model of this route; an alias would hide it")
			case !slices.Contains(names, id) && !(misspelt && offered[id]):
				bad(key, "no model %q on this route%s", id, suggest(id, names))
			}
		}
		if _, ok := c.Filters[r.Filter]; !ok && r.Filter != Off {
			bad(key+".filter", "no filter %q%s", r.Filter, suggest(r.Filter, append(slices.Sorted(maps.Keys(c.Filters)), Off)))
		}
		c.checkEgress(bad, key, r)
	}
}

// firstID returns the id of a model, for an example.
func firstID(models map[string]Model) string {
	for _, id := range slices.Sorted(maps.Keys(models)) {
		return id
	}
	return "my-model"
}

// suggest ends a fault about a name that is none of names.
func suggest(name string, names []string) string {
	if near := spelling.Nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(names) == 0 {
		return ""
	}
	return "; there are: " + strings.Join(names, ", ")
}

// checkPath says what is wrong with the path of a route.
func checkPath(p string) string {
	switch {
	case p == "":
		return "is missing: where the route answers, such as /v1/chat"
	case !strings.HasPrefix(p, "/"):
		return fmt.Sprintf("want a path that begins with /, have %q", p)
	case slices.Contains(reserved, p):
		return fmt.Sprintf("%s belongs to the server itself", p)
	case p == "/v1/sessions" || strings.HasPrefix(p, "/v1/sessions/"):
		return fmt.Sprintf("%s belongs to the server itself, as all of /v1/sessions does", p)
	case p == "/admin" || strings.HasPrefix(p, "/admin/"):
		return fmt.Sprintf("%s belongs to the server itself, as all of /admin does", p)
	case p != path.Clean(p):
		return fmt.Sprintf("want a path without empty or dotted parts or / at its end, have %q", p)
	}
	for _, r := range p {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/-._~", r) {
			return fmt.Sprintf("want letters, digits and -._~ between the slashes, have %q", p)
		}
	}
	return ""
}

// overlap adds what r answers to owner and says which of it another route has.
func overlap(owner map[string]string, r Route) string {
	problem := ""
	answers := []string{r.Path, r.Path + "/completions", r.Path + "/chat/completions", r.Path + "/models"}
	if base, ok := strings.CutSuffix(r.Path, "/chat"); ok {
		answers = append(answers, base+"/models") // of the base URL that clients add /chat/completions to
	}
	for _, p := range answers {
		switch other, taken := owner[p]; {
		case problem != "":
		case taken && other == r.Path:
			problem = fmt.Sprintf("%s is a route already", r.Path)
		case taken:
			problem = fmt.Sprintf("both %s and %s would answer %s", other, r.Path, p)
		case slices.Contains(reserved, p):
			problem = fmt.Sprintf("would answer %s, which belongs to the server itself", p)
		}
	}
	if problem == "" {
		for _, p := range answers {
			owner[p] = r.Path
		}
	}
	return problem
}

func (s Server) check(bad bad) {
	if s.MaxBody < 1<<10 || s.MaxBody > 1<<30 {
		bad("server.max_body", "want 1KiB to 1GiB, have %v", s.MaxBody)
	}
	if d := time.Duration(s.KeepAlive); d < time.Second || d > 5*time.Minute {
		bad("server.keep_alive", "want 1s to 5m, have %v", s.KeepAlive)
	}
	if d := time.Duration(s.Drain); d < 0 || d > time.Hour {
		bad("server.drain", "want 0s to 1h, have %v", s.Drain)
	}
	for i, origin := range s.AllowOrigins {
		if !isOrigin(origin) {
			bad(fmt.Sprintf("server.allow_origins[%d]", i), "want * or an origin such as https://chat.example.com, have %q", origin)
		}
	}
}

func checkPriority(bad bad, key string, priority int) {
	if priority < -access.MaxPriority || priority > access.MaxPriority {
		bad(key+".priority", "want %d to %d, have %d", -access.MaxPriority, access.MaxPriority, priority)
	}
}
