package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"bendi/config"
	"bendi/link"
)

// checkLinks makes a link to each relay that a backend is asked over. The edges
// that it returns have links, and have to be closed.
func (p *program) checkLinks(ctx context.Context, cfg *config.Config) (map[string]*link.Edge, []finding) {
	edges := make(map[string]*link.Edge)
	var findings []finding
	congestion := ""
	for _, b := range cfg.Backends {
		if b.Link != "" {
			edges[b.Link] = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(edges)) {
		r := cfg.Relays[name]
		congestion = max(congestion, r.Congestion)
		found := p.knockAll(ctx, name, r)
		findings = append(findings, p.checkSecrets(r.KeyFile, r.TokenFile, r.CertKeyFile)...)
		if !slices.ContainsFunc(found, func(f finding) bool { return f.Status == "fail" }) {
			e, f := p.checkLink(ctx, name, r)
			if found = append(found, f); f.Status == "ok" {
				edges[name] = e
			} else if e != nil {
				e.Close()
			}
		}
		findings = append(findings, found...)
	}
	if len(edges) > 0 {
		findings = append(findings, p.checkTCP(congestion)...)
	}
	return edges, findings
}

// knockAll connects to relays as a link does, before anybody shows who it is.
func (p *program) knockAll(ctx context.Context, name string, r config.Relays) (findings []finding) {
	var roots *x509.CertPool
	if r.CAFile != "" {
		var err error
		if roots, err = certificatesIn(r.CAFile); err != nil {
			return []finding{{"link", "fail", p.sayf("relays %s: %v", "中继 %s：%v", name, err)}}
		}
	}
	for _, address := range r.Addresses {
		u, err := url.Parse(address)
		if err != nil {
			continue // the configuration was checked
		}
		host := u.Host
		if u.Port() == "" {
			host += ":443"
		}
		status, detail := p.knock(ctx, host, roots)
		findings = append(findings, finding{"link", status, p.sayf("relays %s: %s", "中继 %s：%s", name, detail)})
	}
	return findings
}

func (p *program) knock(ctx context.Context, address string, roots *x509.CertPool) (status, detail string) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	begin := time.Now()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return "fail", p.sayf("%v; is the relay running there, and does every firewall between let TCP through to that port?", "%v；请确认中继正在该地址运行，且沿途防火墙放行该端口的 TCP", err)
	}
	defer raw.Close()
	rtt := time.Since(begin)
	host, _, _ := net.SplitHostPort(address)
	c := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}})
	if err := c.HandshakeContext(ctx); err != nil {
		fix := p.say("is that the relay's port, and not one of something in between?", "请确认该端口属于中继本身，而非中间设备")
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
			fix = p.say("name who has signed its certificate with ca_file; where that is of its own, a copy of the certificate", "请用 ca_file 指定签发该证书的 CA；若为自签名证书，则为该证书的副本")
		} else if _, ok := errors.AsType[x509.HostnameError](err); ok {
			fix = p.say("use a name that its certificate has, or give the relay a certificate with this one", "请使用证书中包含的名称，或为中继换一张包含此名称的证书")
		}
		return "fail", fmt.Sprintf("TLS, %s: %v; %s", address, err, fix)
	}
	ends := c.ConnectionState().PeerCertificates[0].NotAfter
	detail = p.sayf("%s is there, %v away and back; its certificate holds until %s", "%s 可以连接，往返 %v；其证书有效期至 %s", address, roundTrip(rtt), ends.UTC().Format(time.DateOnly))
	if time.Until(ends) < soon {
		return "warn", detail + p.say(": get it another one", "：请尽快更换")
	}
	return "ok", detail
}

// roundTrip writes a time as people say it.
func roundTrip(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// checkLink makes a link to each of some relays. The edge that it returns has to
// be closed.
func (p *program) checkLink(ctx context.Context, name string, r config.Relays) (*link.Edge, finding) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	r.MinLinks, r.MaxLinks = len(r.Addresses), max(len(r.Addresses), 2)
	e, err := edgeOf(name, r, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, finding{"link", "fail", err.Error()}
	}
	for {
		var up, faults []string
		for _, st := range e.Status() {
			if st.Links > 0 {
				up = append(up, st.Relay)
			} else if st.Fault != "" {
				faults = append(faults, st.Relay+": "+st.Fault)
			}
		}
		if len(up)+len(faults) == len(r.Addresses) {
			if len(faults) > 0 {
				return e, finding{"link", "fail", p.sayf("relays %s: %s", "中继 %s：%s", name, strings.Join(faults, "; "))}
			}
			return e, finding{"link", "ok", p.sayf("relays %s: linked to %s", "中继 %s：已连接到 %s", name, strings.Join(up, ", "))}
		}
		select {
		case <-ctx.Done():
			return e, finding{"link", "fail", p.sayf("relays %s: no link to all of %s within %v", "中继 %s：在 %[3]v 内未能连接到全部 %[2]s", name, strings.Join(r.Addresses, ", "), checkTime)}
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// checkSecrets says which files others on this machine can read; an empty name
// is none.
func (p *program) checkSecrets(files ...config.Path) (findings []finding) {
	for _, file := range files {
		if info, err := os.Stat(string(file)); err == nil && file != "" && info.Mode().Perm()&0o077 != 0 {
			findings = append(findings, finding{"secret", "warn", p.sayf("others on this machine can read %s or write to it (mode %04o): chmod 600 %[1]s", "本机其他用户可以读取或改写 %s（权限 %04o）：请执行 chmod 600 %[1]s", file, info.Mode().Perm())})
		}
	}
	return findings
}

// checkTCP looks at what the kernel does with connections over a long line. It
// says nothing where that cannot be known.
func (p *program) checkTCP(congestion string) []finding {
	setting := func(name string) string {
		text, _ := os.ReadFile("/proc/sys/net/ipv4/" + name)
		return strings.TrimSpace(string(text))
	}
	used, allowed := setting("tcp_congestion_control"), strings.Fields(setting("tcp_allowed_congestion_control"))
	if used == "" {
		return nil
	}
	f := finding{"tcp", "ok", p.sayf("congestion control %s", "拥塞控制算法 %s", max(congestion, used))}
	switch {
	case congestion != "" && congestion != used && !slices.Contains(allowed, congestion):
		f = finding{"tcp", "warn", p.sayf("links go by %s, since the kernel allows %s alone and not %s; as root: sysctl -w net.ipv4.tcp_allowed_congestion_control=%q",
			"链路使用 %s，因为内核只允许 %s，不允许 %s；请以 root 执行：sysctl -w net.ipv4.tcp_allowed_congestion_control=%q",
			used, strings.Join(allowed, ", "), congestion, strings.Join(append(allowed, congestion), " "))}
	case congestion == "":
		f.Detail = p.sayf("congestion control %s, the machine's", "拥塞控制算法 %s（系统默认）", used)
	}
	findings := []finding{f}
	if setting("tcp_slow_start_after_idle") == "1" {
		findings = append(findings, finding{"tcp", "warn", p.say(
			"a link that was idle begins slowly again, which large requests feel; as root: sysctl -w net.ipv4.tcp_slow_start_after_idle=0",
			"空闲后的链路会重新慢启动，较大的请求会受影响；请以 root 执行：sysctl -w net.ipv4.tcp_slow_start_after_idle=0")})
	}
	return findings
}
