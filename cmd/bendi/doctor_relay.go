package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"bendi/access"
	"bendi/config"
	"bendi/internal/certs"
	"bendi/link"
)

// relayRuns reports whether a configuration is that of a relay, and whether it
// is of nothing else.
func relayRuns(origins *config.Origins) (runs, alone bool) {
	if origins == nil || !origins.Sets("relay") {
		return false, false
	}
	return true, !slices.ContainsFunc([]string{"listen", "models", "backends", "routes"}, origins.Sets)
}

// checkRelay looks at what `bendi relay` would do by a configuration, and
// whether it can.
func (p *program) checkRelay(ctx context.Context, r config.Relay) []finding {
	findings := p.checkRelayTLS(r)
	note := func(check, status, english, chinese string, args ...any) {
		findings = append(findings, finding{check, status, p.sayf(english, chinese, args...)})
	}
	o, err := relayOf(r)
	if err == nil {
		_, err = link.NewRelay(o)
	}
	if err != nil {
		return append(findings, finding{"edges", "fail", err.Error()})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Edges)) {
		e := r.Edges[name]
		if len(e.Upstreams) == 0 {
			note("edge", "warn", "%s may come by %s, and ask nothing: name upstreams in relay.edges.%s.upstreams", "%s 可凭%s连接，但不能请求任何上游：请在 relay.edges.%s.upstreams 中列出", name, p.waysOf(e), name)
			continue
		}
		note("edge", "ok", "%s may come by %s, and ask %s", "%s 可凭%s连接，可请求 %s", name, p.waysOf(e), strings.Join(e.Upstreams, ", "))
	}
	findings = append(findings, p.checkSecrets(relaySecrets(r)...)...)
	for _, name := range slices.Sorted(maps.Keys(o.Upstreams)) {
		if !slices.ContainsFunc(slices.Collect(maps.Values(r.Edges)), func(e config.RelayEdge) bool { return slices.Contains(e.Upstreams, name) }) {
			note("upstream", "warn", "%s: no edge may ask it; name it in relay.edges.NAME.upstreams", "%s：没有边缘端可以请求它；请写入 relay.edges.名称.upstreams", name)
			continue
		}
		findings = append(findings, p.checkUpstream(ctx, name, o.Upstreams[name]))
	}
	findings = append(findings, p.checkTCP(r.Congestion)...)
	findings = append(findings, p.checkRelayListen(ctx, r))
	if r.MetricsListen != "" && !access.IsLoopback(r.MetricsListen) {
		note("metrics", "warn", "%s can be reached from other machines, and asks for no key: see that a firewall lets your scraper through alone", "%s 可从其他机器访问且不需要密钥：请用防火墙限制为仅采集端可访问", r.MetricsListen)
	}
	return findings
}

// relaySecrets returns the files of keys that a relay has.
func relaySecrets(r config.Relay) (files []config.Path) {
	for _, name := range slices.Sorted(maps.Keys(r.Edges)) {
		files = append(files, r.Edges[name].KeyFile)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Upstreams)) {
		files = append(files, r.Upstreams[name].KeyFile)
	}
	return files
}

// waysOf says how an edge shows who it is.
func (p *program) waysOf(e config.RelayEdge) string {
	var ways []string
	for _, w := range []struct {
		may              bool
		english, chinese string
	}{{e.KeyFile != "", "key", "密钥"}, {e.Certificate, "certificate", "证书"}, {e.Token, "token", "令牌"}} {
		if w.may {
			ways = append(ways, p.say(w.english, w.chinese))
		}
	}
	return strings.Join(ways, p.say(" or ", "或"))
}

// checkRelayTLS looks at the relay's certificate: what is wrong, or one line.
func (p *program) checkRelayTLS(r config.Relay) (findings []finding) {
	if _, err := relayTLS(r); err != nil {
		return []finding{{"tls", "fail", err.Error()}}
	}
	id, found := certs.Inspect(certs.Settings{CertFile: string(r.CertFile), KeyFile: string(r.CertKeyFile), RootFile: string(r.CertFile), OldestTLS: tls.VersionTLS13}, time.Now(), p.say)
	for _, f := range found {
		if f.Status != certs.OK && f.Check != "strength" || f.Status == certs.Fail { // a strange key is for browsers to mind
			findings = append(findings, finding{"tls", f.Status, strings.TrimSpace(f.Detail + "\n" + f.Fix)})
		}
	}
	if id != nil && len(findings) == 0 {
		findings = append(findings, finding{"tls", certs.OK, id.String()})
	}
	return findings
}

