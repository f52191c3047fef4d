package llamacpp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/models/load"
	"bendi/openaicompat"
)

// TestMain makes the test's program a worker when it is started like one, and
// a gateway when a test asks for that.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "--socket":
		fakeWorker()
	case os.Getenv("BENDI_TEST_GATEWAY") != "":
		gateway()
	}
	os.Exit(m.Run())
}

// fakeWorker is a worker that does what its model file is called:
//
//	ready        gets ready and answers
//	slow         gets ready and answers with a word every 20 ms
//	die N        dies at the first N starts, then as ready
//	blink        gets ready and dies at once
//	noisy        writes 1000 lines to its log and dies
//	failed       says why it cannot get ready
//	hang         never gets ready
//	stubborn     as ready, but SIGTERM does not end it
//	stuck        as ready, and says that its step has taken an hour
//	parent       as ready, with a child of its own that holds its log open
//
// The library is a folder it may write to. It dies of a request that says
// "poison".
func fakeWorker() {
	var socket, name, model, library string
	var window int
	flags := flag.NewFlagSet("worker", flag.ExitOnError)
	flags.StringVar(&socket, "socket", "", "")
	flags.StringVar(&name, "name", "", "")
	flags.StringVar(&model, "model", "", "")
	flags.StringVar(&library, "library", "", "")
	flags.IntVar(&window, "context", 0, "")
	flags.Int("slots", 0, "")
	flags.Int("threads", 0, "")
	options := load.Defaults()
	options.Flags(flags)
	var adapters []string
	flags.Func("adapter", "", func(s string) error { adapters = append(adapters, s); return nil })
	flags.Parse(os.Args[1:])

	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0) // the gateway is gone
	}()
	fmt.Println("not a notice")
	script := chattest.Script("你\n好\n!sleep 1ms\n。\n")
	word, arg, _ := strings.Cut(filepath.Base(model), " ")
	switch word {
	case "slow":
		script = chattest.Script(strings.Repeat("word\n!sleep 20ms\n", 1000))
	case "die":
		var n, starts int
		fmt.Sscan(arg, &n)
		starts = count(filepath.Join(library, "starts"))
		if starts <= n {
			fmt.Fprintf(os.Stderr, "start %d goes wrong\n", starts)
			os.Exit(3)
		}
	case "noisy":
		for i := range 1000 {
			fmt.Fprintf(os.Stderr, "line %d\n", i+1)
		}
		fmt.Fprint(os.Stderr, strings.Repeat("x", 5000)+"\nthe very last words")
		os.Exit(3)
	case "failed":
		TellFailed(os.Stdout, errors.New("llama.cpp is 0.4.0 and must be 0.5.0: run `make lib`"))
		os.Exit(1)
	case "hang":
		select {}
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "parent":
		child := exec.Command("sleep", "600")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		os.WriteFile(filepath.Join(library, "child"), fmt.Append(nil, child.Process.Pid), 0o600)
	}

	l, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	info := Info{
		Name: name, Model: "fake " + word, Device: strings.Join(os.Environ(), "\n"), Library: library,
		Context: window, Slots: options.Cache, Layers: int(options.GPULayers), MemoryBytes: int64(os.Getpid()), LoadTime: 1500 * time.Millisecond, Adapters: adapters,
	}
	if err := TellReady(os.Stdout, info); err != nil {
		panic(err)
	}
	go func() {
		for range time.Tick(AliveEvery / 10) {
			step := time.Duration(0)
			if word == "stuck" {
				step = time.Hour
			}
			TellAlive(os.Stdout, step)
		}
	}()
	if word == "blink" {
		os.Exit(4)
	}
	http.Serve(l, openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: fakeModel{Script: script, library: library}}}}))
}

// fakeModel plays a script, and dies of poison.
type fakeModel struct {
	chattest.Script
	chattest.Gifts
	library string
}

func (m fakeModel) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	if req.Messages[0].Text() == "poison" {
		count(filepath.Join(m.library, "poisoned"))
		os.Exit(5)
	}
	return m.Script.Chat(ctx, req)
}

func (m fakeModel) Embed(ctx context.Context, req *chat.EmbedRequest) (*chat.Embeddings, error) {
	if req.Inputs[0].Text == "poison" {
		count(filepath.Join(m.library, "poisoned"))
		os.Exit(5)
	}
	return m.Gifts.Embed(ctx, req)
}

// count adds one to the number in a file.
func count(file string) int {
	var n int
	old, _ := os.ReadFile(file)
	fmt.Sscan(string(old), &n)
	n++
	os.WriteFile(file, fmt.Append(nil, n), 0o600)
	return n
}

// gateway starts a worker, says its process id, and does nothing more.
func gateway() {
	w, err := Start(Config{Name: "tiny", Worker: os.Args[0], Model: "slow", SocketDir: os.Getenv("BENDI_TEST_GATEWAY")})
	if err != nil {
		panic(err)
	}
	if err := w.Wait(context.Background()); err != nil {
		panic(err)
	}
	info, _ := w.Info()
	fmt.Println(info.MemoryBytes)
	for range w.Chat(context.Background(), ask()) {
	}
	select {}
}

func ask() *chat.Request {
	return &chat.Request{Model: "tiny", N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "你好")}}
}
