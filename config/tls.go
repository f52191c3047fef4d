package config

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"bendi/access"
)

// TLS says how the server proves who it is. Without a certificate it serves
// HTTP alone.
type TLS struct {
	CertFile     Path       `yaml:"cert_file"`      // the certificate, and the intermediates behind it
	KeyFile      Path       `yaml:"key_file"`       // its key, which nobody else can read
	RootFile     Path       `yaml:"root_file"`      // the root of a private CA that clients know
	ClientCAFile Path       `yaml:"client_ca_file"` // who signs the certificates that clients have to show; empty means they need none
	Oldest       TLSVersion `yaml:"oldest"`         // version that is spoken
	OCSP         bool       `yaml:"ocsp"`           // the CA's responder is asked, where the certificate names one
	ACME         ACME       `yaml:"acme"`           // in the place of CertFile and KeyFile
}

// ACME says which certificates are ordered, and where.
type ACME struct {
	Domains     []string `yaml:"domains"` // none: no certificates are ordered
	Email       string   `yaml:"email"`   // that the CA may write to
	Directory   string   `yaml:"directory"`
	AcceptTerms bool     `yaml:"accept_terms"` // of the CA
	CAFile      Path     `yaml:"ca_file"`      // who signs the certificate of the directory; empty: a public CA
}

// On reports whether certificates are ordered.
func (a ACME) On() bool { return len(a.Domains) > 0 }

// letsEncrypt is the directory where none is named.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

func (t TLS) checkACME(bad bad) {
	const key = "server.tls.acme"
	a := t.ACME
	if !a.On() {
		if a.Email != "" || a.AcceptTerms || a.CAFile != "" || a.Directory != letsEncrypt {
			bad(key+".domains", "is missing: the names that certificates are ordered for, such as [bendi.example.com]")
		}
		return
	}
	if t.CertFile != "" || t.KeyFile != "" {
		bad(key+".domains", "goes without cert_file and key_file: the certificate is either in a file or ordered")
	}
	for i, domain := range a.Domains {
		if !isHost(domain) || net.ParseIP(domain) != nil || strings.ToLower(domain) != domain || !strings.Contains(strings.Trim(domain, "."), ".") || strings.HasSuffix(domain, ".") {
			bad(fmt.Sprintf("%s.domains[%d]", key, i), "want a name such as bendi.example.com, in lower case and without *; have %q", domain)
		}
	}
	if !a.AcceptTerms {
		bad(key+".accept_terms", "want true: the CA gives certificates only to who has read its terms and agrees to them")
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		bad(key+".directory", "want the URL of a directory such as %s", letsEncrypt)
	}
	if a.Email != "" && (strings.Count(a.Email, "@") != 1 || strings.ContainsAny(a.Email, " \t\r\n,:<>?")) {
		bad(key+".email", "want one address such as admin@example.com")
	}
}

// On reports whether the server speaks TLS.
func (t TLS) On() bool { return t.CertFile != "" || t.KeyFile != "" || t.ACME.On() }

// A TLSVersion is 1.2 or 1.3.
type TLSVersion string

// Values lists every TLSVersion.
func (TLSVersion) Values() []string { return []string{"1.2", "1.3"} }

// Number is v for crypto/tls.
func (v TLSVersion) Number() uint16 {
	if v == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

func (t TLS) check(bad bad) {
	one(bad, "server.tls.oldest", t.Oldest)
	t.checkACME(bad)
	switch {
	case t.CertFile == "" && t.KeyFile != "":
		bad("server.tls.cert_file", "is missing beside key_file: the file with the certificate, and the intermediates behind it")
	case t.CertFile != "" && t.KeyFile == "":
		bad("server.tls.key_file", "is missing beside cert_file: the file with the private key")
	case !t.On() && t.ClientCAFile != "":
		bad("server.tls.client_ca_file", "goes with cert_file and key_file: clients can only show a certificate where there is TLS")
	case !t.On() && t.RootFile != "":
		bad("server.tls.root_file", "goes with cert_file and key_file")
	}
}

// checkDoors checks who is let in, and where.
func (s Server) checkDoors(bad bad, listen string) {
	for i, host := range s.Hosts {
		if !isHost(host) {
			bad(fmt.Sprintf("server.hosts[%d]", i), "want the name of a host as clients write it, such as bendi.example.com, without a port; have %q", host)
		}
	}
	for _, n := range []struct {
		key  string
		have int
	}{{"max_connections", s.MaxConnections}, {"max_connections_per_address", s.MaxConnectionsPerAddress}} {
		if n.have != 0 && (n.have < 8 || n.have > 1<<20) {
			bad("server."+n.key, "want 0 (any number) or 8 to %d, have %d", 1<<20, n.have)
		}
	}
	if s.OpenMetrics && s.AdminListen == "" && !access.IsLoopback(listen) {
		bad("server.open_metrics", "would show them to whoever can reach %s; give them an address of their own with server.admin_listen, or a key with metrics: true", listen)
	}
	if s.AdminListen == "" {
		return
	}
	_, port, err := net.SplitHostPort(s.AdminListen)
	if _, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil {
		bad("server.admin_listen", "want host:port such as 127.0.0.1:8081, have %q", s.AdminListen)
	} else if s.AdminListen == listen && port != "0" {
		bad("server.admin_listen", "is %s, where everybody asks already; want another port", listen)
	}
}

// isHost reports whether s is the name of a host.
func isHost(s string) bool {
	return s != "" && len(s) <= 253 && strings.Trim(s, letters) == "" && !strings.Contains(s, "..") && s[0] != '.' && s[0] != '-'
}

// isOrigin reports whether s is * or what a browser sends as Origin.
func isOrigin(s string) bool {
	scheme, host, ok := strings.Cut(s, "://")
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789+-."
	return s == "*" || ok && scheme != "" && strings.Trim(scheme, letters) == "" && host != "" && !strings.ContainsAny(host, "/?#@*\\ \t") && strings.ToLower(s) == s
}
