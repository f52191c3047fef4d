package config

import (
	"maps"

	"bendi/models/load"
)

// A Config is everything an installation may be told. Its yaml tags are the
// keys of the file, and the path of a key, such as models.qwen.context, is how
// faults, origins and environment variables name a setting.
type Config struct {
	Listen string           `yaml:"listen"` // host:port
	Data   Path             `yaml:"data"`   // folder for what has to be remembered; empty means that of the system, see DataDir
	Log    Log              `yaml:"log"`
	Engine Engine           `yaml:"engine"`
	Models map[string]Model `yaml:"models"` // by id
	Routes []Route          `yaml:"routes"`

	Backends map[string]Backend `yaml:"backends"` // by name
	Relays   map[string]Relays  `yaml:"relays"`   // that links to backends lead over, by name
	Relay    Relay              `yaml:"relay"`    // the other end of links

	Experiments map[string]Experiment `yaml:"experiments"` // by name

	Sessions Sessions `yaml:"sessions"`
	Stores   Stores   `yaml:"stores"`
	Ledger   Ledger   `yaml:"ledger"`

	Lexicons []Lexicon         `yaml:"lexicons"`
	Filters  map[string]Filter `yaml:"filters"` // by name

	Server Server `yaml:"server"`
	Access Access `yaml:"access"`

	Limits Counting `yaml:"limits"`
}

// Log says what is logged and how.
type Log struct {
	Level  LogLevel  `yaml:"level"`
	Format LogFormat `yaml:"format"`
}

// Engine says where the parts of the inference engine are.
type Engine struct {
	Worker  Path `yaml:"worker"`  // the program; empty means bendi-engine beside bendi
	Library Path `yaml:"library"` // the folder of llama.cpp's shared libraries; empty means lib-cuda beside bendi where there is a GPU for it, else lib

	Memory      MemoryPolicy `yaml:"memory"`       // what happens to models that do not fit
	MemoryLimit Size         `yaml:"memory_limit"` // most that the models may take together, by their estimates; 0 means what is free
	LoadWait    Duration     `yaml:"load_wait"`    // how long a request waits for a model that is being loaded
}

// A Model is a model file and how much of the machine it gets.
type Model struct {
	Path     Path            `yaml:"path"`
	Context  int             `yaml:"context"`  // tokens per conversation; 0 means what the model was trained with
	Slots    int             `yaml:"slots"`    // conversations answered at once
	Threads  int             `yaml:"threads"`  // 0 means one per physical core
	Adapters map[string]Path `yaml:"adapters"` // LoRA files; adapter a of model m is the model m:a

	Load           LoadTime          `yaml:"load"`
	UnloadAfter    Duration          `yaml:"unload_after"`    // without a request; 0 means never
	HangTimeout    Duration          `yaml:"hang_timeout"`    // longest that a step of the engine may take; 0 means any time
	AdapterDirs    []Path            `yaml:"adapter_dirs"`    // folders that adapters may be loaded from while the server runs
	TemplateKwargs map[string]Scalar `yaml:"template_kwargs"` // what requests may give to the chat template, with defaults of the same types

	load.Options `yaml:",inline"`
}

// A Route is a path of the API and the models it offers.
type Route struct {
	Path    string            `yaml:"path"`
	Models  []RouteModel      `yaml:"models"`  // the first one answers when a request names none
	Aliases map[string]string `yaml:"aliases"` // other names clients may use, to one of Models

	Priority int       `yaml:"priority"` // of its requests, added to that of the key; above 0 goes before others
	Filter   string    `yaml:"filter"`   // one of Filters, or Off; empty means default
	Egress   Egress    `yaml:"egress"`
	Limits   Limits    `yaml:"limits"`  // of all its requests together
	Session  SessionBy `yaml:"session"` // which of its requests are turns of a session; empty means asked

	Trim TrimPolicy `yaml:"trim"` // what is done about a history beyond the window; empty means as of sessions
}

