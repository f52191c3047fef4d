package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bendi/chat"
	"bendi/config"
	"bendi/ledger"
	"bendi/ledger/audit"
	"bendi/ledger/chain"
	"bendi/metrics"
	"bendi/openaicompat"
)

// An auditor keeps a record of each request.
type auditor struct {
	*chain.Log
	index *audit.Index
}

// account opens the ledger, once, if there is to be one.
func (h *house) account(context.Context) error {
	cfg := h.cfg.Ledger
	if h.ground.auditor != nil || cfg.Store == config.Off {
		return nil
	}
	dir, err := ledgerDir(h.cfg)
	if err != nil {
		return err
	}
	o := chain.Options{
		Dir: dir, MaxFile: int64(cfg.MaxFile), Retain: time.Duration(cfg.RetainDays) * 24 * time.Hour,
		Block: cfg.WhenFull == "block", Log: h.log,
	}
	if cfg.Sync == "interval" {
		o.Interval = time.Duration(cfg.SyncInterval)
	}
	if o.Key, err = ledgerKey(string(cfg.KeyFile)); err != nil {
		return usage(err)
	}
	log, err := chain.Open(o)
	if err != nil {
		return fmt.Errorf("the ledger: %w", err)
	}
	h.ground.auditor = &auditor{log, &audit.Index{Dir: dir, Keep: true}}
	h.measured.Ledger.Read(log.Stats)
	return h.keepTexts(o.Key)
}

// ledgerDir returns the folder of the ledger.
func ledgerDir(cfg *config.Config) (string, error) {
	dir, err := cfg.DataPath()
	return filepath.Join(dir, "ledger"), err
}

// ledgerKey reads the key of the hashes; none has no file.
func ledgerKey(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the key of the ledger: %w", err)
	}
	if text = bytes.TrimSpace(text); len(text) < 32 {
		return nil, fmt.Errorf("the key of the ledger in %s has %d bytes, want at least 32; make it with: openssl rand -hex 32", file, len(text))
	}
	return text, nil
}

// keep keeps the record of an entry.
func (a *auditor) keep(e *ledger.Entry, f audit.Facts) {
	if e.Quiet {
		if e.Admitted {
			a.Return()
		}
		return
	}
	data, err := audit.RecordOf(e, f).Encode()
	if err != nil {
		panic(err) // texts and numbers always can be
	}
	if e.Admitted {
		a.Keep(audit.Kind, data)
		return
	}
	a.Add(audit.Kind, data)
}

// A witness is told of each request: to count it, and to keep what it was.
type witness struct {
	*metrics.Gateway
	house *house
}

// errUnkept is the error of requests whose records could not be kept.
var errUnkept = &chat.Error{
	Kind: chat.Unavailable, Code: "audit_unavailable", RetryAfter: 5 * time.Second, Err: chain.ErrUnavailable,
	Msg: "What is asked now could not be recorded, and without a record nothing is answered here: try again later. The operator finds the reason in the log.",
}

// Admit refuses requests while what comes of them could not be kept.
func (w witness) Admit() error {
	if a := w.house.ground.auditor; a != nil && a.Reserve() != nil {
		return errUnkept
	}
	return nil
}

// Ended counts and keeps a request.
func (w witness) Ended(e *ledger.Entry) {
	w.Gateway.Ended(e)
	if a := w.house.ground.auditor; a != nil && !errors.Is(e.Err, errUnkept) {
		a.keep(e, w.house.facts(e))
	}
}

// facts returns what a house knows of a request that has ended.
func (h *house) facts(e *ledger.Entry) audit.Facts {
	f := audit.Facts{Zone: "inside", Lexicons: h.library.shelf.Current().Version()}
	name, _, _ := strings.Cut(e.Backend, "/")
	if b, ok := h.cfg.Backends[name]; ok && b.Outside() {
		f.Zone = "outside"
	}
	return f
}

// copied keeps the record of a copy that a shadow arm was given.
func (g *ground) copied(e *ledger.Entry) {
	if g.auditor != nil {
		zone := "inside"
		for _, s := range e.Sent {
			if s.Outside {
				zone = "outside"
			}
		}
		g.auditor.keep(e, audit.Facts{Zone: zone})
	}
}

// leaves tells the ledger of what is sent to a backend.
func leaves(name string, b config.Backend) func(context.Context, []byte) {
	return func(ctx context.Context, body []byte) { ledger.Leaves(ctx, name, b.Outside(), body) }
}

// A told tower tells the ledger what the filter above has found.
type told struct{ tower }

func (t told) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	ledger.Found(ctx, req.Classes)
	return t.tower.Chat(ctx, req)
}

func (t told) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	ledger.Found(ctx, req.Classes)
	return t.tower.Embed(ctx, req)
}

func (t told) Rerank(ctx context.Context, req *chat.RerankRequest) (*chat.Ranking, error) {
	ledger.Found(ctx, req.Classes)
	return t.tower.Rerank(ctx, req)
}

func (t told) Tokenize(ctx context.Context, req *chat.TokenizeRequest) (*chat.Tokens, error) {
	ledger.Found(ctx, req.Classes)
	return t.tower.Tokenize(ctx, req)
}

const usagePath = "/admin/usage"

// A usageBody is the query of the usage.
type usageBody struct {
	By     string `json:"by"`
	From   string `json:"from"`
	To     string `json:"to"`
	Format string `json:"format"` // json or csv
}

// usageActions tell what was used.
func (h *house) usageActions() []openaicompat.Action {
	if h.ground.auditor == nil {
		return nil
	}
	return []openaicompat.Action{{Method: http.MethodGet, Path: usagePath, Do: doing(func(_ context.Context, in *usageBody) (any, error) {
		q := usageQuery(h.cfg, in.By, in.From, in.To)
		if err := q.Check(); err != nil {
			param, what, _ := strings.Cut(err.Error(), ": ")
			return nil, chat.BadParam(param, "'%s': %s.", param, what)
		}
		rows, err := h.ground.auditor.index.Usage(q)
		if err != nil {
			return nil, err
		}
		switch in.Format {
		case "", "json":
			return map[string]any{"by": q.By, "usage": rows}, nil
		case "csv":
			var out bytes.Buffer
			err := audit.WriteUsageCSV(&out, rows)
			return openaicompat.Page{Type: "text/csv; charset=utf-8", Body: out.Bytes()}, err
		}
		return nil, chat.BadParam("format", "'format' is json or csv.")
	})}}
}

// usageQuery returns a query with the prices of a configuration.
func usageQuery(cfg *config.Config, by, from, to string) audit.UsageQuery {
	q := audit.UsageQuery{From: from, To: to, Prices: make(map[string]audit.Price)}
	for name := range strings.SplitSeq(by, ",") {
		if name = strings.TrimSpace(name); name != "" {
			q.By = append(q.By, name)
		}
	}
	for model, p := range cfg.Ledger.Prices {
		q.Prices[model] = audit.Price{Prompt: float64(p.Prompt), Completion: float64(p.Completion)}
	}
	return q
}
