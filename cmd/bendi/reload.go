package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"bendi/chat"
	"bendi/config"
	"bendi/openaicompat"
)

const notTaken = "config: what the files say was not taken; everything stays as it is"

// reload puts in force what the files say now, or leaves everything as it is,
// and says so in the log.
func (e *estate) reload(ctx context.Context) (*report, error) {
	select {
	case e.building <- struct{}{}:
		defer func() { <-e.building }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	begin := time.Now()
	r, err := e.rebuild(ctx)
	if ctx.Err() != nil && err != nil {
		return nil, context.Cause(ctx) // nobody wants it any more
	}
	e.measured.Config.Reloaded(time.Now(), err == nil)
	e.refusedReload.Store(err != nil)
	if err != nil {
		e.log.Error(notTaken, "err", unwrapped(err))
		return nil, err
	}
	took := time.Since(begin)
	r.Took = took.Seconds()
	attrs := []any{"took", took.Round(time.Millisecond)}
	if len(r.Restart) > 0 {
		attrs = append(attrs, "needs_restart", strings.Join(r.Restart, ", "))
	}
	if len(r.Changes) == 0 {
		e.log.Info("config: nothing has changed", attrs...)
		return r, nil
	}
	var words []string
	for _, c := range r.Changes {
		words = append(words, c.String())
	}
	e.log.Info("config: what the files say is in force", append([]any{"changes", strings.Join(words, "; ")}, attrs...)...)
	return r, nil
}

// rebuild builds the house that the files describe and puts it in force, if it
// differs.
func (e *estate) rebuild(ctx context.Context) (*report, error) {
	now := e.current()
	cfg, _, err := e.source.read()
	if err != nil {
		return nil, err
	}
	r := &report{Restart: keep(cfg, now.cfg)}
	if err := cfg.Validate(); err != nil {
		return nil, usage(fmt.Errorf("with what a running server keeps (%s):\n%w", strings.Join(r.Restart, ", "), err))
	}
	files := filesBeside(cfg)
	next, err := e.build(ctx, cfg, false)
	if err != nil {
		now.limit()
		e.source.also(files)
		return nil, err
	}
	if r.Changes = changes(now, next); len(r.Changes) == 0 {
		next.close()
		return r, nil
	}
	e.succeed(next)
	if slices.ContainsFunc(r.Changes, func(c change) bool { return c.What == "lexicons" }) {
		e.measured.Filter.Reloaded(true)
	}
	return r, nil
}

// keep leaves in next what cannot change while the server runs as it is now,
// and returns the settings that would have changed.
func keep(next, now *config.Config) []string {
	kept := []string{}
	if next.Listen != now.Listen {
		kept, next.Listen = append(kept, "listen"), now.Listen
	}
	if next.Data != now.Data {
		kept, next.Data = append(kept, "data"), now.Data
	}
	if !reflect.DeepEqual(next.Sessions, now.Sessions) {
		kept, next.Sessions = append(kept, "sessions"), now.Sessions
	}
	if !reflect.DeepEqual(next.Stores, now.Stores) {
		kept, next.Stores = append(kept, "stores"), now.Stores
	}
	prices := next.Ledger.Prices // they alone may change
	if next.Ledger.Prices = now.Ledger.Prices; !reflect.DeepEqual(next.Ledger, now.Ledger) {
		kept, next.Ledger = append(kept, "ledger"), now.Ledger
	}
	next.Ledger.Prices = prices
	if next.Server.AdminListen != now.Server.AdminListen {
		kept, next.Server.AdminListen = append(kept, "server.admin_listen"), now.Server.AdminListen
	}
	if a, b := now.Server.TLS, next.Server.TLS; a.On() != b.On() || !reflect.DeepEqual(a.ACME, b.ACME) {
		kept, next.Server.TLS = append(kept, "server.tls"), a
	}
	if next.Log.Format != now.Log.Format {
		kept, next.Log.Format = append(kept, "log.format"), now.Log.Format
	}
	return kept
}

const reloadPath = "/admin/reload"

// reloadAction reloads the configuration for whoever may have it done. What is
// wrong with the configuration is an invalid request; that there is no memory
// for it, or that a model does not load, is a conflict with what there is.
func (e *estate) reloadAction() openaicompat.Action {
	return openaicompat.Action{Method: http.MethodPost, Path: reloadPath, Do: func(ctx context.Context, _ []byte) (any, error) {
		r, err := e.reload(ctx)
		if err == nil || ctx.Err() != nil {
			return r, err
		}
		kind := chat.Conflict
		if exit, ok := errors.AsType[exitError](err); ok && exit.code == exitUsage {
			kind, err = chat.Invalid, exit.err
		}
		return nil, chat.Errorf(kind, "The configuration was not taken, and everything stays as it is:\n%v", err)
	}}
}
