package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// A Target is a server to look at from outside.
type Target struct {
	Address string // host:port
	Name    string // asked for; empty: the host of Address
	Roots   []*x509.Certificate
	Client  *tls.Certificate // to be shown where it is asked for; nil: none
	Say     Language
	Now     func() time.Time
}

const dialTime = 5 * time.Second // for each connection and its handshake

// Examine looks at a server as clients meet it. It sends it nothing but
// handshakes and one request for its headers.
func Examine(ctx context.Context, t Target) Findings {
	r := &report{say: t.Say}
	if t.Name == "" {
		t.Name, _, _ = net.SplitHostPort(t.Address)
	}
	asked := false
	seen, err := t.shake(ctx, &tls.Config{MinVersion: tls.VersionTLS10, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		return t.shown(nil)
	}})
	if err != nil {
		r.unreachable(t, err)
		return r.found
	}
	r.ok("connect", "%s, %s, %s, as %q", "%s，%s，%s，名称为 %q", t.Address, tls.VersionName(seen.Version), tls.CipherSuiteName(seen.CipherSuite), t.Name)
	r.peer(t, seen)
	r.versions(ctx, t)
	r.alpn(seen)
	r.stapled(seen, t.Now())
	if asked {
		r.ok("client", "a certificate of the client is asked for", "服务器要求客户端出示证书")
	}
	r.answer(ctx, t)
	return r.found
}

// shown returns what is shown to a server that asks, which may be nothing.
func (t Target) shown(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if t.Client != nil {
		return t.Client, nil
	}
	return new(tls.Certificate), nil
}

// serverName is what a handshake asks for: no address is.
func (t Target) serverName() string {
	if net.ParseIP(t.Name) != nil {
		return ""
	}
	return t.Name
}

