package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"bendi/chat"
	"bendi/config"
	"bendi/inference/remote"
	"bendi/openaicompat/wire"
)

const defaultServer = "http://127.0.0.1:8080"

func (p *program) chatCommand() *cobra.Command {
	c := &conversation{program: p}
	cmd := &cobra.Command{
		Use:   "chat [PROMPT]",
		Short: p.say("Talk with a model in the terminal", "在终端中与模型对话"),
		Long: p.say(
			`Talk with a model in the terminal. With a prompt, or with standard input from
a pipe, the answer to it is printed and that is all:

  bendi chat
  bendi chat "写一句欢迎语"
  cat notes.txt | bendi chat "一句话总结"

The server at --server answers. Without that flag, and when none runs, the
configured models are loaded here for as long as the conversation lasts.`,
			`在终端中与模型对话。给出提示词，或从管道读入时，只输出这一次的回答：

  bendi chat
  bendi chat "写一句欢迎语"
  cat notes.txt | bendi chat "一句话总结"

由 --server 指定的服务回答。未指定且没有服务在运行时，会在本进程中加载已配置的模型。`),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd.Context(), strings.Join(args, " "))
		},
	}
	flags := cmd.Flags()
	serverFlag(flags, p, &c.server)
	flags.StringVar(&c.route, "route", "/v1/chat", p.say("route to ask", "使用的路由"))
	flags.StringVar(&c.model, "model", "", p.say("model to ask for (default: the route's)", "使用的模型(默认：该路由的默认模型)"))
	flags.StringVar(&c.system, "system", "", p.say("system message", "系统提示"))
	return cmd
}

// A conversation is what `bendi chat` holds.
type conversation struct {
	*program
	server, route, model, system string

	models   func(route string) (chat.Model, error)
	messages []chat.Message
}

// run asks prompt, or what standard input holds, or talks with whoever sits at
// the terminal.
func (c *conversation) run(ctx context.Context, prompt string) error {
	terminal := isTerminal(c.stdin)
	if !terminal && prompt == "" || !terminal && hasInput(c.stdin) {
		input, err := io.ReadAll(c.stdin)
		if err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
		prompt = strings.TrimSpace(prompt + "\n\n" + string(input))
		if prompt == "" {
			return usage(errors.New(c.say("standard input is empty: pipe a question in, or give it as an argument", "标准输入为空：请通过管道传入问题，或作为参数给出")))
		}
	}
	closeModels, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer closeModels()
	if prompt != "" {
		stopped, err := c.ask(ctx, prompt)
		if stopped {
			return exitError{code: exitInterrupted}
		}
		return err
	}
	return c.talk(ctx)
}

// open connects to the server, or loads the models here when none runs.
func (c *conversation) open(ctx context.Context) (closeModels func(), err error) {
	server := cmp.Or(c.server, os.Getenv("BENDI_SERVER"))
	named := server != ""
	server = strings.TrimSuffix(cmp.Or(server, defaultServer), "/")
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, usage(fmt.Errorf(c.say("--server wants a URL such as %s", "--server 需要一个 URL,例如 %s"), defaultServer))
	}
	if named || answers(u.Host) {
		known := make(map[string]chat.Model)
		c.models = func(route string) (chat.Model, error) {
			if known[route] == nil {
				m, err := c.connect(ctx, server, route)
				if err != nil {
					return nil, err
				}
				known[route] = m
			}
			return known[route], nil
		}
		return func() {}, nil
	}

	cfg, _, home, err := c.load(nil)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(c.stderr, c.sayf("no server at %s: loading the models here", "%s 没有服务在运行：在本进程中加载模型", server))
	cfg.Ledger.Store = config.Off // it is of what is asked of a server, which may run with the same folder
	ground := newGround(home, slog.New(slog.DiscardHandler))
	h, err := ground.build(ctx, cfg, true)
	if err != nil {
		return nil, err
	}
	closeModels = func() { h.close(); ground.close() }
	ctx, stop := c.untilSignal(ctx)
	defer stop()
	if err := h.wait(ctx); err != nil || ctx.Err() != nil {
		closeModels()
		return nil, cmp.Or(err, error(exitError{code: exitInterrupted}))
	}
	c.models = func(route string) (chat.Model, error) {
		m, ok := h.route(route)
		if !ok {
			return nil, fmt.Errorf(c.say("there is no route %s; the configuration has %s", "没有路由 %s;配置中有 %s"), route, strings.Join(h.paths(), ", "))
		}
		return m, nil
	}
	return closeModels, nil
}

