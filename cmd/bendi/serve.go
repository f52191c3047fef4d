package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
)

func (p *program) serveCommand() *cobra.Command {
	var listen, certFile, keyFile string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: p.say("Serve the configured models", "提供已配置的模型"),
		Long: p.say(
			"Serve the configured models. Without a configuration the bundled demo model is served on 127.0.0.1:8080.",
			"提供已配置的模型。没有配置时，在 127.0.0.1:8080 上提供自带的演示模型。"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.serve(cmd.Context(), map[string]string{"listen": listen, "server.tls.cert_file": certFile, "server.tls.key_file": keyFile})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", p.say("address to listen on, HOST:PORT", "监听地址，格式为 主机:端口"))
	cmd.Flags().StringVar(&certFile, "tls-cert", "", p.say("certificate to serve with, FILE (PEM, with its intermediates)", "TLS 证书文件(PEM，含中间证书)"))
	cmd.Flags().StringVar(&keyFile, "tls-key", "", p.say("its private key, FILE (PEM, mode 0600)", "证书的私钥文件(PEM，权限 0600)"))
	return cmd
}

// serve runs the gateway until a signal ends it.
func (p *program) serve(ctx context.Context, flags map[string]string) error {
	begin := time.Now()
	paceCollector()
	maps.DeleteFunc(flags, func(_, value string) bool { return value == "" })
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
	in, err := openFront(cfg, log)
	if err != nil {
		return err
	}
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGHUP)
	defer signal.Stop(ask)
	e := newEstate(newGround(home, log), src, level)
	defer e.close()
	defer in.close() // before that: who is cut off is still to be recorded
	if err := e.found(ctx, cfg); err != nil {
		return err
	}
	var watched sync.WaitGroup
	watching, stopWatching := context.WithCancel(ctx)
	watched.Go(func() { e.watch(watching, ask) })
	watched.Go(func() { e.watchKeys(watching) })
	watched.Go(func() { e.keeper.Watch(watching) })
	defer watched.Wait()
	defer stopWatching()

	in.serve(e)

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
			p.printHouse(first, in, time.Since(begin), err)
			started = nil
		case err := <-in.ended:
			return fmt.Errorf("serving: %w", err)
		case sig := <-p.signals:
			stopWatching()
			return p.shutDown(in, e.gate, time.Duration(e.current().cfg.Server.Drain), sig)
		}
	}
}

// shutDown lets running answers finish until the time is up or a second signal
// comes.
func (p *program) shutDown(in *front, g *gate, limit time.Duration, sig os.Signal) error {
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
	in.Shutdown(last)
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
