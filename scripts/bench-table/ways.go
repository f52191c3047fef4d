package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bendi/internal/programs"
)

// A way is how requests get from people to a model.
type way struct {
	name, title string
	far         bool  // over the line
	says        claim // what the note says of it
	start       func(context.Context, *bench) (*running, error)
}

// A claim is what the note says of a way.
type claim struct {
	P99    float64 `json:"p99"` // ms
	Errors float64 `json:"errors"`
}

var ways = []way{
	{"direct", "direct 直接访问", true, claim{2800, 1}, direct},
	{"nginx", "nginx 反向代理", true, claim{1200, 0.05}, nginxThere},
	{"nginx-here", "nginx here 本地反向代理", true, claim{}, nginxHere},
	{"link", "link 链路", true, claim{800, 0.02}, overLink},
	{"local", "local model 本地模型", false, claim{500, 0}, local},
}

func wayNames() string {
	var names []string
	for _, w := range ways {
		names = append(names, w.name)
	}
	return strings.Join(names, ",")
}

// choose returns the ways of a list of names; all for an empty one.
func choose(list string) ([]way, error) {
	if list == "" {
		return ways, nil
	}
	var all []way
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(ways, func(w way) bool { return w.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("there is no way %q; there are %s", name, wayNames())
		}
		all = append(all, ways[i])
	}
	return all, nil
}

// running is a way that can be used.
type running struct {
	url    string              // that people at site a ask
	own    []*programs.Process // that the way consists of
	others []*programs.Process
	fields string // of requests, besides the usual; JSON
	expect string // the text of answers; empty: any
}

func (r *running) stop() {
	for _, p := range slices.Concat(r.own, r.others) {
		p.Stop()
	}
}

// model starts the far model at addresses of site b, where nobody listens to
// site a unless one of them is for it.
func (b *bench) model(ctx context.Context, addresses ...string) (*running, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cert, key := b.dir+"/certs/server.pem", b.dir+"/certs/server-key.pem"
	p, err := b.saying(ctx, siteB, "ready", append([]string{self, "upstream", cert, key}, addresses...)...)
	if err != nil {
		return nil, err
	}
	return &running{others: []*programs.Process{p}, expect: whole()}, nil
}

const (
	modelThere = "127.0.0.1:9443" // the far model, as site b has it
	modelOpen  = addressB + ":9443"
)

// direct is what the note says of it: the far model cannot be had from here. The
// line refuses connections to it.
func direct(ctx context.Context, b *bench) (*running, error) {
	r, err := b.model(ctx, modelThere)
	if err == nil {
		r.url = "https://" + modelOpen
	}
	return r, err
}

// nginxThere is the note's nginx where it can reach the far model: people ask it
// over the line, by TLS.
func nginxThere(ctx context.Context, b *bench) (*running, error) {
	r, err := b.model(ctx, modelThere)
	if err != nil {
		return nil, err
	}
	r.url = "https://" + addressB
	return r, b.nginx(ctx, r, siteB, modelThere)
}

// nginxHere is the same nginx on this side, as if it alone could reach the far
// model. It makes a connection over the line for each request.
func nginxHere(ctx context.Context, b *bench) (*running, error) {
	r, err := b.model(ctx, modelOpen)
	if err != nil {
		return nil, err
	}
	r.url = "https://127.0.0.1"
	return r, b.nginx(ctx, r, siteA, modelOpen)
}

func (b *bench) nginx(ctx context.Context, r *running, site, model string) error {
	fill := strings.NewReplacer("DIR", b.dir, "MODEL", model)
	file := b.dir + "/nginx.conf"
	if err := os.WriteFile(file, []byte(fill.Replace(nginxConf)), 0o644); err != nil {
		return err
	}
	p, err := b.begin(ctx, site, nginx(), "-p", b.dir, "-c", file, "-e", "stderr")
	if err == nil {
		r.own = []*programs.Process{p}
		err = until(ctx, func() bool { return listens(ctx, site, ":443 ") })
	}
	return err
}