// Server holds the limits of the HTTP server.
type Server struct {
	MaxBody      Size     `yaml:"max_body"`      // largest request
	KeepAlive    Duration `yaml:"keep_alive"`    // silence in a stream after which a comment is sent
	Drain        Duration `yaml:"drain"`         // how long answers may take to finish at shutdown
	AllowOrigins []string `yaml:"allow_origins"` // web pages that may call, by origin; * is any; empty means those of this machine, and any where a key is needed
	Hosts        []string `yaml:"hosts"`         // names by which clients may call, beside those of this machine
	AdminListen  string   `yaml:"admin_listen"`  // host:port of what the operator asks; empty means that it is asked at listen
	OpenMetrics  bool     `yaml:"open_metrics"`  // the metrics need no key
	TLS          TLS      `yaml:"tls"`

	MaxConnections           int `yaml:"max_connections"`             // at once; 0 means any number
	MaxConnectionsPerAddress int `yaml:"max_connections_per_address"` // likewise, but for this machine's own
}

// Default returns the built-in configuration: the bundled demo model on
// /v1/chat, and with its fine-tuned adapter on /v1/chat/pro. Its paths are
// relative to the home of the installation.
func Default() *Config {
	model := modelDefaults()
	model.Path = "models/demo/bendi-demo-q8_0.gguf"
	model.Context = 2048
	model.Adapters = map[string]Path{"service": "models/demo/bendi-demo-service-lora.gguf"}
	c := &Config{
		Listen: "127.0.0.1:8080",
		Log:    Log{Level: "info", Format: "text"},
		Engine: Engine{Memory: "refuse", LoadWait: Duration(120e9)},
		Models: map[string]Model{"bendi-demo": model},
		Routes: []Route{
			{Path: "/v1/chat", Models: []RouteModel{{ID: "bendi-demo"}}, Aliases: map[string]string{"gpt-3.5-turbo": "bendi-demo"}},
			{Path: "/v1/chat/pro", Models: []RouteModel{{ID: "bendi-demo:service"}}, Aliases: map[string]string{"gpt-3.5-turbo": "bendi-demo:service"}},
		},
		Relays:   map[string]Relays{},
		Relay:    relayDefaults(),
		Sessions: sessionDefaults(),
		Stores:   storeDefaults(),
		Ledger:   ledgerDefaults(),
		Lexicons: []Lexicon{{Path: Starter, Tags: map[string]string{}}},
		Access:   Access{OnRevoke: "cut", FailuresPerMinute: 20},
		Limits:   countingDefaults(),
		Server: Server{
			MaxBody:      8 << 20,
			KeepAlive:    Duration(15e9),
			Drain:        Duration(30e9),
			AllowOrigins: []string{},
			Hosts:        []string{},
			TLS:          TLS{Oldest: "1.2", OCSP: true, ACME: ACME{Domains: []string{}, Directory: letsEncrypt}},

			MaxConnections:           4096,
			MaxConnectionsPerAddress: 256,
		},
	}
	c.complete(func(string, string) {})
	return c
}

// modelDefaults is what a model has that says nothing else.
func modelDefaults() Model {
	return Model{Slots: 16, Load: LoadStart, HangTimeout: Duration(5 * 60e9), Options: load.Defaults()}
}

// Paths returns those of the routes.
func (c *Config) Paths() []string {
	paths := make([]string, len(c.Routes))
	for i, r := range c.Routes {
		paths[i] = r.Path
	}
	return paths
}

// Offered returns the ids of what runs here: every model, and every adapter
// of it as model:adapter. A route may name model:* as well, which is all
// adapters of a model, those that are loaded later too.
func (c *Config) Offered() map[string]bool {
	ids := make(map[string]bool)
	for id, m := range c.Models {
		ids[id] = true
		for a := range maps.Keys(m.Adapters) {
			ids[id+":"+a] = true
		}
	}
	return ids
}