// checkUpstream asks an upstream for its models, with the key that the relay has
// for it. No prompt is sent.
func (p *program) checkUpstream(ctx context.Context, name string, up link.Upstream) finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	where := strings.TrimSuffix(up.URL.String(), "/") + "/models"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return finding{"upstream", "fail", fmt.Sprintf("%s: %v", name, err)}
	}
	for field, value := range up.Headers {
		req.Header.Set(field, value)
	}
	res, err := cmp.Or(up.Client, http.RoundTripper(link.NewClient(nil))).RoundTrip(req)
	if err != nil {
		return finding{"upstream", "fail", p.sayf("%s: %v; try: curl -i %s", "%s：%v；可先运行：curl -i %s", name, err, where)}
	}
	res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		if _, ok := up.Headers["Authorization"]; ok {
			return finding{"upstream", "fail", p.sayf("%s: it is there and refuses the key (status %d): put a valid one where relay.upstreams.%[1]s.key_file says", "%s：可以连接，但密钥被拒绝（状态 %d）：请在 relay.upstreams.%[1]s.key_file 指定的文件中放入有效的密钥", name, res.StatusCode)}
		}
		return finding{"upstream", "warn", p.sayf("%s: it is there and wants a key (status %d): the relay has none for it, so that edges have to send theirs", "%s：可以连接，但需要密钥（状态 %d）：中继没有它的密钥，须由边缘端自行携带", name, res.StatusCode)}
	case res.StatusCode != http.StatusOK:
		return finding{"upstream", "warn", p.sayf("%s: it is there, and answers %s with the status %d; is the base URL (with /v1?) right?", "%s：可以连接，但 %s 返回状态 %d；请检查基础地址（是否应带 /v1）", name, where, res.StatusCode)}
	}
	return finding{"upstream", "ok", p.sayf("%s: %s is there, and takes what the relay shows it", "%s：%s 可以连接，并接受中继出示的凭据", name, up.URL.Host)}
}

// checkRelayListen says whether the relay's address is free, or whether a relay
// answers there.
func (p *program) checkRelayListen(ctx context.Context, r config.Relay) finding {
	listener, err := net.Listen("tcp", r.Listen)
	if err == nil {
		listener.Close()
		detail := p.sayf("%s is free", "%s 空闲", r.Listen)
		if access.IsLoopback(r.Listen) {
			return finding{"listen", "warn", detail + p.say(", and edges on other machines cannot reach it: set relay.listen to 0.0.0.0:8443", "，但其他机器上的边缘端无法访问：请将 relay.listen 设为 0.0.0.0:8443")}
		}
		return finding{"listen", "ok", detail}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	// Whether it is ours is seen by its certificate, and not by who has signed it.
	conn, dialErr := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}).DialContext(ctx, "tcp", reachable(r.Listen))
	if dialErr != nil {
		return finding{"listen", "fail", p.sayf("%v, and no relay answers there", "%v，且该地址没有中继应答", err)}
	}
	defer conn.Close()
	shown := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	if pair, err := tls.LoadX509KeyPair(string(r.CertFile), string(r.CertKeyFile)); err == nil && pair.Leaf != nil && !pair.Leaf.Equal(shown) {
		return finding{"listen", "warn", p.sayf("what answers at %s shows another certificate than the file holds: it is another program, or its log says why it does not take the file", "%s 上的服务出示的证书与文件不同：它可能是另一个程序，否则其日志会说明为何未采用该文件", r.Listen)}
	}
	return finding{"listen", "ok", p.sayf("a relay with this certificate answers at %s", "%s 上有使用该证书的中继在运行", r.Listen)}
}
