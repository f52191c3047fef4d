package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"bendi/config"
	"bendi/internal/certs"
)

// Another certificate is taken when the files hold it, and one that cannot be
// used leaves the old one.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		made := func() *certs.Made {
			m, err := certs.Make(certs.Order{Dir: dir, Hosts: []string{"localhost"}, Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		m := made()
		n := &renewal{cert: config.Path(m.Server), key: config.Path(m.ServerKey), log: slog.New(slog.DiscardHandler)}
		serial := func() string {
			time.Sleep(renewalLook)
			c, err := n.get(nil)
			if err != nil {
				t.Fatal(err)
			}
			return c.Leaf.SerialNumber.String()
		}
		first := serial()
		if again := serial(); again != first {
			t.Error("the files have not changed, and the certificate has")
		}
		made()
		second := serial()
		if second == first {
			t.Error("a new certificate was not taken")
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(m.Server)), []byte("none"), 0o600); err != nil {
			t.Fatal(err)
		}
		if third := serial(); third != second {
			t.Error("the old certificate did not stay")
		}
	})
}