// connect returns the model behind a route of a server, once the server has
// shown that it has the route and takes our key.
func (c *conversation) connect(ctx context.Context, server, route string) (chat.Model, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	key := os.Getenv("BENDI_API_KEY")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+route+"/models", nil)
	if err != nil {
		return nil, usage(fmt.Errorf(c.say("%s is not the URL of a route", "%s 不是路由的 URL"), server+route))
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf(c.say("nothing answers at %s: start it with `bendi serve`, or name another server with --server", "%s 没有响应：请用 `bendi serve` 启动服务，或用 --server 指定其他服务"), server)
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return remote.New(remote.Options{Name: server, BaseURL: server + route, Key: key})
	case http.StatusUnauthorized:
		return nil, fmt.Errorf(c.say("%s wants a valid API key: put one into the environment as BENDI_API_KEY", "%s 需要有效的 API 密钥：请设置环境变量 BENDI_API_KEY"), server)
	}
	return nil, fmt.Errorf(c.say("%s answered %s: %s", "%s 返回 %s:%s"), server+route, resp.Status, wire.DecodeError(resp.StatusCode, body).Msg)
}

// answers reports whether something listens at host.
func answers(host string) bool {
	if !strings.Contains(host, ":") {
		host += ":80"
	}
	conn, err := net.DialTimeout("tcp", host, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// ask streams the answer to a prompt. A signal stops the answer; what came of
// it stays in the conversation.
func (c *conversation) ask(ctx context.Context, prompt string) (stopped bool, err error) {
	m, err := c.models(c.route)
	if err != nil {
		return false, err
	}
	ctx, stop := c.untilSignal(ctx)
	defer stop()
	req := &chat.Request{Model: c.model, N: 1}
	if c.system != "" {
		req.Messages = append(req.Messages, chat.TextMessage(chat.System, c.system))
	}
	question := chat.TextMessage(chat.User, prompt)
	req.Messages = append(append(req.Messages, c.messages...), question)
	onTerminal := isTerminal(c.stdout)
	var text strings.Builder
	var finish chat.Finish
	for ev, streamErr := range m.Chat(ctx, req) {
		if streamErr != nil {
			err = streamErr
			break
		}
		text.WriteString(ev.Text)
		finish = cmp.Or(ev.Finish, finish)
		shown := ev.Text
		if onTerminal {
			shown = strings.Map(printable, shown)
		}
		if _, err := io.WriteString(c.stdout, shown); err != nil {
			return false, err // the reader of the pipe has left
		}
	}
	if text.Len() > 0 {
		fmt.Fprintln(c.stdout)
		c.messages = append(c.messages, question, chat.TextMessage(chat.Assistant, text.String()))
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(c.stderr, c.say("(stopped)", "(已停止)"))
		return true, nil
	case err != nil:
		if e, ok := errors.AsType[*chat.Error](err); ok {
			return false, errors.New(e.Msg) // the rest is for a log
		}
		return false, err
	case finish == chat.ContentFilter:
		fmt.Fprintln(c.stderr, c.say("(the content filter ended the answer)", "(回答被内容过滤截断)"))
	case finish == chat.Length:
		fmt.Fprintln(c.stderr, c.say("(cut off: the context window is full; /reset begins anew)", "(被截断：上下文窗口已满；/reset 重新开始)"))
	}
	return false, nil
}

// untilSignal returns a context that a signal ends.
func (p *program) untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-p.signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-done
	}
}

// printable drops control characters: a model must not be able to move the
// cursor or to rename the window.
func printable(c rune) rune {
	if unicode.IsControl(c) && c != '\n' && c != '\t' {
		return -1
	}
	return c
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// hasInput reports whether r is a pipe or a file, which is meant to be read;
// not /dev/null or a socket that a service manager left open.
func hasInput(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return true
	}
	info, err := f.Stat()
	return err == nil && (info.Mode().IsRegular() || info.Mode()&os.ModeNamedPipe != 0)
}
