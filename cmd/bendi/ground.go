package main

import (
	"log/slog"
	"sync/atomic"

	"bendi/access"
	"bendi/config"
	"bendi/experiment"
	"bendi/filter"
	"bendi/internal/certs"
	"bendi/internal/crowd"
	"bendi/ledger/chain"
	"bendi/link"
	"bendi/metrics"
	"bendi/models"
	"bendi/models/fit"
)

// A ground is what lasts while configurations come and go: what all requests
// go through, what is counted and remembered, and what one [house] leaves to
// the next. What is opened for it is opened once, here.
type ground struct {
	home models.Home
	log  *slog.Logger
	gate *gate

	rooms *residence // of the models in memory
	crew  *crew      // the workers
	about *relations // the backends

	measured *metrics.Gateway
	findings *findings
	lab      *experiment.Lab
	auditor  *auditor      // of all requests; nil until the first house, or where there is to be none
	texts    *chain.Log    // the words of some of them; nil where none are kept
	memory   *memory       // of conversations; nil until the first house, or where there is to be none
	keys     *access.Store // made while the server runs; nil until the first house
	roll     access.Roll   // of those who are being answered
	brake    access.Brake  // of those who try keys
	counts   counts        // of what is asked
	tokens   verifier
	secret   []byte // of the hashes in findings

	keeper        *certs.Keeper // of the certificate
	crowd         *crowd.Crowd  // of connections
	refusedReload atomic.Bool   // what the files say is not in force
}

// newGround returns what the houses of a program stand on.
func newGround(home models.Home, log *slog.Logger) *ground {
	g := &ground{home: home, log: log, gate: newGate(), secret: filterSecret()}
	g.rooms = newResidence(fit.Look, log)
	g.crew = newCrew()
	g.keeper = certs.NewKeeper(log, nil)
	g.measured = metrics.NewGateway(version(), nil)
	g.crowd = crowd.New(log, g.measured.Front.Refused)
	g.measured.Front.Read(g.crowd.Count)
	g.measured.Front.ReadTLS(g.keeper.Ends)
	g.findings = newFindings(log, g.measured.Filter)
	g.lab = experiment.New(experiment.Options{Log: log, Observer: g.measured.Experiments, Copied: g.copied})
	g.measured.Experiments.Read(g.lab.Experiments)
	g.about = newRelations(g.secret, func(backend string) func(filter.Finding) { return g.findings.observe("backend " + backend) })
	g.about.log, g.about.start = log, g.startProcess
	g.measured.Links.Read(g.about.linkStates)
	g.about.link = func(name string, r config.Relays) (*link.Edge, error) { return edgeOf(name, r, log) }
	return g
}

// close ends what the houses have left.
func (g *ground) close() {
	g.findings.close()
	g.counts.close()
	if g.memory != nil {
		if err := g.memory.Close(); err != nil {
			g.log.Error("sessions: closing the store", "err", err)
		}
	}
	if err := g.lab.Close(); err != nil {
		g.log.Error("experiment: closing the files", "err", err)
	}
	if g.auditor != nil {
		if err := g.auditor.Close(); err != nil {
			g.log.Error("ledger: closing the files", "err", err)
		}
	}
	if g.texts != nil {
		if err := g.texts.Close(); err != nil {
			g.log.Error("ledger: closing the files of the words", "err", err)
		}
	}
}
