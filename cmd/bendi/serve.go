package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
)

func (p *program) serveCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: p.say("Serve the configured models", "提供已配置的模型"),
		Long: p.say(
			"Serve the configured models. Without a configuration the bundled demo model is served on 127.0.0.1:8080.",
			"提供已配置的模型。没有配置时，在 127.0.0.1:8080 上提供自带的演示模型。"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context(), listen) },
	}
	cmd.Flags().StringVar(&listen, "listen", "", p.say("address to listen on, HOST:PORT", "监听地址，格式为 主机:端口"))
	return cmd
}

// serve runs the gateway until a signal ends it.
func (p *program) serve(ctx context.Context, listen string) error {
	begin := time.Now()
	paceCollector()
	flags := make(map[string]string)
	if listen != "" {
		flags["listen"] = listen
	}
	src, home, err := p.source(flags)
	if err != nil {
		return err
	}
	cfg, origins, err := src.read()
	if err != nil {
		return p.wrong(err)
	}
	level := new(slog.LevelVar)
	level.Set(cfg.Log.Level.Level())
	log := newLog(cfg.Log.Format, level, p.stderr)
	mute(log)
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s is in use, perhaps by another bendi: stop it, or choose another address with --listen", cfg.Listen)
		}
		return fmt.Errorf("listening: %w", err)
	}
	defer listener.Close()
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGHUP)
	defer signal.Stop(ask)
	e := newEstate(newGround(home, log), src, level)
	defer e.close()
	if err := e.found(ctx, cfg); err != nil {
		return err
	}
	var watched sync.WaitGroup
	watching, stopWatching := context.WithCancel(ctx)
	watched.Go(func() { e.watch(watching, ask) })
	watched.Go(func() { e.watchKeys(watching) })
	defer watched.Wait()
	defer stopWatching()

	server := &http.Server{
		Handler:           e,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()

	p.printHeader(origins)
	if err := p.firstKey(e.current()); err != nil {
		return err
	}
	first := e.current()
	started := make(chan error, 1)
	waiting, stopWaiting := context.WithCancel(ctx)
	defer stopWaiting()
	go func() { started <- first.wait(waiting) }()
	for {
		select {
		case err := <-started:
			p.printHouse(first, listener.Addr().String(), time.Since(begin), err)
			started = nil
		case err := <-served:
			return fmt.Errorf("serving: %w", err)
		case sig := <-p.signals:
			stopWatching()
			return p.shutDown(server, e.gate, time.Duration(e.current().cfg.Server.Drain), sig)
		}
	}
}

// shutDown lets running answers finish until the time is up or a second signal
// comes.
func (p *program) shutDown(server *http.Server, g *gate, limit time.Duration, sig os.Signal) error {
	if n := g.count(); n > 0 {
		fmt.Fprintln(p.stderr, p.sayf(
			"%v: waiting up to %v for %d running answers; once more ends them now",
			"收到 %v：最多等待 %v，让 %d 个进行中的回答完成；再来一次信号则立即结束", sig, limit, n))
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	second := make(chan struct{})
	go func() {
		select {
		case <-p.signals:
			close(second)
			cancel()
		case <-ctx.Done():
		}
	}()
	cut := g.drain(ctx)
	// What is left is to write the last bytes of each response.
	last, done := context.WithTimeout(context.Background(), time.Second)
	defer done()
	server.Shutdown(last)
	if cut > 0 {
		fmt.Fprintln(p.stderr, p.sayf("%d answers were cut short with an error event", "%d 个回答被中断，并收到了错误事件", cut))
	}
	select {
	case <-second:
		return exitError{code: exitInterrupted}
	default:
		return nil
	}
}

// newLog makes the program's log, of what is on a level or above.
func newLog(format config.LogFormat, level slog.Leveler, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
