package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
)

func (p *program) healthCommand() *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:   "health",
		Short: p.say("Ask a running server whether it is ready; for containers and supervisors", "查询运行中的服务是否就绪，供容器和守护程序使用"),
		Long: p.say(
			"Ask a running server's /readyz and print its answer. The exit code is 0 when it is ready and 1 when it is not.",
			"查询运行中服务的 /readyz 并输出其回答。就绪时退出码为 0,否则为 1。"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.health(cmd.Context(), server) },
	}
	cmd.Flags().StringVar(&server, "server", "", p.say("server to ask (default: $BENDI_SERVER, else "+defaultServer+")", "要查询的服务（默认：$BENDI_SERVER，否则 "+defaultServer+"）"))
	return cmd
}

// healthTime is how long a server may take to say whether it is ready.
const healthTime = 5 * time.Second

// health prints what /readyz says. It needs no key.
func (p *program) health(ctx context.Context, server string) error {
	server = strings.TrimSuffix(cmp.Or(server, os.Getenv("BENDI_SERVER"), defaultServer), "/")
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usage(fmt.Errorf(p.say("--server wants a URL such as %s", "--server 需要一个 URL,例如 %s"), defaultServer))
	}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(body))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", server, resp.Status, text)
	}
	fmt.Fprintln(p.stdout, text)
	return nil
}

// askReady asks the server of a configuration whether it is ready, by its
// address. It is not asked to prove who it is: nothing is sent that is secret,
// and its certificate has no name for an address.
func askReady(ctx context.Context, cfg *config.Config) (*http.Response, error) {
	scheme := "http://"
	if cfg.Server.TLS.On() {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+reachable(cfg.Listen)+"/readyz", nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	return client.Do(req)
}
