package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"bendi/internal/certs"
	"bendi/internal/programs"
)

// The sites: people and what is near them are at a, the far model is at b.
const (
	siteA    = "table-a"
	siteB    = "table-b"
	addressB = "10.99.0.2" // of site b, as site a has it
)

// sites brings up the two sites with a line between them.
func (b *bench) sites(ctx context.Context, loss float64) (*programs.Process, error) {
	line, err := programs.Launch(exec.CommandContext(ctx, b.dir+"/line", "up", "--name", "table",
		"--delay", b.Delay.String(), "--loss", fmt.Sprint(loss), "--congestion", b.Control))
	if err != nil {
		return nil, err
	}
	if _, err := line.Stdout.ReadString('\n'); err != nil {
		return nil, line.Failed(err)
	}
	return line, nil
}

// at returns a command that runs at a site. The program that it names takes the
// place of ip, so that their process is one.
func at(ctx context.Context, site string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", site}, args...)...)
}

// begin starts a program at a site.
func (b *bench) begin(ctx context.Context, site string, args ...string) (*programs.Process, error) {
	cmd := at(ctx, site, args...)
	cmd.Dir = b.dir
	return programs.Launch(cmd)
}

// saying starts a program that says in a line that it can be used, and waits for
// that.
func (b *bench) saying(ctx context.Context, site, word string, args ...string) (*programs.Process, error) {
	p, err := b.begin(ctx, site, args...)
	if err != nil {
		return nil, err
	}
	late := time.AfterFunc(time.Minute, func() { p.Cmd.Process.Kill() })
	defer late.Stop()
	for {
		line, err := p.Stdout.ReadString('\n')
		if err != nil {
			return nil, p.Failed(fmt.Errorf("it did not say that it is ready: %w", err))
		}
		if strings.Contains(line, word) {
			go io.Copy(io.Discard, p.Stdout)
			return p, nil
		}
	}
}

// papers makes certificates and keys for both sites.
func (b *bench) papers() error {
	if _, err := certs.Make(certs.Order{Dir: b.dir + "/certs", Hosts: []string{addressB, "127.0.0.1"}, Now: time.Now()}); err != nil {
		return err
	}
	for name, text := range map[string]string{"shared.key": strings.Repeat("0123456789abcdef", 4), "llm.key": "sk-upstream"} {
		if err := os.WriteFile(b.dir+"/"+name, []byte(text+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}
