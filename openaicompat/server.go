package openaicompat

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

// Options say what is served and how. The zero value of a field but Routes is
// its default.
type Options struct {
	Routes   []Route
	Keys     Authenticator            // nil: everybody may ask
	Limits   Limiter                  // how much; nil: as much as they like
	Failures Failures                 // of Keys; nil: nobody is told of them
	Ready    func() error             // why requests cannot be answered now; the text is shown to whoever asks. nil: always ready
	Notes    func() []string          // what whoever looks after the server should know, as /readyz tells it; nil: nothing
	States   func() map[string]string // of the models, by id, as /readyz tells them; nil: it does not
	Log      *slog.Logger             // nil: nothing is logged

	Feedback Taker    // of feedback about answers; nil: none is taken
	Sessions Sessions // the conversations that are remembered; nil: none are
	Turns    Turns    // those of them whose turns clients name; nil: none are
	Actions  []Action // what the operator may have done: a key that may, or where none is needed, whoever is on this machine
	Inside   bool     // a gateway of ours asks, and is believed about who its clients are

	KeepAlive    time.Duration // of a stream without news, between comments; 0: 15 s
	WriteTimeout time.Duration // for a client to take in what was written; 0: 60 s
	MaxBody      int64         // bytes; 0: 8 MiB
	BodyTimeout  time.Duration // for a client to send its body, and a second more for each 16 KiB; 0: 30 s
	AllowOrigins []string      // of browsers' pages, beside those of the server itself; none: those of this machine, and any where a key is needed
	Hosts        []string      // names that the server goes by, beside addresses and those of this machine; nil: any

	Observer Observer                // is told of each request; nil: nobody is
	Pages    map[string]http.Handler // what the operator gets, and whoever may read the metrics, by path
	Open     bool                    // the Pages need no key
}

// A Route is a path and the model behind it. A Model that is a [chat.Lister]
// is listed under it, and a [Resolver] is asked for the name to answer by.
type Route struct {
	Path     string // such as "/v1/chat"
	Model    chat.Model
	Priority int  // added to that of a request's key
	Keeps    bool // its Model keeps the turns that clients name, where there are Turns

	Moderator Moderator // judges texts at Path/moderations; nil: nothing does
}

// A Moderator tells what the filter of a route finds in texts.
type Moderator interface {
	// Moderate judges each text. The model is what judged: the version of the
	// lexicons. Categories are those that it knows.
	Moderate(ctx context.Context, texts []string) (model string, categories []string, results []wire.Judgement, err error)
}

// A Resolver is a Model that knows which of its models answers to a name, so
// that an answer can carry that name rather than an alias. A Model that wraps
// one should be one, and a [chat.Lister] likewise.
type Resolver interface {
	Resolve(name string) (string, error)
}

type server struct {
	Options
	engine *gin.Engine
	served map[string]bool // method and path of what has a handler
	probes map[string]bool // paths that machines ask again and again

	protocols map[string]*protocol // by path, where it is not that of chats
	chats     []string             // paths of the routes
	lists     []string             // paths of the lists of models

	buffers sync.Pool // *[]byte, for bursts
}

// New returns the handler that serves the routes. Of two routes that share a
// path, the first has it.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	o.KeepAlive = cmp.Or(o.KeepAlive, 15*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, time.Minute)
	o.MaxBody = cmp.Or(o.MaxBody, 8<<20)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 30*time.Second)

	o.Routes = slices.Clone(o.Routes)
	for i := range o.Routes {
		o.Routes[i].Path = strings.TrimSuffix(o.Routes[i].Path, "/")
	}

	gin.SetMode(gin.ReleaseMode) // else it prints to standard output
	s := &server{Options: o, engine: gin.New(), served: map[string]bool{}, probes: map[string]bool{"/healthz": true, "/healthz/": true, "/readyz": true, "/readyz/": true}, protocols: map[string]*protocol{}}
	e := s.engine
	e.RedirectTrailingSlash = false // not every client follows a redirected POST
	e.HandleMethodNotAllowed = true
	e.Use(s.observe, s.handle(s.guard), s.crossOrigin(), s.handle(s.admit), s.handle(s.authenticate))
	e.NoRoute(s.handle(s.notFound))
	e.NoMethod(s.handle(s.wrongMethod))

	s.on(http.MethodGet, s.root, "/")
	s.on(http.MethodGet, s.healthy, "/healthz", "/healthz/")
	s.on(http.MethodGet, s.ready, "/readyz", "/readyz/")
	for path, h := range o.Pages {
		s.probes[path], s.probes[path+"/"] = true, true
		s.on(http.MethodGet, s.page(h), path, path+"/")
	}
	for _, a := range o.Actions {
		s.on(a.Method, s.act(a), a.Path, a.Path+"/")
	}
	s.remember()
	for _, rt := range s.Routes {
		s.chats = append(s.chats, rt.Path)
		for _, path := range []string{rt.Path, rt.Path + "/chat/completions"} {
			s.on(http.MethodPost, s.ask(chats(), rt), path, path+"/")
		}
		s.on(http.MethodPost, s.askEither(rt), rt.Path+"/completions", rt.Path+"/completions/")
	}
	for _, rt := range s.Routes { // after all routes have their own paths
		for _, base := range basesOf(rt) {
			s.on(http.MethodPost, s.ask(texts(), rt), base+"/completions", base+"/completions/")
		}
		s.messages(rt)
		s.responses(rt)
		s.beside(rt)
	}
	s.feedback()
	for _, base := range bases(s.Routes) {
		models := s.union(base)
		s.lists = append(s.lists, base+"/models")
		s.on(http.MethodGet, models.list, base+"/models")
		s.on(http.MethodGet, models.get, base+"/models/*id")
		if root, ok := rootOf(base); !ok {
			s.on(http.MethodGet, models.list, root+"/v1/models")
			s.on(http.MethodGet, models.get, root+"/v1/models/*id")
		}
	}
	return e
}

// on serves the paths by h, but for those that something else serves already.
// What can be got has a HEAD as well.
func (s *server) on(method string, h handler, paths ...string) {
	for _, path := range paths {
		if key := method + " " + path; path != "" && !s.served[key] {
			s.served[key] = true
			s.engine.Handle(method, path, s.handle(h))
		}
	}
	if method == http.MethodGet {
		s.on(http.MethodHead, h, paths...)
	}
}
