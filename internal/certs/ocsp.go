package certs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	responderTime = 10 * time.Second // for a responder to answer
	maxResponse   = 64 << 10         // bytes
	retryFirst    = time.Minute      // after a responder could not be asked
	retryMost     = time.Hour
)

// A staple is what a CA says of a certificate, good and in time.
type staple struct {
	raw        []byte
	begin, end time.Time
}

// refresh returns when to ask again: at half its life.
func (s *staple) refresh() time.Time { return s.begin.Add(s.end.Sub(s.begin) / 2) }

// canStaple reports whether there is somebody to ask about the certificate.
func canStaple(id *Identity) bool {
	return id.settings.OCSP && responderOf(id.chain) != ""
}

// responderOf returns where the CA says what it thinks of the leaf, or nothing.
// Its answer cannot be checked without the certificate of the CA.
func responderOf(c chain) string {
	if len(c) < 2 {
		return ""
	}
	for _, url := range c[0].OCSPServer {
		if strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://") {
			return url
		}
	}
	return ""
}

// mustStaple reports whether clients are to refuse the certificate without a
// staple (RFC 7633).
func mustStaple(leaf *x509.Certificate) bool {
	id := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
	return slices.ContainsFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
}

// responder says whether there is somebody to ask about a certificate.
func (r *report) responder(c chain, on bool) {
	const check = "ocsp"
	switch url := responderOf(c); {
	case url != "" && on:
		r.ok(check, "the CA answers at %s; what it says is stapled", "CA 的应答地址为 %s；其应答会被装订", printable(url))
	case url != "" && mustStaple(c[0]):
		r.add(Fail, check, r.say("the certificate demands a stapled response, and server.tls.ocsp is off", "证书要求装订 OCSP 应答，而 server.tls.ocsp 已关闭"), r.say("leave server.tls.ocsp on", "请开启 server.tls.ocsp"))
	case url != "":
		r.ok(check, "the CA has a responder, which is not asked (server.tls.ocsp)", "CA 提供应答服务，但未启用（server.tls.ocsp）")
	default:
		r.ok(check, "the certificate names no responder, so that there is nothing to staple", "证书没有指定应答服务，无需装订")
	}
}

// ask asks the responder of id, and staples what it says if that is good. What
// fails is tried again later; what was stapled stays until its end.
func (k *Keeper) ask(ctx context.Context, id *Identity) {
	s, err := k.fetch(ctx, id)
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.id != id {
		return // another is served by now
	}
	if bad, ok := err.(*badStatus); ok {
		k.trouble = "the CA says of the TLS certificate: " + bad.status
		k.log.Error("tls: the CA does not stand by the certificate: get another", "status", bad.status, "names", sans(id.Leaf()))
		k.staple, k.failed, k.asked = nil, 0, time.Now().Add(retryMost)
		k.publish()
		return
	}
	if err != nil {
		wait := min(retryFirst<<min(k.failed, 10), retryMost)
		k.failed++
		k.asked = time.Now().Add(wait)
		k.log.Warn("tls: the CA's responder could not be asked; the certificate is served without what it says, or with what it last said", "err", err, "again", wait)
		return
	}
	k.staple, k.trouble, k.failed = s, "", 0
	k.asked = later(s.refresh(), time.Now().Add(retryFirst))
	k.publish()
	k.save(s)
	k.log.Info("tls: stapled what the CA says of the certificate", "until", s.end.UTC().Format(time.RFC3339))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// A badStatus is what a CA says of a certificate that it does not stand by.
type badStatus struct{ status string }

func (e *badStatus) Error() string { return "the CA says: " + e.status }

// fetch asks a responder.
func (k *Keeper) fetch(ctx context.Context, id *Identity) (*staple, error) {
	ask, err := ocsp.CreateRequest(id.chain[0], id.chain[1], nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, responderTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, responderOf(id.chain), bytes.NewReader(ask))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	req.Header.Set("Accept", "application/ocsp-response")
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the responder answers %d", resp.StatusCode)
	case len(raw) > maxResponse:
		return nil, fmt.Errorf("the response is longer than %d bytes", maxResponse)
	}
	return judge(raw, id.chain, time.Now())
}

// judge returns what can be stapled of a response.
func judge(raw []byte, c chain, now time.Time) (*staple, error) {
	resp, err := ocsp.ParseResponseForCert(raw, c[0], c[1])
	if err != nil {
		return nil, err
	}
	const leeway = 5 * time.Minute // of the responder's clock
	end := resp.NextUpdate
	if end.IsZero() {
		end = resp.ThisUpdate.Add(24 * time.Hour)
	}
	switch {
	case resp.Status == ocsp.Revoked:
		return nil, &badStatus{fmt.Sprintf("revoked on %s", day(resp.RevokedAt))}
	case resp.Status != ocsp.Good:
		return nil, &badStatus{"not known"}
	case now.Add(leeway).Before(resp.ThisUpdate):
		return nil, fmt.Errorf("the response holds only from %s on: look whether this machine's clock is right", resp.ThisUpdate.UTC().Format(time.RFC3339))
	case !now.Before(end):
		return nil, fmt.Errorf("the response ended on %s", end.UTC().Format(time.RFC3339))
	}
	return &staple{raw, resp.ThisUpdate, end}, nil
}

// cacheFile returns where what is said of a certificate is kept.
func (k *Keeper) cacheFile() string {
	return filepath.Join(k.cache, fmt.Sprintf("ocsp-%.16x.der", sha256.Sum256(k.id.Leaf().Raw)))
}

// cached returns what was kept, where it is still good. k.mu is held.
func (k *Keeper) cached() *staple {
	if k.cache == "" {
		return nil
	}
	raw, err := os.ReadFile(k.cacheFile())
	if err != nil || len(raw) > maxResponse {
		return nil
	}
	s, err := judge(raw, k.id.chain, time.Now())
	if err != nil {
		return nil
	}
	return s
}

// save keeps a staple for the next start. That it cannot be kept is no failure:
// it is asked for again. k.mu is held.
func (k *Keeper) save(s *staple) {
	if k.cache == "" {
		return
	}
	if err := replace(k.cacheFile(), s.raw, 0o600); err != nil {
		k.log.Info("tls: what the CA says was not kept for the next start", "err", err)
	}
}
