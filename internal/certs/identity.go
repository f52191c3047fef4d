package certs

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Settings say what a server shows, and what it wants to be shown.
type Settings struct {
	CertFile string // the certificate and the intermediates, PEM
	KeyFile  string // its private key, PEM
	RootFile string // roots that clients know beside the public ones, PEM; empty: none

	ClientCAFile string // who signs the certificates that clients have to show, PEM; empty: they need none
	OldestTLS    uint16 // such as [tls.VersionTLS12], which 0 stands for
	OCSP         bool   // ask the CA's responder, and staple what it says

	ACME ACME // in the place of CertFile and KeyFile
}

// An Identity is what Settings name, read and looked at. It does not change.
type Identity struct {
	settings  Settings
	cert      tls.Certificate
	chain     chain
	directory *x509.CertPool // of who may sign the certificate of the ACME directory
	clients   *x509.CertPool // nil: no certificate is asked for
	sum       [sha256.Size]byte
	callers   [sha256.Size]byte // of the client's CAs alone

	Warnings []string // what is not wrong yet
}

// Load reads what Settings name. Its error is all that is wrong with it, one
// line each.
func Load(s Settings, now time.Time) (*Identity, error) {
	id, found := Inspect(s, now, English)
	if err := found.Err(); err != nil {
		return nil, err
	}
	return id, nil
}

// Inspect looks at what Settings name. The Identity is nil where something is
// wrong.
func Inspect(s Settings, now time.Time, say Language) (*Identity, Findings) {
	r := &report{say: say}
	if s.ACME.On() {
		return r.inspectACME(s, now), r.found
	}
	certs, text := r.certificates("certificate", s.CertFile)
	key := r.key(s.KeyFile)
	roots, _ := r.optional("root", s.RootFile)
	clients, clientText := r.clientCAs(s.ClientCAFile, now)
	if certs == nil || key == nil {
		return nil, r.found
	}
	leaf := r.match(certs, key, s)
	if leaf == nil {
		return nil, r.found
	}
	c, left := arrange(leaf, certs)
	r.order(certs, c, left)
	r.complete(c, systemRoots(roots...), now)
	r.dates(c, now)
	r.purpose(leaf)
	r.strength(c)
	r.responder(c, s.OCSP)
	if r.found.Failed() {
		return nil, r.found
	}
	id := &Identity{settings: s, chain: c, clients: clients, cert: tls.Certificate{PrivateKey: key, Leaf: leaf}}
	for _, cert := range c {
		id.cert.Certificate = append(id.cert.Certificate, cert.Raw)
	}
	id.callers = sha256.Sum256(clientText)
	id.sum = sha256.Sum256(fmt.Appendf(nil, "%v %x %x %x", s, sha256.Sum256(text), id.callers, leaf.Raw))
	id.Warnings = r.found.Warnings()
	return id, r.found
}

// Equal reports whether two identities are the same.
func (id *Identity) Equal(other *Identity) bool {
	return id == other || id != nil && other != nil && id.sum == other.sum
}

// Leaf returns the server's own certificate, nil where it is ordered.
func (id *Identity) Leaf() *x509.Certificate { return id.cert.Leaf }

// String says in a line what is shown: the names, who has signed, until when.
func (id *Identity) String() string {
	if a := id.settings.ACME; a.On() {
		return fmt.Sprintf("%s, by ACME from %s", strings.Join(a.Domains, ", "), a.Directory)
	}
	return fmt.Sprintf("%s, by %s, until %s", sans(id.Leaf()), printable(id.Leaf().Issuer.CommonName), day(id.Leaf().NotAfter))
}

// AsksClients reports whether clients have to show a certificate.
func (id *Identity) AsksClients() bool { return id.clients != nil }

const maxFile = 1 << 20 // bytes of a file of certificates

// readFile reads a small file.
func (r *report) readFile(check, path string) []byte {
	info, err := os.Stat(path)
	switch {
	case path == "":
		r.add(Fail, check, r.say("no file is named", "没有指定文件"), r.say("name both server.tls.cert_file and server.tls.key_file, or make them with `bendi tls init`", "请同时指定 server.tls.cert_file 和 server.tls.key_file，或用 `bendi tls init` 生成"))
		return nil
	case errors.Is(err, fs.ErrNotExist):
		r.add(Fail, check, r.text("there is no file %s", "文件 %s 不存在", path), r.say("correct its name, or make it with `bendi tls init`", "请更正文件名，或用 `bendi tls init` 生成"))
		return nil
	case err == nil && !info.Mode().IsRegular():
		err = fmt.Errorf("%s is no file", path)
	case err == nil && info.Size() > maxFile:
		err = fmt.Errorf("%s has %d bytes, and at most %d are read", path, info.Size(), maxFile)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		r.add(Fail, check, err.Error(), r.say("have this user be able to read it", "请让当前用户可以读取它"))
		return nil
	}
	return text
}

