package main

import (
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"bendi/config"
)

// A renewal is a certificate that is read again when its files have changed, for
// the next handshake. One that cannot be read leaves the old one in place.
type renewal struct {
	cert, key config.Path
	log       *slog.Logger

	mu     sync.Mutex
	files  [2]stamp
	looked time.Time
	now    *tls.Certificate
}

// renewalLook is how often the files are looked at, where links are made.
const renewalLook = time.Second

// get returns the certificate for a handshake.
func (n *renewal) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); n.now == nil || now.Sub(n.looked) >= renewalLook {
		n.looked = now
		files := [2]stamp{stampOf(string(n.cert)), stampOf(string(n.key))}
		if n.now != nil && files == n.files {
			return n.now, nil
		}
		pair, err := tls.LoadX509KeyPair(string(n.cert), string(n.key))
		switch {
		case err == nil && n.now != nil:
			n.log.Info("certificate taken from its files", "until", pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
		case err != nil && n.now == nil:
			return nil, err
		case err != nil:
			n.log.Warn("the files of the certificate have changed and cannot be used; the old one stays", "why", err)
		}
		if n.files = files; err == nil {
			n.now = &pair
		}
	}
	return n.now, nil
}
