package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// An answer of the far model: as many pieces as the model at home writes tokens,
// at the pace of a quick large one.
const (
	pieces     = 24
	piecePause = 12 * time.Millisecond
)

const prose = "公园里的湖边有一家茶馆，早上人不多，可以坐在窗边看书，也可以沿着小路走到山坡上，看一看远处的田野和村庄。"

func piece(i int) string {
	letters := []rune(prose)
	return string(letters[2*i : 2*i+2])
}

// whole is the text of an answer.
func whole() string {
	var b strings.Builder
	for i := range pieces {
		b.WriteString(piece(i))
	}
	return b.String()
}

// upstream is the far model.
func upstream(cert, key string, addresses []string) error {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	ended := make(chan error)
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}})
		go func() { ended <- http.Serve(l, http.HandlerFunc(answer)) }()
	}
	fmt.Println("ready")
	return <-ended
}

// answer streams an answer.
func answer(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	begin := time.Now()
	for i := range pieces {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * piecePause)))
		text, _ := json.Marshal(piece(i))
		fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}]}`+"\n\n", text)
		if flush.Flush() != nil {
			return
		}
	}
	io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
}
