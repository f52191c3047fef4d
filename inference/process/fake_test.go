package process

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
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
	"bendi/inference/remote"
	"bendi/openaicompat"
)

// TestMain makes the test's program a server when it is started like one, and a
// gateway when a test asks for that.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 3 && os.Args[1] == "serve":
		fakeServer(os.Args[2], os.Args[3], os.Args[4])
	case os.Getenv("BENDI_TEST_GATEWAY") != "":
		gateway(os.Getenv("BENDI_TEST_GATEWAY"))
	}
	os.Exit(m.Run())
}

// fakeServer is a server of a kind:
//
//	ready        answers
//	slow         needs 300 ms to get ready, and answers with a word every 20 ms
//	sick         its health is 503 for ever
//	die N        dies at the first N starts, with secrets in its log, then as ready
//	stubborn     as ready, but SIGTERM does not end it
//	parent       as ready, with a child that holds its output open
//	noisy        as slow, and writes without end
//	thief N      at the first N starts, another has taken the port
//
// It may write to dir, and dies of a request that says "poison".
func fakeServer(kind, dir, at string) {
	starts := count(filepath.Join(dir, "starts"))
	os.WriteFile(filepath.Join(dir, "pid"), fmt.Append(nil, os.Getpid()), 0o600)
	os.WriteFile(filepath.Join(dir, "environment"), []byte(strings.Join(os.Environ(), "\n")), 0o600)
	network, address := "unix", at
	if !strings.HasPrefix(at, "/") {
		network, address = "tcp", "127.0.0.1:"+at
	}
	script := chattest.Script("你\n好\n!sleep 1ms\n。\n")
	word, arg, _ := strings.Cut(kind, " ")
	var n int
	fmt.Sscan(arg, &n)
	switch word {
	case "slow":
		time.Sleep(300 * time.Millisecond)
		script = chattest.Script(strings.Repeat("word\n!sleep 20ms\n", 1000))
	case "die":
		if starts <= n {
			fmt.Fprintf(os.Stderr, "start %d goes wrong\x1b[31m with %s\n", starts, os.Getenv("SECRET"))
			os.Exit(3)
		}
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "parent":
		child := exec.Command("sleep", "600")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		os.WriteFile(filepath.Join(dir, "child"), fmt.Append(nil, child.Process.Pid), 0o600)
	case "noisy":
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 1<<20))
		go func() {
			for {
				fmt.Fprintln(os.Stderr, "noise about a user")
				time.Sleep(time.Millisecond)
			}
		}()
		time.Sleep(100 * time.Millisecond)
	case "thief":
		if starts <= n { // it has the port until the gateway has looked
			if exec.Command(os.Args[0], "serve", "squat", dir, at).Start() != nil {
				panic("no thief")
			}
			for _, err := net.Dial(network, address); err != nil; _, err = net.Dial(network, address) {
				time.Sleep(time.Millisecond)
			}
			os.Exit(1)
		}
	case "squat":
		syscall.Setpgid(0, 0)
		if _, err := net.Listen(network, address); err != nil {
			panic(err)
		}
		time.Sleep(time.Second)
		os.Exit(0)
	}
	l, err := net.Listen(network, address)
	if err != nil {
		panic(err)
	}
	api := openaicompat.New(openaicompat.Options{Routes: []openaicompat.Route{{Path: "/v1/chat", Model: fakeModel{Script: script}}}})
	http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/health":
			api.ServeHTTP(w, r)
		case word == "sick":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
}

// fakeModel plays a script, and dies of poison.
type fakeModel struct {
	chattest.Script
	chattest.Gifts
}

func (m fakeModel) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	if req.Messages[0].Text() == "poison" {
		os.Exit(5)
	}
	return m.Script.Chat(ctx, req)
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

// gateway has a server answer and does nothing more.
func gateway(dir string) {
	p, err := Start(config("slow", dir, Port))
	if err != nil {
		panic(err)
	}
	for range p.Chat(context.Background(), ask("你好")) {
	}
	select {}
}

// config is that of a server of a kind.
func config(kind, dir, place string) Config {
	return Config{
		Name: "tiny", Command: []string{os.Args[0], "serve", kind, dir, place},
		Health: "/health", Backoff: 100 * time.Millisecond, StopTimeout: 500 * time.Millisecond, StartTimeout: 20 * time.Second,
		SocketDir: dir,
		Client: func(at Place) (Client, error) {
			return remote.New(remote.Options{Name: "tiny", Socket: at.Socket, BaseURL: fmt.Sprintf("http://127.0.0.1:%d/v1", at.Port)})
		},
		Log: slog.New(slog.DiscardHandler),
	}
}

// run starts a process that is closed with the test.
func run(t testing.TB, kind string, change func(*Config)) (p *Process, dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "p")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cfg := config(kind, dir, Socket)
	if change != nil {
		change(&cfg)
	}
	p, err = Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, dir
}

func ask(text string) *chat.Request {
	return &chat.Request{Model: "tiny", N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, text)}}
}

// number reads a number that a server has written.
func number(t testing.TB, dir, file string) (n int) {
	t.Helper()
	text, _ := os.ReadFile(filepath.Join(dir, file))
	fmt.Sscan(string(text), &n)
	return n
}

// vanishes waits until a process is gone.
func vanishes(t testing.TB, pid int, limit time.Duration) {
	t.Helper()
	for began := time.Now(); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > limit {
			t.Fatalf("process %d lives on after %v", pid, limit)
		}
	}
}

// alive reports whether a process runs, and is more than a dead one that
// nobody has asked after.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	return !strings.Contains(string(stat), ") Z ")
}

// until waits for a state.
func until(t testing.TB, p *Process, state string) {
	t.Helper()
	for began := time.Now(); p.State() != state; time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("the server is %s after 20 s, want %s", p.State(), state)
		}
	}
}
