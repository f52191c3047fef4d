package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// An Order says which certificates to make.
type Order struct {
	Dir       string
	Hosts     []string // names and addresses of the server; none: no certificate for a server
	Clients   []string // names of clients
	Constrain bool     // a new CA can sign for Hosts and what is below them alone
	Now       time.Time
}

// Made are the files of certificates that were made, and of the CA.
type Made struct {
	CA, CAKey         string
	NewCA             bool
	Server, ServerKey string            // empty: none was ordered
	Clients           map[string]string // the file of each client's certificate; its key is beside it
}

// LeafDays are the days that a certificate of a server or client is made for.
// More than that, some clients do not take.
const LeafDays = 397

const caYears = 10

// Make makes certificates, by the CA in the folder, or by a new one where there
// is none. The certificate of a server takes the place of the one that is there;
// that of a client does not.
func Make(o Order) (*Made, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	made := &Made{CA: filepath.Join(o.Dir, "ca.pem"), CAKey: filepath.Join(o.Dir, "ca-key.pem"), Clients: map[string]string{}}
	for _, name := range o.Clients {
		if !clientName(name) {
			return nil, fmt.Errorf("a client's name has letters, digits, dots, dashes and underscores, at most 64, and begins with a letter or digit; %.80q has not", name)
		}
		if _, err := os.Lstat(clientFile(o.Dir, name)); err == nil {
			return nil, fmt.Errorf("%s is there already: take it away, or give the client another name", clientFile(o.Dir, name))
		}
	}
	ca, key, err := o.ca(made)
	if err != nil {
		return nil, err
	}
	if len(o.Hosts) > 0 {
		made.Server, made.ServerKey = filepath.Join(o.Dir, "server.pem"), filepath.Join(o.Dir, "server-key.pem")
		leaf, err := o.server()
		if err == nil {
			err = sign(leaf, ca, key, made.Server, made.ServerKey)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range o.Clients {
		leaf := o.leaf(x509.ExtKeyUsageClientAuth, name)
		made.Clients[name] = clientFile(o.Dir, name)
		if err := sign(leaf, ca, key, made.Clients[name], KeyBeside(made.Clients[name])); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func clientFile(dir, name string) string { return filepath.Join(dir, "client-"+name+".pem") }

// KeyBeside returns the file of the key of a client's certificate.
func KeyBeside(file string) string { return strings.TrimSuffix(file, ".pem") + "-key.pem" }

func clientName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return name != "" && len(name) <= 64 && strings.Trim(name, letters) == "" && !strings.ContainsAny(name[:1], "._-")
}

// ca returns the CA of the folder.
func (o Order) ca(made *Made) (*x509.Certificate, crypto.Signer, error) {
	text, err := os.ReadFile(made.CA)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(made.CAKey); err == nil {
			return nil, nil, fmt.Errorf("%s is there without %s: put that back, or name another folder with --dir", made.CAKey, made.CA)
		}
		made.NewCA = true
		return o.newCA(made)
	}
	if err != nil {
		return nil, nil, err
	}
	r := &report{say: English}
	key := r.key(made.CAKey)
	if err := r.found.Err(); err != nil {
		return nil, nil, fmt.Errorf("the CA in %s cannot sign:\n%w", o.Dir, err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil, fmt.Errorf("%s holds no certificate", made.CA)
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", made.CA, err)
	case !ca.IsCA || !samePublic(ca.PublicKey, key.Public()):
		return nil, nil, fmt.Errorf("%s is not the certificate of a CA with the key in %s", made.CA, made.CAKey)
	case o.Now.AddDate(0, 0, LeafDays).After(ca.NotAfter):
		return nil, nil, fmt.Errorf("the CA in %s ends on %s, before what it would sign now: make another in another folder with --dir, and have clients trust both", made.CA, day(ca.NotAfter))
	}
	return ca, key, nil
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

func (o Order) newCA(made *Made) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	host, _ := os.Hostname()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{Organization: []string{"Bendi private CA"}, CommonName: strings.TrimSpace("Bendi private CA " + host)},
		NotBefore: o.Now.Add(-time.Hour), NotAfter: o.Now.AddDate(caYears, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if o.Constrain {
		constrain(template, o.Hosts)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	return ca, key, write(made.CA, made.CAKey, key, der)
}

// constrain has a CA able to sign for hosts and what is below them alone.
func constrain(ca *x509.Certificate, hosts []string) {
	ca.PermittedDNSDomainsCritical = true
	for _, host := range hosts {
		if addr, err := netip.ParseAddr(host); err == nil {
			bits := addr.Unmap().BitLen()
			ca.PermittedIPRanges = append(ca.PermittedIPRanges, &net.IPNet{IP: addr.Unmap().AsSlice(), Mask: net.CIDRMask(bits, bits)})
		} else {
			ca.PermittedDNSDomains = append(ca.PermittedDNSDomains, strings.TrimPrefix(host, "*."))
		}
	}
	// What has no range of its kind would be free.
	if ca.PermittedDNSDomains == nil {
		ca.ExcludedDNSDomains = []string{""}
	}
	if ca.PermittedIPRanges == nil {
		ca.ExcludedIPRanges = []*net.IPNet{{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}}
	}
}

// leaf returns what a certificate for one end of a connection begins with.
func (o Order) leaf(usage x509.ExtKeyUsage, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: o.Now.Add(-time.Hour), NotAfter: o.Now.AddDate(0, 0, LeafDays),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage}, BasicConstraintsValid: true,
	}
}

func (o Order) server() (*x509.Certificate, error) {
	leaf := o.leaf(x509.ExtKeyUsageServerAuth, o.Hosts[0])
	for _, host := range o.Hosts {
		if addr, err := netip.ParseAddr(host); err == nil {
			leaf.IPAddresses = append(leaf.IPAddresses, addr.Unmap().AsSlice())
			continue
		}
		if err := checkHost(host); err != nil {
			return nil, err
		}
		leaf.DNSNames = append(leaf.DNSNames, host)
	}
	if len(leaf.Subject.CommonName) > 64 {
		leaf.Subject.CommonName = "" // there is no room for more
	}
	return leaf, nil
}

// checkHost says what is wrong with the name of a host.
func checkHost(host string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
	name := strings.TrimPrefix(host, "*.")
	if name == "" || len(name) > 253 || strings.Trim(name, letters) != "" || strings.Contains(name, "..") || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") {
		return fmt.Errorf("want a name such as bendi.example.com, or an address such as 192.168.1.10, without a port; have %.80q", host)
	}
	return nil
}

// sign makes a certificate with a key of its own.
func sign(leaf, ca *x509.Certificate, caKey crypto.Signer, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return fmt.Errorf("signing the certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	// A CA that is constrained signs what no client will take.
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: leaf.NotBefore.Add(2 * time.Hour), KeyUsages: leaf.ExtKeyUsage}); err != nil {
		return fmt.Errorf("the CA in the folder may not sign this: %w; make another in another folder with --dir", err)
	}
	return write(certFile, keyFile, key, der)
}

// write writes a certificate and its key, the key first: what watches them
// takes neither until they belong together.
func write(certFile, keyFile string, key crypto.Signer, der []byte) error {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := replace(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600); err != nil {
		return err
	}
	return replace(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// replace puts a file in the place of another at once.
func replace(path string, text []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // where it has not been renamed
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return n.Add(n, big.NewInt(1))
}
