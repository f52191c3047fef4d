package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A plan is what a bench asks of both sites.
type plan struct {
	Dir     string        `json:"dir"`  // of certificates, keys and nginx
	Way     string        `json:"way"`  // link or proxy
	For     time.Duration `json:"for"`  // that requests begin in, after the warm-up
	Warm    time.Duration `json:"warm"` // whose requests do not count
	Rate    float64       `json:"rate"` // requests per second
	Body    int           `json:"body"` // bytes of a prompt
	Seed    uint64        `json:"seed"`
	Clients int           `json:"clients"` // of a soak
	Min     int           `json:"min"`     // links
	Max     int           `json:"max"`
	Control string        `json:"control"`
	Link    string        `json:"link"` // what the link says of itself, when it has ended
}

// warmUp is for connections to be there.
const warmUp = 4 * time.Second

// bench measures the link and nginx in turns over the same line.
func bench(args []string) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	l := &line{}
	lineFlags(f, l)
	losses := f.String("loss", "0,0.01,0.03", "shares of packets lost, each way")
	span := f.Duration("for", 20*time.Second, "that requests begin in, of each turn")
	rounds := f.Int("rounds", 1, "turns of each at each loss")
	rate := f.Float64("requests", 10, "per second; they come at random")
	body := f.Int("body", 400, "bytes of a prompt")
	least := f.Int("min-links", 8, "as min_links of the configuration")
	dark := f.Duration("dark", 0, "for so long everything is lost, three seconds after the warm-up of each turn")
	control := f.String("congestion", "cubic", "control of TCP at both sites")
	ways := f.String("ways", "proxy,link", "that are measured; proxy is nginx")
	keep := f.String("pool", "", "file of figures: those of earlier runs in it count with those of this one, which are added")
	if err := f.Parse(args); err != nil {
		return err
	}
	shares, err := numbers(*losses)
	if err != nil {
		return err
	}
	pooled, err := readPool(*keep)
	if err != nil {
		return err
	}
	w, err := newWorld(l, *control)
	if err != nil {
		return err
	}
	defer w.end()
	nginx := exec.Command("ip", "netns", "exec", l.site(0), "nginx", "-p", w.dir, "-c", filepath.Join(w.dir, "nginx.conf"))
	nginx.Stderr = os.Stderr
	if err := nginx.Start(); err != nil {
		return fmt.Errorf("starting nginx: %w", err)
	}
	defer func() { nginx.Process.Signal(os.Interrupt); nginx.Wait() }()
	time.Sleep(time.Second)

	fmt.Printf("%v; %s; prompts of %d bytes, %.0f a second for %v; answers of %d pieces of %d bytes, one every %v\n\n", l, *control, *body, *rate, *span, pieces, pieceSize, piecePause)
	fmt.Println("| loss | way | answers | errors | TTFT P50 | TTFT P99 | worst stall P50 | worst stall P99 | total P50 | total P99 |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, share := range shares {
		l.setLoss(share)
		all := make(map[string]figures)
		for range *rounds {
			for way := range strings.SplitSeq(*ways, ",") {
				if *dark > 0 {
					go l.blackout(warmUp+3*time.Second, *dark)
				}
				key := fmt.Sprintf("%s: %v; %s, %d bytes, %.1f a second", way, l, *control, *body, *rate)
				sum := pooled[key]
				got, err := turn(l, plan{Dir: w.dir, Way: way, For: *span, Warm: warmUp, Rate: *rate, Body: *body, Seed: uint64(sum.Turns + 1), Min: *least, Control: *control})
				if err != nil {
					return err
				}
				sum.add(got)
				pooled[key], all[way] = sum, sum
			}
		}
		proxy, link := all["proxy"], all["link"]
		if proxy.Turns > 0 {
			fmt.Printf("| %.1f %% | nginx | %s |\n", 100*share, proxy.row())
		}
		if link.Turns > 0 {
			fmt.Printf("| %.1f %% | link | %s |\n", 100*share, link.row())
			fmt.Fprintln(os.Stderr, "  ", link.Link)
		}
		if proxy.Turns > 0 && link.Turns > 0 {
			fmt.Printf("| %.1f %% | link / nginx | | | %s |\n", 100*share, link.ratios(proxy))
		}
	}
	if err := writePool(*keep, pooled); err != nil {
		return err
	}
	fmt.Println("\n" + w.sites.counts())
	return nil
}

// A world has both sites, and at the far one the relay and the upstream.
type world struct {
	dir   string
	sites *sites
	far   *exec.Cmd
}

func newWorld(l *line, control string) (*world, error) {
	dir, err := os.MkdirTemp("", "line")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir}
	if w.sites, err = newSites(l, control); err == nil {
		err = prepare(dir)
	}
	if err == nil {
		w.far, err = command(context.Background(), l, 1, plan{Dir: dir, Control: control})
	}
	if err == nil {
		w.far.Stdout = os.Stderr
		err = w.far.Start()
	}
	if err != nil {
		w.far = nil
		w.end()
		return nil, err
	}
	return w, nil
}

func (w *world) end() {
	if w.far != nil {
		w.far.Process.Signal(os.Interrupt)
		w.far.Wait()
	}
	if w.sites != nil {
		w.sites.close()
	}
	os.RemoveAll(w.dir)
}

// turn runs the requests of one way.
func turn(l *line, p plan) (figures, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.Warm+p.For+3*time.Minute)
	defer cancel()
	cmd, err := command(ctx, l, 0, p)
	if err != nil {
		return figures{}, err
	}
	out, err := cmd.Output()
	if err != nil {
		return figures{}, fmt.Errorf("the turn of the %s: %w", p.Way, err)
	}
	var got figures
	return got, json.Unmarshal(out, &got)
}

func command(ctx context.Context, l *line, site int, p plan) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", l.site(site), self, "site-"+string("ab"[site]), string(text))
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// readPool reads the figures of earlier runs.
func readPool(file string) (map[string]figures, error) {
	pool := make(map[string]figures)
	text, err := os.ReadFile(file)
	if file == "" || errors.Is(err, fs.ErrNotExist) {
		return pool, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &pool); err != nil {
		return nil, fmt.Errorf("%s has no figures of this program; name another file: %w", file, err)
	}
	return pool, nil
}

func writePool(file string, pool map[string]figures) error {
	if file == "" {
		return nil
	}
	text, err := json.Marshal(pool)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// prepare writes what both sites need.
func prepare(dir string) error {
	steps := [][]string{
		{"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=line", "-addext", "subjectAltName=IP:10.99.0.2", "-keyout", dir + "/key.pem", "-out", dir + "/cert.pem"},
	}
	for _, step := range steps {
		if out, err := exec.Command(step[0], step[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(step[:2], " "), err, out)
		}
	}
	conf := strings.ReplaceAll(nginxConf, "DIR", dir)
	return os.WriteFile(dir+"/nginx.conf", []byte(conf), 0o644)
}

// nginxConf is a proxy at the edge's site, with kept connections and TLS over
// the line, as the link has.
const nginxConf = `
daemon off;
worker_processes 2;
pid DIR/nginx.pid;
error_log DIR/error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  upstream far { server 10.99.0.2:8444; keepalive 20; keepalive_timeout 90s; }
  server {
    listen 127.0.0.1:8081;
    location / {
      proxy_pass https://far;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_ssl_protocols TLSv1.3;
      proxy_buffering off;
    }
  }
}
`
