package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"bendi/internal/benchtable"
	"bendi/link"
)

// figures are what the requests of a turn took, in milliseconds.
type figures struct {
	First, Stall, Total []float64
	Turns, Errors       int
	Fault               string // of the latest error
	Link                string
}

func (f *figures) add(o figures) {
	f.First, f.Stall, f.Total = append(f.First, o.First...), append(f.Stall, o.Stall...), append(f.Total, o.Total...)
	f.Turns, f.Errors, f.Link = f.Turns+1, f.Errors+o.Errors, o.Link
}

func (f *figures) cells() []float64 {
	var all []float64
	for _, x := range [][]float64{f.First, f.Stall, f.Total} {
		all = append(all, benchtable.Percentile(x, 50), benchtable.Percentile(x, 99))
	}
	return all
}

func (f *figures) row() string {
	text := []string{fmt.Sprint(len(f.First)), fmt.Sprint(f.Errors)}
	for _, x := range f.cells() {
		text = append(text, fmt.Sprintf("%.0f", x))
	}
	return strings.Join(text, " | ")
}

func (f *figures) ratios(base figures) string {
	var text []string
	b := base.cells()
	for i, x := range f.cells() {
		text = append(text, fmt.Sprintf("%.2f", x/b[i]))
	}
	return strings.Join(text, " | ")
}

// siteA asks, and writes the figures.
func siteA(args []string) error {
	var p plan
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return err
	}
	client, base, end, err := way(p)
	if err != nil {
		return err
	}
	defer end()
	if e, ok := client.(*link.Edge); ok && p.Way == "soak" {
		return soakA(p, e, base)
	}
	random := rand.New(rand.NewPCG(p.Seed, 3))
	var mu sync.Mutex
	var got figures
	var wg sync.WaitGroup
	start := time.Now()
	for at := time.Duration(0); at < p.Warm+p.For; at += time.Duration(random.ExpFloat64() / p.Rate * float64(time.Second)) {
		time.Sleep(time.Until(start.Add(at)))
		text := prompt(random, p.Body)
		counts := at >= p.Warm
		wg.Go(func() {
			first, stall, total, err := ask(client, base+"/chat", text)
			if !counts {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				got.Errors++
				fmt.Fprintln(os.Stderr, p.Way, err)
				return
			}
			got.First, got.Stall, got.Total = append(got.First, ms(first)), append(got.Stall, ms(stall)), append(got.Total, ms(total))
		})
	}
	wg.Wait()
	if e, ok := client.(*link.Edge); ok {
		got.Link = fmt.Sprintf("%+v", e.Status()[0])
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// way returns what makes the requests.
func way(p plan) (client http.RoundTripper, base string, end func(), err error) {
	if p.Way == "proxy" {
		t := &http.Transport{MaxIdleConnsPerHost: 1000}
		return t, "http://127.0.0.1:8081/v1", t.CloseIdleConnections, nil
	}
	text, err := os.ReadFile(p.Dir + "/cert.pem")
	if err != nil {
		return nil, "", nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	e, err := link.NewEdge(link.EdgeOptions{
		Relays: []string{"wss://10.99.0.2:8443"}, Identity: link.Identity{Name: "a", Key: lineKey},
		TLS: &tls.Config{RootCAs: pool}, Min: p.Min, Max: p.Max, Congestion: p.Control,
	})
	if err != nil {
		return nil, "", nil, err
	}
	return e, "http://127.0.0.1:9000/v1", e.Close, nil
}

// ask makes one request and says when its answer began, the longest that it
// stood still, and when it ended.
func ask(client http.RoundTripper, address string, text []byte) (first, stall, total time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return 0, 0, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	res, err := client.RoundTrip(req)
	if err != nil {
		return 0, 0, 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, 0, 0, fmt.Errorf("status %d", res.StatusCode)
	}
	buf := make([]byte, 64<<10)
	size, last := 0, begin
	for {
		n, err := res.Body.Read(buf)
		now := time.Now()
		if n > 0 {
			if size == 0 {
				first = now.Sub(begin)
			} else {
				stall = max(stall, now.Sub(last))
			}
			size, last = size+n, now
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, 0, 0, err
		}
	}
	if size != pieces*pieceSize {
		return 0, 0, 0, errors.New("the answer is not whole")
	}
	return first, stall, last.Sub(begin), nil
}

// prompt is a request with words at random, as compressible as words are.
func prompt(random *rand.Rand, size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"model":"m","stream":true,"messages":[{"role":"user","content":"`)
	for b.Len() < size-4 {
		w := random.Uint32N(4000)
		w = w * (1 + random.Uint32N(4000)) / 4000 // some words come more often
		for range 2 + w%5 {
			b.WriteByte('a' + byte(w%26))
			w = w/3 + 7
		}
		b.WriteByte(' ')
	}
	b.WriteString(`"}]}`)
	return b.Bytes()
}