// shake makes one handshake. Whether what the server shows holds is looked at
// by the caller, who can say more about it than that it does not.
func (t Target) shake(ctx context.Context, c *tls.Config) (*tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if c.NextProtos == nil {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	c.InsecureSkipVerify, c.ServerName = true, t.serverName()
	conn, err := (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	return &state, nil
}

// unreachable says why there was no handshake.
func (r *report) unreachable(t Target, err error) {
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		detail, fix := r.text("%s does not speak TLS: its first bytes are %q", "%s 不使用 TLS：其最初的字节为 %q", t.Address, header.RecordHeader[:]),
			r.say("use the port of the server that does, or serve with TLS there", "请改用提供 TLS 的端口，或在该端口启用 TLS")
		if string(header.RecordHeader[:]) == "HTTP/" {
			detail = r.text("%s speaks HTTP without TLS", "%s 使用未加密的 HTTP", t.Address)
			fix = r.say("use http:// for it, or serve with --tls-cert and --tls-key", "请用 http:// 访问，或以 --tls-cert 和 --tls-key 启用 TLS")
		}
		r.add(Fail, "connect", detail, fix)
		return
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		r.add(Fail, "connect", r.text("%s ends the handshake: %v", "%s 中止了握手：%v", t.Address, alert),
			r.text("see whether the server has a certificate for %q, and its log", "请检查服务器是否有 %q 的证书，并查看其日志", t.Name))
		return
	}
	r.add(Fail, "connect", err.Error(), r.say("see whether the server runs and listens there, and whether a firewall is in between", "请检查服务器是否在该地址监听，以及中间是否有防火墙"))
}

// peer looks at the certificates that a server shows.
func (r *report) peer(t Target, seen *tls.ConnectionState) {
	certs := seen.PeerCertificates
	leaf := certs[0]
	c, left := arrange(leaf, certs)
	if len(left) > 0 {
		r.add(Warn, "order", r.text("%d of the certificates that the server sends belong to no chain: %s", "服务器发送的证书中有 %d 张不属于证书链：%s", len(left), chainNames(left)), r.say("take them out of its certificate file", "请从证书文件中删除它们"))
	} else if !slices.EqualFunc(certs, c, (*x509.Certificate).Equal) {
		r.add(Warn, "order", r.text("the server sends its certificates out of order; the order is %s", "服务器发送的证书顺序不对，正确顺序是 %s", c.names()), r.say("put the server's own first, then who has signed it, and so on", "请把服务器证书放在最前，其后依次为其签发者"))
	}
	r.complete(c, systemRoots(t.Roots...), t.Now())
	r.dates(c, t.Now())
	r.purpose(leaf)
	if err := leaf.VerifyHostname(t.Name); err != nil && len(leaf.DNSNames)+len(leaf.IPAddresses) > 0 {
		r.add(Fail, "names", r.text("the certificate is not for %q; it is for %s", "证书不适用于 %q；它适用于 %s", t.Name, sans(leaf)), r.say("connect by one of those names, or get a certificate that has this one", "请用其中的名称连接，或申请包含此名称的证书"))
	}
	r.strength(c)
}

// versions tries each version of TLS by itself, and what is weak in 1.2.
func (r *report) versions(ctx context.Context, t Target) {
	const check = "versions"
	offers := func(version uint16, suites []uint16) (uint16, bool) {
		seen, err := t.shake(ctx, &tls.Config{MinVersion: version, MaxVersion: version, CipherSuites: suites, GetClientCertificate: t.shown})
		if err != nil {
			return 0, false
		}
		return seen.CipherSuite, true
	}
	var good, old []string
	for _, v := range []uint16{tls.VersionTLS13, tls.VersionTLS12, tls.VersionTLS11, tls.VersionTLS10} {
		var all []uint16
		if v < tls.VersionTLS12 {
			all = notSealing()
		}
		if _, ok := offers(v, all); ok && v >= tls.VersionTLS12 {
			good = append(good, tls.VersionName(v))
		} else if ok {
			old = append(old, tls.VersionName(v))
		}
	}
	switch {
	case len(old) > 0:
		r.add(Fail, check, r.text("offers %s, which are broken, beside %s", "提供已不安全的 %s（另有 %s）", strings.Join(old, ", "), strings.Join(good, ", ")), r.say("switch them off in the server; TLS 1.2 and 1.3 are enough for all clients", "请在服务器上关闭它们；TLS 1.2 和 1.3 足以满足所有客户端"))
	case !slices.Contains(good, "TLS 1.3"):
		r.add(Warn, check, r.text("offers %s alone", "仅提供 %s", strings.Join(good, ", ")), r.say("switch on TLS 1.3 as well", "请同时启用 TLS 1.3"))
	default:
		r.ok(check, "%s, nothing older", "%s，没有更旧的版本", strings.Join(good, ", "))
	}
	if suite, ok := offers(tls.VersionTLS12, notSealing()); ok {
		r.add(Warn, "ciphers", r.text("takes %s where a client offers nothing better", "当客户端没有更好的选择时会使用 %s", tls.CipherSuiteName(suite)), r.say("leave it out: GCM and ChaCha20 with ECDHE are enough", "请停用它：ECDHE 配合 GCM 和 ChaCha20 即可"))
	} else if slices.Contains(good, "TLS 1.2") {
		r.ok("ciphers", "none that does not authenticate what it encrypts, or that gives up the past with the key", "没有缺少认证加密或前向保密的套件")
	}
}

// notSealing are the cipher suites of TLS 1.2 that are not [suites].
func notSealing() []uint16 {
	var ids []uint16
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) && !slices.Contains(suites, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (r *report) alpn(seen *tls.ConnectionState) {
	if seen.NegotiatedProtocol == "h2" {
		r.ok("alpn", "HTTP/2 (h2)", "HTTP/2（h2）")
		return
	}
	r.add(Warn, "alpn", r.text("the server agrees to %q and not to h2", "服务器协商的协议是 %q，而不是 h2", seen.NegotiatedProtocol), r.say("switch on HTTP/2: many streams then share one connection", "请启用 HTTP/2：多个流可共用一条连接"))
}

// stapled looks at what the server shows of what its CA says.
func (r *report) stapled(seen *tls.ConnectionState, now time.Time) {
	const check = "ocsp"
	leaf := seen.PeerCertificates[0]
	c, _ := arrange(leaf, seen.PeerCertificates)
	if len(seen.OCSPResponse) == 0 {
		switch {
		case mustStaple(leaf):
			r.add(Fail, check, r.say("the certificate demands a stapled response and none is sent", "证书要求装订 OCSP 应答，但服务器没有发送"), r.say("switch stapling on, and see whether the server can reach the CA's responder", "请启用装订，并检查服务器能否访问 CA 的应答服务"))
		case len(leaf.OCSPServer) > 0:
			r.add(Warn, check, r.text("the CA has a responder (%s), and nothing is stapled", "CA 提供应答服务（%s），但没有装订", printable(leaf.OCSPServer[0])), r.say("switch stapling on; a server that has just started may not have asked yet", "请启用装订；刚启动的服务器可能尚未查询"))
		default:
			r.ok(check, "the certificate names no responder, so that there is nothing to staple", "证书没有指定应答服务，无需装订")
		}
		return
	}
	var issuer *x509.Certificate
	if len(c) > 1 {
		issuer = c[1]
	}
	resp, err := ocsp.ParseResponseForCert(seen.OCSPResponse, leaf, issuer)
	switch {
	case err != nil:
		r.add(Fail, check, r.text("what is stapled does not hold: %v", "装订的应答无效：%v", err), r.say("have the server ask the responder again", "请让服务器重新查询"))
	case resp.Status == ocsp.Revoked:
		r.add(Fail, check, r.text("the certificate was revoked on %s", "证书已于 %s 被吊销", day(resp.RevokedAt)), r.say("get another", "请更换证书"))
	case resp.Status != ocsp.Good:
		r.add(Fail, check, r.say("the CA does not know the certificate", "CA 不认识该证书"), r.say("get another", "请更换证书"))
	case !resp.NextUpdate.IsZero() && now.After(resp.NextUpdate):
		r.add(Fail, check, r.text("what is stapled ended on %s", "装订的应答已于 %s 失效", resp.NextUpdate.UTC().Format(time.RFC3339)), r.say("see whether the server can reach the responder, and its clock", "请检查服务器能否访问应答服务，以及其时钟"))
	default:
		r.ok(check, "stapled: good, until %s", "已装订：有效，至 %s", resp.NextUpdate.UTC().Format(time.RFC3339))
	}
}

// answer looks at what the server says over HTTP: whether browsers are told to
// come by TLS alone, and whether its clock goes as ours.
func (r *report) answer(ctx context.Context, t Target) {
	c := &tls.Config{InsecureSkipVerify: true, ServerName: t.serverName(), GetClientCertificate: t.shown}
	client := &http.Client{
		Timeout:       dialTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", t.Address)
		}},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+hostFor(t)+"/", nil)
	if err != nil {
		return
	}
	sent := t.Now()
	resp, err := client.Do(req)
	if err != nil {
		fix := r.say("see the server's log", "请查看服务器日志")
		if strings.Contains(err.Error(), "certificate required") || strings.Contains(err.Error(), "bad certificate") {
			fix = r.say("give the certificate of a client with --cert and --key", "请用 --cert 和 --key 提供客户端证书")
		}
		r.add(Warn, "http", r.text("no answer over HTTP: %v", "没有 HTTP 应答：%v", errors.Unwrap(err)), fix)
		return
	}
	resp.Body.Close()
	switch hsts := resp.Header.Get("Strict-Transport-Security"); {
	case hsts != "":
		r.ok("hsts", "%s", "%s", printable(hsts))
	case c.ServerName == "" || c.ServerName == "localhost":
		r.ok("hsts", "browsers keep none for an address or for this machine", "浏览器不会为 IP 地址或本机记录 HSTS")
	default:
		r.add(Warn, "hsts", r.say("no Strict-Transport-Security header: a browser may be led to ask without TLS", "没有 Strict-Transport-Security 响应头：浏览器可能被引导为不加密访问"), r.say("have the server send it", "请让服务器发送该响应头"))
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return
	}
	if off := date.Sub(sent).Abs(); off > time.Minute {
		r.add(Warn, "clock", r.text("the clocks of the server and of this machine differ by %v", "服务器与本机的时钟相差 %v", off.Round(time.Second)), r.say("set the one that is wrong (timedatectl): dates of certificates and tokens go by it", "请校准出错的一方（timedatectl）：证书与令牌的有效期都以它为准"))
	} else {
		r.ok("clock", "as this machine's", "与本机一致")
	}
}

// hostFor returns the host of a URL for a target.
func hostFor(t Target) string {
	_, port, _ := net.SplitHostPort(t.Address)
	return net.JoinHostPort(t.Name, port)
}

// ReadRoots reads the roots of a file.
func ReadRoots(path string) ([]*x509.Certificate, error) {
	r := &report{say: English}
	roots, _ := r.optional("root", path)
	return roots, r.found.Err()
}

// ReadClient reads the certificate and the key of a client.
func ReadClient(certFile, keyFile string) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("the certificate of the client: %w", err)
	}
	return &cert, nil
}