// certificates reads the certificates of a file; there is at least one, or
// there are none and it has said why.
func (r *report) certificates(check, path string) ([]*x509.Certificate, []byte) {
	text := r.readFile(check, path)
	if text == nil {
		return nil, nil
	}
	var certs []*x509.Certificate
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			r.add(Fail, check, r.text("certificate %d of %s cannot be read: %v", "%[2]s 中的第 %[1]d 张证书无法读取：%[3]v", len(certs)+1, path, err), r.say("get the file anew", "请重新获取该文件"))
			return nil, nil
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		r.add(Fail, check, r.text("%s holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", "%s 中没有 PEM 格式的证书（-----BEGIN CERTIFICATE-----）", path),
			r.say("if it is in DER: openssl x509 -inform der -in FILE -out FILE.pem", "若为 DER 格式：openssl x509 -inform der -in 文件 -out 文件.pem"))
		return nil, nil
	}
	return certs, text
}

// optional is certificates of a file that need not be named.
func (r *report) optional(check, path string) ([]*x509.Certificate, []byte) {
	if path == "" {
		return nil, nil
	}
	return r.certificates(check, path)
}

// clientCAs reads who signs the certificates of clients; it is nil where no file
// is named. A file that cannot be read, or that holds no CA that could still
// sign, is wrong: with an empty list nobody would be asked, or nobody let in.
func (r *report) clientCAs(path string, now time.Time) (*x509.CertPool, []byte) {
	const check = "client CA"
	if path == "" {
		return nil, nil
	}
	certs, text := r.certificates(check, path)
	pool, good := x509.NewCertPool(), 0
	for _, cert := range certs {
		switch {
		case !cert.IsCA:
			r.add(Fail, check, r.text("%s in %s is not a CA", "%[2]s 中的 %[1]s 不是 CA", nameOf(cert), path), r.say("name the file of the CA that signs the certificates of clients", "请指定签发客户端证书的 CA 文件"))
		case now.After(cert.NotAfter):
			r.add(Warn, check, r.text("%s has expired on %s, so nobody whom it has signed is let in", "%s 已于 %s 过期，由它签发的客户端都无法进入", nameOf(cert), day(cert.NotAfter)), r.say("renew it", "请续期"))
		default:
			good++
		}
		pool.AddCert(cert)
	}
	if len(certs) > 0 && good == 0 && !r.found.Failed() {
		r.add(Fail, check, r.text("%s holds no CA that has not expired: nobody could be let in", "%s 中没有未过期的 CA：谁都无法进入", path), r.say("renew it", "请续期"))
	}
	if certs != nil {
		r.ok(check, "clients have to show a certificate of %s", "客户端必须出示由 %s 签发的证书", chainNames(certs))
	}
	return pool, text
}

func chainNames(certs []*x509.Certificate) string { return strings.Join(namesOf(certs), ", ") }

// match returns the certificate that the key belongs to.
func (r *report) match(certs []*x509.Certificate, key crypto.Signer, s Settings) *x509.Certificate {
	want, err := x509.MarshalPKIXPublicKey(key.Public())
	if err == nil {
		for _, cert := range certs {
			if bytes.Equal(cert.RawSubjectPublicKeyInfo, want) {
				r.ok("key", "belongs to the certificate", "与证书匹配")
				return cert
			}
		}
	}
	r.add(Fail, "key", r.text("the key in %s is not that of the certificate in %s: the certificate is for a key with the SHA-256 %.16x..., the file holds %.16x...",
		"%s 中的私钥与 %s 中的证书不匹配：证书对应的公钥 SHA-256 为 %.16x...，文件中的是 %.16x...", s.KeyFile, s.CertFile, sha256.Sum256(certs[0].RawSubjectPublicKeyInfo), sha256.Sum256(want)),
		r.say("name the key that the certificate was asked for with; after a renewal, both files change together", "请指定申请该证书时所用的私钥；续期后两个文件要一起更换"))
	return nil
}

// order says whether a file has its certificates in the order in which they are
// served. It is no fault: they are served in the right one.
func (r *report) order(certs, c chain, left []*x509.Certificate) {
	if len(left) > 0 {
		r.add(Warn, "order", r.text("%d certificates of the file belong to no chain: %s", "文件中有 %d 张证书不属于证书链：%s", len(left), chainNames(left)),
			r.say("take them out; they are not served", "请删除它们；它们不会被发送"))
	}
	if used := slices.DeleteFunc(slices.Clone(certs), func(cert *x509.Certificate) bool { return slices.ContainsFunc(left, cert.Equal) }); !slices.EqualFunc(used, c, (*x509.Certificate).Equal) {
		r.add(Warn, "order", r.text("the certificates are not in order, which is %s", "证书顺序不对，正确顺序是 %s", c.names()),
			r.say("put the server's own first, then who has signed it, and so on; they are served in that order all the same", "请把服务器证书放在最前，其后依次为其签发者；实际发送时已按正确顺序"))
	}
}
