package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/reeflective/readline"
)

// talk is the conversation at a terminal. Ctrl-C stops an answer, not the
// program; Ctrl-D ends it.
func (c *conversation) talk(ctx context.Context) error {
	fmt.Fprintln(c.stdout, c.say(
		"Ask something. /pro asks the fine-tuned route, /help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.",
		"请提问。/pro 切换到微调路由，/help 列出命令，Ctrl-C 停止回答，Ctrl-D 退出。"))
	shell := readline.NewShell()
	shell.Prompt.Primary(func() string { return c.route + " > " })
	for {
		line, err := shell.Readline()
		switch {
		case errors.Is(err, io.EOF):
			fmt.Fprintln(c.stdout)
			return nil
		case errors.Is(err, readline.ErrInterrupt): // perhaps meant for an answer that has just ended
			fmt.Fprintln(c.stdout, c.say("Ctrl-D or /bye leaves", "按 Ctrl-D 或输入 /bye 退出"))
			continue
		case err != nil:
			return fmt.Errorf("reading the terminal: %w", err)
		}
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "/"):
			if c.command(line) {
				return nil
			}
		default:
			if _, err := c.ask(ctx, line); err != nil {
				fmt.Fprintln(c.stderr, "bendi:", err)
			}
		}
	}
}

// command obeys a line that begins with a slash. It reports whether that ends
// the conversation.
func (c *conversation) command(line string) (leave bool) {
	name, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch name {
	case "/bye", "/exit", "/quit":
		return true
	case "/pro":
		c.switchTo("/v1/chat/pro")
	case "/chat":
		c.switchTo("/v1/chat")
	case "/route":
		if rest == "" {
			fmt.Fprintln(c.stdout, c.route)
			break
		}
		c.switchTo(rest)
	case "/model":
		c.model = rest
	case "/system":
		c.system = rest
	case "/reset":
		c.messages = nil
		fmt.Fprintln(c.stdout, c.say("a new conversation", "已开始新的对话"))
	case "/help":
		fmt.Fprint(c.stdout, c.say(
			`/pro, /chat       ask the fine-tuned route, the base route
/route PATH       ask another route
/model ID         ask for a model; without ID, the route's own
/system TEXT      set the system message; without TEXT, none
/reset            forget the conversation
/bye              leave
`,
			`/pro、/chat       切换到微调路由、基础路由
/route 路径       切换到其他路由
/model 名称       指定模型；不写名称则用路由的默认模型
/system 文本      设置系统提示；不写文本则清除
/reset            清空对话
/bye              退出
`))
	default:
		fmt.Fprintln(c.stdout, c.sayf("there is no command %s; /help lists them", "没有命令 %s;/help 列出所有命令", name))
	}
	return false
}

// switchTo asks another route from now on, where there is one.
func (c *conversation) switchTo(route string) {
	if _, err := c.models(route); err != nil {
		fmt.Fprintln(c.stderr, "bendi:", err)
		return
	}
	c.route = route
}
