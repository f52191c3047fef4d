package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"bendi/chat"
	"bendi/config"
	"bendi/inference/process"
	"bendi/models/fit"
)

// startProcess returns a backend that is started here, in a place of its own
// among what shares the memory.
func (g *ground) startProcess(name string, b config.Backend) (*server, error) {
	c := processConfig(name, b)
	c.Log = g.log
	t := tenantOf(name, b)
	if t != nil {
		c.Admit = func(ctx context.Context) (func(), error) { return g.rooms.admit(ctx, t) }
	}
	p, err := process.Start(c)
	if err != nil {
		return nil, err
	}
	s := &server{model: p, process: p, close: p.Close}
	if t != nil {
		t.worker = p
		g.rooms.moveIn(t)
		s.close = func() { p.Close(); g.rooms.moveOut(t) }
	}
	return s, nil
}

// processConfig says how a backend is started, and spoken with where it listens.
func processConfig(name string, b config.Backend) process.Config {
	p := b.Process
	c := process.Config{
		Name: name, Command: p.Words(), Env: make(map[string]string), Secrets: make(map[string]string), Pass: p.Pass, Dir: string(p.Dir),
		Health: p.Health, StartTimeout: time.Duration(p.StartTimeout), StopTimeout: time.Duration(p.StopTimeout),
		UnloadAfter: time.Duration(p.UnloadAfter), Backoff: time.Duration(p.Backoff), Keep: p.Load == config.LoadStart, LogAll: p.LogAll,
		Client: func(at process.Place) (process.Client, error) { return clientAt(at, name, b) },
	}
	for variable, word := range p.Env {
		c.Env[variable] = string(word)
	}
	for variable, secret := range p.Secrets {
		c.Secrets[variable] = secret.Reveal()
	}
	return c
}

// clientAt returns who speaks with a backend that was started at a place.
func clientAt(at process.Place, name string, b config.Backend) (process.Client, error) {
	if b.Socket = config.Path(at.Socket); at.Socket == "" {
		_, address := at.Addr()
		b.URL = "http://" + address
		if b.Kind != "ollama" {
			b.URL += "/v1"
		}
	}
	if b.Kind == "ollama" {
		return ollamaClient(name, b, nil)
	}
	return remoteOf(name, b, nil, nil)
}

// tenantOf returns the place of a backend among what shares the memory; nil where
// nobody has said what it takes.
func tenantOf(name string, b config.Backend) *tenant {
	host, gpu := int64(b.Process.Memory), int64(b.Process.GPUMemory)
	if !b.Starts() || host+gpu == 0 {
		return nil
	}
	id := name + "/*"
	if len(b.Models) == 1 {
		id = name + "/" + slices.Collect(maps.Keys(b.Models))[0]
	}
	return &tenant{Model: fit.Declared(id, host, gpu), onDemand: b.Process.Load == config.LoadDemand}
}

// tenantsOf returns what the backends take that are started here, by the
// configuration, and which of them only when somebody asks.
func tenantsOf(cfg *config.Config) (list []fit.Model, onDemand map[string]bool) {
	onDemand = make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(cfg.Backends)) {
		if t := tenantOf(name, cfg.Backends[name]); t != nil {
			list = append(list, t.Model)
			onDemand[t.ID] = t.onDemand
		}
	}
	return list, onDemand
}

// An offered process is one model of it, with its state.
type offered struct {
	*process.Process
	info chat.ModelInfo
}

// Models lists the model.
func (o offered) Models() []chat.ModelInfo {
	o.info.State = o.State()
	return []chat.ModelInfo{o.info}
}

// processes returns the backends that are started here, by name.
func (n *neighbourhood) processes() map[string]*process.Process {
	all := make(map[string]*process.Process)
	for name, s := range n.servers {
		if s.process != nil {
			all[name] = s.process
		}
	}
	return all
}

// started returns the models of those, as routes name them.
func (n *neighbourhood) started() map[string]*process.Process {
	all := make(map[string]*process.Process)
	for name, p := range n.processes() {
		for id := range n.cfg.Backends[name].Models {
			all[name+"/"+id] = p
		}
	}
	return all
}

// ready says what keeps those from answering that are to run all the time.
func (n *neighbourhood) ready() error {
	all := n.processes()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if n.cfg.Backends[name].Process.Load == config.LoadStart {
			errs = append(errs, all[name].Ready())
		}
	}
	return errors.Join(errs...)
}

// wait waits until those that are to run all the time do, and returns what is
// wrong with the others. An end of ctx is no failure of them.
func (n *neighbourhood) wait(ctx context.Context) error {
	all := n.processes()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := all[name].Wait(ctx); err != nil && ctx.Err() == nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// checkProcess says whether a backend that is started here could be. It does
// not start it.
func (p *program) checkProcess(name string, b config.Backend) (status, detail string) {
	if err := process.CheckCommand(b.Process.Words()); err != nil {
		return "fail", fmt.Sprintf("%s: %v", name, err)
	}
	return "ok", p.sayf("%s: the program is there: %s", "%s：程序存在：%s", name, p.placeOf(b))
}

// placeOf says what a backend is that is started here, and when it is.
func (p *program) placeOf(b config.Backend) string {
	program := filepath.Base(string(b.Process.Command[0]))
	if b.Process.Load == config.LoadStart {
		return program + p.say(", started with the gateway", "，随网关启动")
	}
	return program + p.say(", started at the first request", "，收到第一个请求时启动")
}
