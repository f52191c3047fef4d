package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"

	"bendi/access"
	"bendi/config"
	"bendi/internal/certs"
	"bendi/internal/crowd"
)

// tlsSettings returns what a configuration says about TLS.
func tlsSettings(t config.TLS) certs.Settings {
	return certs.Settings{
		CertFile: string(t.CertFile), KeyFile: string(t.KeyFile), RootFile: string(t.RootFile),
		ClientCAFile: string(t.ClientCAFile), OldestTLS: t.Oldest.Number(), OCSP: t.OCSP,
		ACME: certs.ACME{Domains: t.ACME.Domains, Email: t.ACME.Email, Directory: t.ACME.Directory, RootFile: string(t.ACME.CAFile)},
	}
}

// tlsFiles returns the files that a configuration names for TLS.
func tlsFiles(t config.TLS) []string {
	return named(t.CertFile, t.KeyFile, t.RootFile, t.ClientCAFile)
}

// named returns those of some files that a configuration names.
func named(files ...config.Path) []string {
	var all []string
	for _, file := range files {
		if file != "" {
			all = append(all, string(file))
		}
	}
	return all
}

// secure reads the certificate, where there is to be one.
func (h *house) secure(context.Context) (err error) {
	if !h.cfg.Server.TLS.On() {
		return nil
	}
	s := tlsSettings(h.cfg.Server.TLS)
	if s.ACME.On() {
		dir, err := h.cfg.DataDir()
		if err != nil {
			return usage(fmt.Errorf("the account and the certificates of server.tls.acme have no place: %w", err))
		}
		s.ACME.Dir = filepath.Join(dir, "acme")
	}
	if h.identity, err = certs.Load(s, time.Now()); err != nil {
		return usage(fmt.Errorf("the TLS certificate is not served:\n%w", err))
	}
	return nil
}

// showIdentity has new connections see the certificate of this house.
func (h *house) showIdentity() {
	if h.identity == nil {
		return
	}
	dir, err := h.cfg.DataDir()
	if err != nil {
		dir = "" // what a CA says is not kept, then
	}
	if !h.keeper.Use(h.identity, dir) {
		return
	}
	for _, text := range h.identity.Warnings {
		h.log.Warn("tls: " + text)
	}
	if h.cfg.Server.TLS.ACME.On() {
		h.log.Info("tls: certificates are ordered", "names", h.cfg.Server.TLS.ACME.Domains, "directory", h.cfg.Server.TLS.ACME.Directory, "clients_show_one", h.identity.AsksClients())
		return
	}
	h.log.Info("tls: the certificate is in force", "certificate", h.identity.String(), "clients_show_one", h.identity.AsksClients())
}

// bound has the connections be as many as this house allows.
func (h *house) bound() {
	s := h.cfg.Server
	h.crowd.Limit(crowd.Limits{Total: mostConnections(s.MaxConnections), PerAddress: s.MaxConnectionsPerAddress})
}

// mostConnections returns how many connections there may be: what is asked for,
// and no more than half of the files that may be open, for each request may open
// another one elsewhere.
func mostConnections(asked int) int {
	files := maxOpenFiles()
	if files == 0 {
		return asked
	}
	most := max(8, (files-32)/2)
	if asked == 0 {
		return most
	}
	return min(asked, most)
}

// hosts returns the names that the server goes by, or nil where it goes by any:
// where others can reach it, each request shows a key.
func (h *house) hosts() []string {
	s := h.cfg.Server
	if len(s.Hosts) == 0 && h.door.Closed {
		return nil
	}
	return slices.Concat([]string{hostOf(h.cfg.Listen)}, s.Hosts, s.TLS.ACME.Domains)
}

// hostOf returns the host of a host:port.
func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	return host
}

// isPrivate reports whether all that the server listens on can be reached from
// this machine alone.
func isPrivate(cfg *config.Config) bool {
	return access.IsLoopback(cfg.Listen) && (cfg.Server.AdminListen == "" || access.IsLoopback(cfg.Server.AdminListen))
}

// notes say what whoever looks after the server should know of it.
func (h *house) notes() []string {
	notes := h.keeper.Notes()
	if h.refusedReload.Load() {
		notes = append(notes, "the configuration or a file that it names was changed and not taken; the log says why")
	}
	if m := h.ground.memory; m != nil {
		if m.Unreachable() != nil {
			notes = append(notes, "the store of sessions is down; the log says why") // the address of it is nobody's business
		}
	}
	return notes
}
