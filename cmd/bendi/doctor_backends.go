package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"bendi/chat"
	"bendi/config"
	"bendi/inference/ollama"
	"bendi/router"
)

// checkTime is how long the doctor waits for a backend.
const checkTime = 10 * time.Second

// checkBackends asks each backend whether it is there, takes the key and has
// the models that it is to answer for. No prompt is sent.
func (p *program) checkBackends(ctx context.Context, cfg *config.Config) []finding {
	edges, findings := p.checkLinks(ctx, cfg)
	for _, name := range slices.Sorted(maps.Keys(cfg.Backends)) {
		b := cfg.Backends[name]
		var via http.RoundTripper
		if e := edges[b.Link]; e != nil {
			via = e
		} else if b.Link != "" {
			continue // it was said why there is no link
		}
		status, detail := p.checkBackend(ctx, name, b, via)
		findings = append(findings, finding{"backend", status, detail})
	}
	for _, e := range edges {
		if e != nil {
			e.Close()
		}
	}
	return findings
}

func (p *program) checkBackend(ctx context.Context, name string, b config.Backend, via http.RoundTripper) (status, detail string) {
	if b.Starts() {
		return p.checkProcess(name, b)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	there, err := names(ctx, name, b, via)
	if e, ok := errors.AsType[*chat.Error](err); ok && e.Code == router.CodeBackendAuth {
		return "fail", p.sayf("%s: it is there and refuses the key: put a valid one where backends.%s.key or key_file says", "%s：可以连接，但密钥被拒绝：请在 backends.%s.key 或 key_file 指定处放入有效的密钥", name, name)
	} else if ok && e.Kind == chat.NotFound {
		return "warn", p.sayf("%s: it is there and lists no models, so that it is not known whether the names are right; is the base URL (with /v1?) right?", "%s：可以连接，但不提供模型列表，无法核对模型名；请检查基础地址（是否应带 /v1）", name)
	} else if ok { // what a backend says may be shown here
		return "fail", p.sayf("%s: %v; try: %s", "%s：%v；可先运行：%s", name, e, tryIt(b))
	} else if err != nil {
		return "fail", p.sayf("%v; try: %s", "%v；可先运行：%s", err, tryIt(b))
	}
	var missing []string
	for _, id := range slices.Sorted(maps.Keys(b.Models)) {
		m := b.Models[id]
		if slices.ContainsFunc(there, func(n string) bool { return n == m.Name || b.Kind == "ollama" && n == m.Name+":latest" }) {
			continue
		}
		if b.Kind == "ollama" {
			missing = append(missing, p.sayf("%s is not installed; run: ollama pull %s", "%s 尚未安装；请运行：ollama pull %s", m.Name, m.Name))
		} else {
			missing = append(missing, p.sayf("it has no model %q; correct backends.%s.models.%s.name: there are %s", "没有模型 %q；请更正 backends.%s.models.%s.name，现有：%s", m.Name, name, id, few(there)))
		}
	}
	zone := string(b.Zone)
	if b.Masked() {
		zone += p.say(", personal data is masked", "，已屏蔽个人信息")
	} else if b.Outside() {
		zone += p.say(", PERSONAL DATA IS NOT MASKED", "，未屏蔽个人信息")
	}
	if len(missing) > 0 {
		return "fail", name + ": " + strings.Join(missing, "\n")
	}
	if addr, public := publicAddress(ctx, b); public {
		return "warn", p.sayf("%s: it is there, and has the models; its zone is inside, and its address %v is one of the internet: make it outside unless that is yours", "%s：可以连接，模型齐全；其 zone 为 inside，但地址 %v 属于互联网：若不归您所有，请改为 outside", name, addr)
	}
	return "ok", p.sayf("%s: it is there, and has the models (%s)", "%s：可以连接，模型齐全（%s）", name, zone)
}

// publicAddress returns an address of a backend inside that is one of the
// internet, if it has one.
func publicAddress(ctx context.Context, b config.Backend) (netip.Addr, bool) {
	u, err := url.Parse(b.URL)
	if b.Outside() || b.Socket != "" || err != nil {
		return netip.Addr{}, false
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return netip.Addr{}, false // the check before has said so
	}
	for _, addr := range addrs {
		if isPublic(addr) {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// carriers are the addresses that networks share behind one of their own.
var carriers = netip.MustParsePrefix("100.64.0.0/10")

func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !carriers.Contains(addr)
}

// names asks a backend for the names of its models.
func names(ctx context.Context, name string, b config.Backend, via http.RoundTripper) ([]string, error) {
	if b.Kind != "ollama" {
		m, err := remoteOf(name, b, via, nil)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		return m.Names(ctx)
	}
	m, err := ollama.New(ollama.Config{Name: name, URL: b.URL, Socket: string(b.Socket), Key: b.Key.Reveal()})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := m.Refresh(ctx); err != nil {
		return nil, err
	}
	var names []string
	for _, info := range m.Models() {
		names = append(names, info.ID)
	}
	return names, nil
}

// few lists some names.
func few(names []string) string {
	const most = 8
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

// tryIt returns a command that shows whether a backend can be reached.
func tryIt(b config.Backend) string {
	if b.Link != "" {
		return "bendi doctor, where the relay runs"
	}
	path := "/models"
	if b.Kind == "ollama" {
		path = "/api/version"
	}
	if b.Socket != "" {
		base := strings.TrimSuffix(b.URL, "/")
		if base == "" {
			base = "http://localhost"
			if b.Kind != "ollama" {
				base += "/v1"
			}
		}
		return "curl -i --unix-socket " + string(b.Socket) + " " + base + path
	}
	return "curl -i " + strings.TrimSuffix(b.URL, "/") + path
}

// printBackends says which backends there are, and what is kept from them.
func (p *program) printBackends(line func(label, format string, args ...any), cfg *config.Config, deadEnds []string) {
	label := p.say("backend", "后端")
	for _, name := range slices.Sorted(maps.Keys(cfg.Backends)) {
		b := cfg.Backends[name]
		where := string(b.Socket)
		if u, err := url.Parse(b.URL); where == "" && err == nil {
			where = u.Host
		}
		if b.Starts() {
			where = p.placeOf(b)
		}
		zone := p.say("inside", "内部")
		switch {
		case b.Masked():
			zone = p.say("OUTSIDE, personal data masked", "外部，已屏蔽个人信息")
		case b.Outside():
			zone = p.say("OUTSIDE, NOT MASKED", "外部，未屏蔽个人信息")
		}
		line(label, "%s: %s (%s)  %s", name, where, zone, strings.Join(slices.Sorted(maps.Keys(b.Models)), ", "))
		label = ""
	}
	for _, text := range deadEnds {
		line(p.say("note", "说明"), "%s", text)
	}
}

// routeText says what a route offers and what may leave by it.
func (p *program) routeText(cfg *config.Config, r config.Route) string {
	var models []string
	for _, m := range r.Models {
		text := m.ID
		if len(m.Tiers) > 0 {
			var tiers []string
			for _, tier := range m.Tiers {
				tiers = append(tiers, strings.Join(tier, " + "))
			}
			text += " [" + strings.Join(tiers, ", "+p.say("else ", "否则 ")) + "]"
		}
		models = append(models, text)
	}
	text := fmt.Sprintf("%s  (%s", strings.Join(models, ", "), p.filterText(r.Filter))
	if r.Egress.Route != "never" {
		text += p.sayf("; egress %s", "；外发 %s", r.Egress.Route)
		if n := len(r.Egress.Classes) + len(r.Egress.Keys); n > 0 {
			text += p.sayf(", %d exceptions", "，%d 项例外", n)
		}
	} else if len(cfg.Backends) > 0 {
		text += p.say("; stays inside", "；不外发")
	}
	return text + ")"
}
