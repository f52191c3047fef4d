package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"
)

// A chain is the certificates of one file or handshake: the leaf, whoever has
// signed it, whoever has signed that, and so on.
type chain []*x509.Certificate

// arrange puts certificates in the order of a chain that begins with leaf, and
// returns what belongs to none.
func arrange(leaf *x509.Certificate, certs []*x509.Certificate) (c chain, left []*x509.Certificate) {
	left = slices.DeleteFunc(slices.Clone(certs), leaf.Equal)
	for c = (chain{leaf}); !selfSigned(c.last()); {
		i := slices.IndexFunc(left, func(issuer *x509.Certificate) bool { return signed(c.last(), issuer) })
		if i < 0 {
			break
		}
		c = append(c, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return c, left
}

func (c chain) last() *x509.Certificate { return c[len(c)-1] }

// signed reports whether issuer has signed a certificate.
func signed(cert, issuer *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, issuer.RawSubject) && cert.CheckSignatureFrom(issuer) == nil
}

// selfSigned reports whether a certificate is signed by itself, be it a CA's or
// not.
func selfSigned(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, cert.RawSubject) && cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// knownRoots are the CAs that clients are taken to know.
type knownRoots struct {
	pool  *x509.CertPool
	blind bool // this machine knows none, so that nothing follows from one that is not known
}

// systemRoots are those that this machine knows, and more of them.
func systemRoots(more ...*x509.Certificate) knownRoots {
	pool, err := x509.SystemCertPool()
	if err != nil || pool == nil {
		pool = x509.NewCertPool()
	}
	r := knownRoots{pool, pool.Equal(x509.NewCertPool()) && len(more) == 0}
	for _, cert := range more {
		r.pool.AddCert(cert)
	}
	return r
}

// complete says whether a client that knows roots can follow the chain to one.
func (r *report) complete(c chain, roots knownRoots, now time.Time) {
	const check = "chain"
	pool := x509.NewCertPool()
	for _, cert := range c[1:] {
		pool.AddCert(cert)
	}
	_, err := c[0].Verify(x509.VerifyOptions{Roots: roots.pool, Intermediates: pool, CurrentTime: c.within(now), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	last := c.last()
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case err == nil:
		r.ok(check, "complete: %s", "完整：%s", c.names())
	case !unknown:
		r.add(Fail, check, r.text("%s does not hold: %v", "%s 不成立：%v", c.names(), err),
			r.say("ask the CA for a certificate whose chain holds", "请向 CA 申请一张证书链成立的证书"))
	case selfSigned(last) && len(c) == 1:
		r.add(Warn, check, r.text("%s is signed by itself: no client trusts it unless told to", "%s 是自签名证书：除非另行指定，客户端都不会信任它", nameOf(last)),
			r.say("have clients trust this file, or use a certificate of a CA: `bendi tls init` makes both", "让客户端信任此文件，或改用 CA 签发的证书：`bendi tls init` 两者都能生成"))
	case selfSigned(last):
		r.add(Warn, check, r.text("complete, but ends in a root that this machine does not know: %s", "完整，但终点是本机不认识的根证书：%s", nameOf(last)),
			r.say("clients have to be told to trust that root", "需要让客户端信任该根证书"))
	case roots.blind:
		r.add(Warn, check, r.text("%d certificates, up to one signed by %s; whether that is a root is not known here, for this machine knows no roots", "共 %d 张证书，最后一张由 %s 签发；本机没有任何根证书，无法判断它是否为根", len(c), last.Issuer),
			r.say("install the system's root certificates (package ca-certificates)", "请安装系统根证书（ca-certificates 软件包）"))
	default:
		r.add(Fail, check, r.missing(last), r.howToComplete(last))
	}
}

// missing says which certificate a chain lacks behind last.
func (r *report) missing(last *x509.Certificate) string {
	return r.text("incomplete: the certificate of %q, which has signed that of %q, is missing", "不完整：缺少 %q 的证书，它签发了 %q 的证书", last.Issuer.String(), nameOf(last))
}

// howToComplete says how to get what is missing behind last. Of where its CA has
// it, nothing is written that a shell would take for more than an address.
func (r *report) howToComplete(last *x509.Certificate) string {
	fix := r.say("append it to the certificate file, behind the others", "把它追加到证书文件末尾")
	if urls := last.IssuingCertificateURL; len(urls) > 0 && strings.Trim(urls[0], urlLetters) == "" {
		fix += r.text(": curl -s %s | openssl x509 -inform der >> FILE; many CAs give all in a file called fullchain.pem",
			"：curl -s %s | openssl x509 -inform der >> 文件；许多 CA 会提供名为 fullchain.pem 的完整文件", urls[0])
	}
	return fix + r.say("; if it is the root of a CA of your own, name its file in server.tls.root_file (for `bendi tls check`: --root)",
		"；若它是自建 CA 的根证书，请写入 server.tls.root_file（`bendi tls check` 用 --root）")
}

const urlLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.-_~%"

// within returns the time of those at which the whole chain is valid that is
// nearest to now, so that a date is not taken for a gap.
func (c chain) within(now time.Time) time.Time {
	for _, cert := range c {
		if now.After(cert.NotAfter) {
			now = cert.NotAfter
		}
	}
	for _, cert := range c {
		if now.Before(cert.NotBefore) {
			now = cert.NotBefore
		}
	}
	return now
}

// names are the subjects of a chain, in short.
func (c chain) names() string {
	names := namesOf(c)
	if last := c.last(); !selfSigned(last) {
		names = append(names, printable(last.Issuer.String()))
	}
	return strings.Join(names, " <- ")
}

func namesOf(certs []*x509.Certificate) []string {
	var names []string
	for _, cert := range certs {
		names = append(names, nameOf(cert))
	}
	return names
}

// nameOf names a certificate in short. What somebody wrote into it is made fit
// for a terminal.
func nameOf(cert *x509.Certificate) string {
	switch {
	case cert.Subject.CommonName != "":
		return printable(cert.Subject.CommonName)
	case len(cert.DNSNames) > 0:
		return printable(cert.DNSNames[0])
	case len(cert.Subject.String()) > 0:
		return printable(cert.Subject.String())
	}
	return "serial " + cert.SerialNumber.Text(16)
}

// printable cuts a text of a certificate, and replaces what is none.
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}

// warnDays are the days before the end at which it is told of.
var warnDays = []int{30, 14, 7, 1}

// dates looks at when the certificates hold.
func (r *report) dates(c chain, now time.Time) {
	for i, cert := range c {
		if i > 0 && selfSigned(cert) {
			continue // clients have their own copy of a root
		}
		left := cert.NotAfter.Sub(now)
		switch {
		case now.Before(cert.NotBefore):
			r.add(Fail, "dates", r.text("%s holds only from %s on, and it is %s now", "%s 要到 %s 才生效，而现在是 %s", nameOf(cert), day(cert.NotBefore), now.UTC().Format(time.DateTime)),
				r.say("look whether this machine's clock is right (timedatectl); otherwise wait, or get another", "请检查本机时钟是否正确（timedatectl）；否则等到生效，或更换证书"))
		case left <= 0:
			r.add(Fail, "dates", r.text("%s has expired on %s, %d days ago", "%s 已于 %s 过期，至今 %d 天", nameOf(cert), day(cert.NotAfter), int(-left.Hours()/24)),
				r.say("renew it", "请续期"))
		case left <= time.Duration(warnDays[0])*24*time.Hour:
			r.add(Warn, "dates", r.text("%s expires on %s, in %d days", "%s 将于 %s 过期，还剩 %d 天", nameOf(cert), day(cert.NotAfter), int(left.Hours()/24)),
				r.say("renew it; the running server takes the new files by itself", "请续期；运行中的服务会自动采用新文件"))
		case i == 0:
			r.ok("dates", "holds from %s to %s, %d more days", "有效期 %s 至 %s，还剩 %d 天", day(cert.NotBefore), day(cert.NotAfter), int(left.Hours()/24))
		}
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// purpose looks at what a certificate may be used for, and for which names.
func (r *report) purpose(leaf *x509.Certificate) {
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		r.add(Fail, "names", r.text("the certificate has no subject alternative name; its common name %q is not looked at by any client", "证书没有主题备用名称（SAN）；客户端都不会看它的通用名称 %q", nameOf(leaf)),
			r.say("get one with the names of the server as subject alternative names", "请申请一张以服务器名称为 SAN 的证书"))
	} else {
		r.ok("names", "%s", "%s", sans(leaf))
	}
	if usages := leaf.ExtKeyUsage; len(usages)+len(leaf.UnknownExtKeyUsage) > 0 && !slices.Contains(usages, x509.ExtKeyUsageServerAuth) && !slices.Contains(usages, x509.ExtKeyUsageAny) {
		r.add(Fail, "usage", r.say("the certificate is not one for servers (its extended key usage lacks serverAuth)", "该证书不能用于服务器（扩展密钥用法中没有 serverAuth）"),
			r.say("get one for servers", "请申请服务器证书"))
	}
}

// sans lists the names that a certificate is for.
func sans(leaf *x509.Certificate) string {
	var names []string
	for _, name := range leaf.DNSNames {
		names = append(names, printable(name))
	}
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if extra := len(names) - 20; extra > 0 {
		names = append(names[:20], "...")
	}
	return strings.Join(names, ", ")
}

// strength looks at keys and signatures. The signature of a root does not
// matter: nobody checks it.
func (r *report) strength(c chain) {
	weak := false
	fail := func(detail string) {
		weak = true
		r.add(Fail, "strength", detail, r.say("get a certificate with a key of P-256 or of RSA with 2048 bits or more, signed with SHA-256", "请申请密钥为 P-256 或 2048 位以上 RSA、以 SHA-256 签名的证书"))
	}
	for _, cert := range c {
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
			fail(r.text("the RSA key of %s has %d bits", "%s 的 RSA 密钥只有 %d 位", nameOf(cert), key.N.BitLen()))
		}
		switch cert.SignatureAlgorithm {
		case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.DSAWithSHA256:
			if !selfSigned(cert) {
				fail(r.text("%s is signed with %v", "%s 的签名算法是 %v", nameOf(cert), cert.SignatureAlgorithm))
			}
		}
	}
	switch key := c[0].PublicKey.(type) {
	case ed25519.PublicKey:
		r.add(Warn, "strength", r.say("the key is one of Ed25519, which browsers do not take", "密钥为 Ed25519，浏览器不支持"), r.say("use P-256 where browsers are to come", "若需浏览器访问，请用 P-256"))
	case *ecdsa.PublicKey:
		if !weak {
			r.ok("strength", "%s, %v", "%s，%v", key.Curve.Params().Name, c[0].SignatureAlgorithm)
		}
	case *rsa.PublicKey:
		if !weak {
			r.ok("strength", "RSA %d, %v", "RSA %d，%v", key.N.BitLen(), c[0].SignatureAlgorithm)
		}
	}
}
