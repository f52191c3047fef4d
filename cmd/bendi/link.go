package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/link"
	"bendi/metrics"
	"bendi/openaicompat"
)

const linksPath = "/admin/links"

// edgeOf returns the end of links that is here.
func edgeOf(name string, r config.Relays, log *slog.Logger) (*link.Edge, error) {
	o := link.EdgeOptions{
		Relays: r.Addresses, TLS: &tls.Config{}, Min: min(r.MinLinks, r.MaxLinks), Max: r.MaxLinks, Rotate: time.Duration(r.Rotate),
		Congestion: r.Congestion, Log: log.With("relays", name),
	}
	fail := func(err error) (*link.Edge, error) { return nil, fmt.Errorf("relays %s: %w", name, err) }
	switch {
	case r.KeyFile != "":
		key, err := sharedKey(r.KeyFile)
		if err != nil {
			return fail(err)
		}
		o.Identity = link.Identity{Name: r.Name, Key: key}
	case r.TokenFile != "":
		o.Identity.Token = func() (string, error) {
			text, err := os.ReadFile(string(r.TokenFile))
			return string(text), err
		}
	default:
		cert, err := tls.LoadX509KeyPair(string(r.CertFile), string(r.CertKeyFile))
		if err != nil {
			return fail(err)
		}
		o.Identity.Certificate = &cert
	}
	if r.CAFile != "" {
		pool, err := certificatesIn(r.CAFile)
		if err != nil {
			return fail(err)
		}
		o.TLS.RootCAs = pool
	}
	e, err := link.NewEdge(o)
	if err != nil {
		return fail(err)
	}
	return e, nil
}

// sharedKey reads a key that both ends of links have.
func sharedKey(file config.Path) ([]byte, error) {
	text, err := os.ReadFile(string(file))
	if err != nil {
		return nil, err
	}
	key := strings.TrimSpace(string(text))
	if len(key) < link.LeastKey {
		return nil, fmt.Errorf("the key in %s has %d bytes, and at least %d are needed; make one with: openssl rand -hex 32", file, len(key), link.LeastKey)
	}
	return []byte(key), nil
}

// certificatesIn reads the certificates of a file, and there is at least one.
func certificatesIn(file config.Path) (*x509.CertPool, error) {
	text, err := os.ReadFile(string(file))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("there is no certificate in %s; it has to be a PEM file", file)
	}
	return pool, nil
}

// A linkLine is what the server tells of its links to a relay.
type linkLine struct {
	Name       string  `json:"name"` // of the relays in the configuration
	Relay      string  `json:"relay"`
	Links      int     `json:"links"`
	Want       int     `json:"want"`
	Streams    int     `json:"streams"`
	RTT        float64 `json:"rtt_ms"`
	Since      int64   `json:"since"` // that it is up, or down
	Fault      string  `json:"fault,omitempty"`
	Frames     uint64  `json:"frames"`
	Duplicates uint64  `json:"duplicates"`
	Useful     uint64  `json:"useful"`   // duplicates that came first
	Late       uint64  `json:"late"`     // frames
	Repeated   uint64  `json:"repeated"` // words that went once more with the next ones
	Rescued    uint64  `json:"rescued"`
	Resumed    uint64  `json:"resumed"`
	Backlog    int64   `json:"backlog_bytes"`
	Drains     bool    `json:"draining,omitempty"` // the relay is shutting down
}

// links tells of all links that there are.
func (r *relations) links() []linkLine {
	edges := make(map[string]*link.Edge)
	r.edges.mu.Lock()
	for _, it := range r.edges.items { // the latest of a name is the last
		edges[it.description.name] = it.thing
	}
	r.edges.mu.Unlock()
	all := []linkLine{}
	for _, name := range slices.Sorted(maps.Keys(edges)) {
		for _, st := range edges[name].Status() {
			all = append(all, linkLine{
				Name: name, Relay: st.Relay, Links: st.Links, Want: st.Want, Streams: st.Streams, RTT: float64(st.RTT.Microseconds()) / 1000,
				Since: st.Since.Unix(), Fault: st.Fault, Frames: st.Frames, Duplicates: st.Duplicates, Useful: st.Useful, Late: st.Late, Repeated: st.Repeated, Rescued: st.Rescued, Resumed: st.Resumed, Backlog: st.Backlog, Drains: st.Drains,
			})
		}
	}
	return all
}

// linkStates tells of them for the metrics.
func (r *relations) linkStates() []metrics.LinkState {
	var all []metrics.LinkState
	for _, l := range r.links() {
		all = append(all, metrics.LinkState{
			Name: l.Name, Relay: l.Relay, Links: l.Links, Want: l.Want, Streams: l.Streams, RTT: time.Duration(l.RTT * float64(time.Millisecond)),
			Frames: l.Frames, Duplicates: l.Duplicates, Useful: l.Useful, Late: l.Late, Repeated: l.Repeated, Rescued: l.Rescued, Resumed: l.Resumed, Backlog: l.Backlog, Drains: l.Drains,
		})
	}
	return all
}

func (h *house) linkActions() []openaicompat.Action {
	return []openaicompat.Action{{Method: http.MethodGet, Path: linksPath, Do: func(context.Context, []byte) (any, error) {
		return map[string]any{"links": h.about.links()}, nil
	}}}
}

func (p *program) linkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "link",
		Short: p.say("The links of a server to its relays", "服务到中继的链路"),
	}
	var server, output string
	status := &cobra.Command{
		Use:   "status",
		Short: p.say("How the links to the relays are", "查看到各中继的链路状态"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out struct {
				Links []linkLine `json:"links"`
			}
			if err := p.admin(cmd.Context(), server, http.MethodGet, linksPath, nil, &out); err != nil {
				return err
			}
			return p.printLinks(out.Links, output)
		},
	}
	serverFlag(status.Flags(), p, &server)
	outputFlag(status, p, &output)
	cmd.AddCommand(status)
	return cmd
}

// printLinks prints them, and ends with exitProblems where there is a relay
// without any.
func (p *program) printLinks(all []linkLine, output string) error {
	down := slices.ContainsFunc(all, func(l linkLine) bool { return l.Links == 0 && l.Want > 0 })
	if output == "json" {
		if err := json.NewEncoder(p.stdout).Encode(all); err != nil {
			return err
		}
	} else if len(all) == 0 {
		fmt.Fprintln(p.stdout, p.say("no backend is asked over a link", "没有后端经由链路请求"))
	} else {
		rows := [][]string{cells("RELAYS", "ADDRESS", "LINKS", "REQUESTS", "RTT", "FRAMES", "LATE", "TWICE", "SECOND FIRST", "REPEATED", "RESCUED", "RESUMED", "BACKLOG", "SINCE", "FAULT")}
		for _, l := range all {
			if l.Fault == "" && l.Drains {
				l.Fault = p.say("the relay is shutting down", "中继正在停止")
			}
			late := "-"
			if l.Frames > 0 {
				late = fmt.Sprintf("%.1f%%", 100*float64(l.Late)/float64(l.Frames))
			}
			rows = append(rows, cells(l.Name, l.Relay, fmt.Sprintf("%d/%d", l.Links, l.Want), l.Streams, fmt.Sprintf("%.0fms", l.RTT),
				l.Frames, late, l.Duplicates, l.Useful, l.Repeated, l.Rescued, l.Resumed, bytesText(l.Backlog), moment(l.Since), l.Fault))
		}
		printTable(p.stdout, "", rows...)
	}
	if down {
		return exitError{code: exitProblems}
	}
	return nil
}