// nginxConf has the note's server word for word, but for the names of files, the
// address of the model, and the key, which has to be said where. What is around it
// is what a package of nginx brings, less the log.
const nginxConf = `
daemon off;
worker_processes auto;
pid DIR/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	server {
		listen 443 ssl;
		server_name your-domain.com;
		ssl_certificate DIR/certs/server.pem;
		ssl_certificate_key DIR/certs/server-key.pem;
		set $openai_key sk-upstream;
		location /v1/chat/completions {
			proxy_pass https://MODEL;
			proxy_set_header Authorization "Bearer $openai_key";
			proxy_connect_timeout 60s;
			proxy_read_timeout 300s;
		}
	}
}
`

// nginx is where the program is, also where it is installed for administrators;
// empty: nowhere.
func nginx() string {
	for _, at := range []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"} {
		if path, err := exec.LookPath(at); err == nil {
			return path
		}
	}
	return ""
}

// overLink is a gateway on this side with a link to a relay beside the far model.
func overLink(ctx context.Context, b *bench) (*running, error) {
	r, err := b.model(ctx, modelThere)
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("DIR", b.dir, "MODEL", modelThere, "RELAY", addressB+":8443", "CONTROL", b.Control)
	file := b.dir + "/relay.yaml"
	if err := os.WriteFile(file, []byte(fill.Replace(relayYAML)), 0o644); err != nil {
		return r, err
	}
	relay, err := b.saying(ctx, siteB, "wss://", b.bendi, "relay", "--config", file, "--lang", "en")
	if err != nil {
		return r, err
	}
	r.own = []*programs.Process{relay}
	return r, b.gateway(ctx, r, fill.Replace(edgeYAML))
}

const relayYAML = `
relay:
  listen: RELAY
  cert_file: DIR/certs/server.pem
  cert_key_file: DIR/certs/server-key.pem
  upstreams:
    llm: {url: "https://MODEL/v1", key_file: DIR/llm.key, ca_file: DIR/certs/ca.pem}
  edges:
    here: {key_file: DIR/shared.key, upstreams: [llm]}
log: {level: warn}
`

const edgeYAML = `
listen: 127.0.0.1:8080
data: DIR/data
log: {level: warn}
relays:
  overseas: {addresses: ["wss://RELAY"], name: here, key_file: DIR/shared.key, ca_file: DIR/certs/ca.pem}
backends:
  far: {url: "https://MODEL/v1", zone: outside, link: overseas, models: {m: {}}}
routes:
  - {path: /v1/chat, models: [far/m], aliases: {gpt-3.5-turbo: far/m}, egress: masked}
`

// local is the demo model on this side.
func local(ctx context.Context, b *bench) (*running, error) {
	model, err := filepath.Abs("models/demo/bendi-demo-q8_0.gguf")
	if err != nil {
		return nil, err
	}
	r := &running{fields: fmt.Sprintf(`{"max_tokens": %d, "ignore_eos": true}`, pieces)}
	return r, b.gateway(ctx, r, strings.NewReplacer("DIR", b.dir, "FILE", model, "THREADS", fmt.Sprint(b.threads)).Replace(localYAML))
}

const localYAML = `
listen: 127.0.0.1:8080
data: DIR/data
log: {level: warn}
models:
  demo: {path: FILE, context: 256, slots: 32, threads: THREADS}
routes:
  - {path: /v1/chat, models: [demo], aliases: {gpt-3.5-turbo: demo}}
`

// gateway starts `bendi serve` on this side, as the last of a way.
func (b *bench) gateway(ctx context.Context, r *running, settings string) error {
	file := b.dir + "/bendi.yaml"
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		return err
	}
	p, err := b.saying(ctx, siteA, "Ready", b.bendi, "serve", "--config", file, "--lang", "en")
	if err != nil {
		return err
	}
	r.url, r.own = "http://127.0.0.1:8080", append(r.own, p)
	return nil
}

// listens reports whether somebody listens at a site at addresses with such an
// end.
func listens(ctx context.Context, site, end string) bool {
	out, _ := at(ctx, site, "ss", "-Hltn").Output()
	return strings.Contains(string(out), end)
}

// until waits for something to be so.
func until(ctx context.Context, so func() bool) error {
	for range 200 {
		if so() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("it did not begin within 10 s")
}
