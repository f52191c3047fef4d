package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"bendi/link"
)

// An answer is a stream of pieces, as a model writes it.
const (
	pieces     = 50
	pieceSize  = 180
	piecePause = 25 * time.Millisecond
)

var lineKey = []byte(strings.Repeat("line", link.LeastKey/4))

// siteB has the upstream, over HTTP for the relay and over TLS for nginx, and
// the relay.
func siteB(args []string) error {
	var p plan
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(p.Dir+"/cert.pem", p.Dir+"/key.pem")
	if err != nil {
		return err
	}
	client := link.NewClient(nil)
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/chat", write)
	mux.HandleFunc("/v1/soak", soakAnswer)
	mux.HandleFunc("/v1/state", func(w http.ResponseWriter, r *http.Request) {
		client.CloseIdleConnections()
		time.Sleep(500 * time.Millisecond) // until they are
		json.NewEncoder(w).Encode(look())
	})
	near, err := net.Listen("tcp", "127.0.0.1:9000")
	if err != nil {
		return err
	}
	go http.Serve(near, mux)
	far, err := net.Listen("tcp", "10.99.0.2:8444")
	if err != nil {
		return err
	}
	go http.Serve(tls.NewListener(far, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}), mux)

	r, err := link.NewRelay(link.RelayOptions{
		Upstreams: map[string]link.Upstream{"llm": {URL: &url.URL{Scheme: "http", Host: "127.0.0.1:9000", Path: "/v1"}}},
		Edges:     map[string]link.EdgeGrant{"a": {Key: lineKey, Upstreams: []string{"llm"}}},
		Client:    client,
	})
	if err != nil {
		return err
	}
	relay, err := link.Listen(context.Background(), "10.99.0.2:8443", p.Control)
	if err != nil {
		return err
	}
	go link.NewServer(r, &tls.Config{Certificates: []tls.Certificate{cert}}).ServeTLS(relay, "", "")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	return nil
}

// write answers like a model.
func write(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	piece := []byte("data: " + strings.Repeat("x", pieceSize-8) + "\n\n")
	flush := http.NewResponseController(w)
	begin := time.Now()
	for i := range pieces {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * piecePause)))
		if _, err := w.Write(piece); err != nil {
			return
		}
		flush.Flush()
	}
}
