package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"bendi/openaicompat"
)

const (
	sessionsPath = "/v1/sessions"
	resealPath   = "/admin/sessions/reseal"
	verifyPath   = "/admin/sessions/verify"
)

// A sessionsOf says whose sessions a command is about.
type sessionsOf struct{ server, key, user string }

func (o *sessionsOf) path(id, rest string, query url.Values) string {
	path := sessionsPath
	if id != "" {
		path += "/" + url.PathEscape(id) + rest
	}
	if query == nil {
		query = url.Values{}
	}
	if o.key != "" {
		query.Set("key", o.key)
	}
	if o.user != "" {
		query.Set("user", o.user)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

func (p *program) sessionsCommand() *cobra.Command {
	var of sessionsOf
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: p.say("List, show, export and delete the conversations that a server remembers", "列出、查看、导出和删除服务所记忆的会话"),
		Long: p.say(
			"List, show, export and delete the sessions of the key in BENDI_API_KEY. A key with admin: true may name another one by --key.",
			"列出、查看、导出和删除 BENDI_API_KEY 所属密钥的会话。带 admin: true 的密钥可用 --key 指定其他密钥。"),
	}
	f := cmd.PersistentFlags()
	serverFlag(f, p, &of.server)
	f.StringVar(&of.key, "key", "", p.say("whose sessions, by the name of the key", "密钥名称，指定其会话"))
	f.StringVar(&of.user, "user", "", p.say("of which user of the key, where users have sessions of their own", "密钥下的用户（按用户隔离会话时）"))
	cmd.AddCommand(p.sessionsListCommand(&of), p.sessionsShowCommand(&of), p.sessionsExportCommand(&of), p.sessionsDeleteCommand(&of), p.sessionsResealCommand(&of), p.sessionsVerifyCommand(&of))
	return cmd
}

// A sessionLine is what the server tells of a session.
type sessionLine struct {
	ID      string     `json:"id"`
	Used    int64      `json:"used_at"`
	Expires int64      `json:"expires_at"`
	Bytes   int        `json:"bytes"`
	Turns   []turnLine `json:"turns"`
}

type turnLine struct {
	Created     int64  `json:"created_at"`
	Model       string `json:"model"`
	Interrupted bool   `json:"interrupted"`
	Messages    []struct {
		Role    string `json:"role"`
		Content any    `json:"content"`
	} `json:"messages"`
}

func (p *program) sessionsListCommand(of *sessionsOf) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: p.say("List sessions, those used last first", "列出会话，最近使用的在前"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := []sessionLine{}
			for after := ""; ; {
				var page struct {
					Data []sessionLine `json:"data"`
					Next string        `json:"next"`
				}
				query := url.Values{"limit": {"100"}}
				if after != "" {
					query.Set("after", after)
				}
				if err := p.admin(cmd.Context(), of.server, http.MethodGet, of.path("", "", query), nil, &page); err != nil {
					return err
				}
				all = append(all, page.Data...)
				if after = page.Next; after == "" {
					break
				}
			}
			if output == "json" {
				return json.NewEncoder(p.stdout).Encode(all)
			}
			if len(all) == 0 {
				fmt.Fprintln(p.stdout, p.say("no sessions", "没有会话"))
				return nil
			}
			rows := [][]string{cells("ID", "USED", "EXPIRES", "BYTES")}
			for _, s := range all {
				rows = append(rows, cells(s.ID, moment(s.Used), moment(s.Expires), s.Bytes))
			}
			printTable(p.stdout, "", rows...)
			return nil
		},
	}
	outputFlag(cmd, p, &output)
	return cmd
}

func moment(unix int64) string { return time.Unix(unix, 0).Format(time.DateTime) }

func (p *program) sessionsShowCommand(of *sessionsOf) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: p.say("Show the turns of a session", "查看一个会话的各轮对话"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var raw json.RawMessage
			if err := p.admin(cmd.Context(), of.server, http.MethodGet, of.path(args[0], "", nil), nil, &raw); err != nil {
				return err
			}
			if output == "json" {
				_, err := fmt.Fprintln(p.stdout, string(raw))
				return err
			}
			var s sessionLine
			if err := json.Unmarshal(raw, &s); err != nil {
				return err
			}
			for _, t := range s.Turns {
				note := ""
				if t.Interrupted {
					note = p.say("  interrupted", "  已中断")
				}
				fmt.Fprintf(p.stdout, "-- %s  %s%s\n", moment(t.Created), t.Model, note)
				for _, m := range t.Messages {
					text, isText := m.Content.(string)
					if !isText {
						other, err := json.Marshal(m.Content)
						if err != nil {
							return err
						}
						text = string(other)
					}
					fmt.Fprintf(p.stdout, "%s: %s\n", m.Role, text)
				}
			}
			return nil
		},
	}
	outputFlag(cmd, p, &output)
	return cmd
}

func (p *program) sessionsExportCommand(of *sessionsOf) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "export ID",
		Short: p.say("Write the messages of a session as a request has them", "以请求消息的格式导出会话"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var raw json.RawMessage
			if err := p.admin(cmd.Context(), of.server, http.MethodGet, of.path(args[0], "/export", nil), nil, &raw); err != nil {
				return err
			}
			if file == "" {
				_, err := fmt.Fprintln(p.stdout, string(raw))
				return err
			}
			return os.WriteFile(file, append(raw, '\n'), 0o600)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", p.say("file to write (default: standard output)", "写入的文件（默认：标准输出）"))
	return cmd
}

func (p *program) sessionsDeleteCommand(of *sessionsOf) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "delete [ID]",
		Short: p.say("Delete a session, or with --all every one", "删除一个会话，或用 --all 删除全部"),
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return usage(errors.New(p.say("name a session, or say --all", "请指定一个会话，或使用 --all")))
			}
			id := ""
			if len(args) == 1 {
				if id = args[0]; id == "" {
					return usage(errors.New(p.say("the name of a session is not empty", "会话名称不能为空")))
				}
			}
			var answer struct{ Deleted int }
			if err := p.admin(cmd.Context(), of.server, http.MethodDelete, of.path(id, "", nil), nil, &answer); err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, p.sayf("%d deleted", "已删除 %d 个", answer.Deleted))
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, p.say("delete every session", "删除全部会话"))
	return cmd
}

func (p *program) sessionsResealCommand(of *sessionsOf) *cobra.Command {
	return &cobra.Command{
		Use:   "reseal",
		Short: p.say("Encrypt every session by the first of the encryption keys, so that the others can go", "用第一个加密密钥重新加密全部会话，之后可移除其余密钥"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer struct {
				Resealed, All int
				Fault         string
			}
			if err := p.admin(cmd.Context(), of.server, http.MethodPost, resealPath, struct{}{}, &answer); err != nil {
				return err
			}
			if answer.Fault != "" {
				return exitError{code: exitProblems, err: errors.New(answer.Fault)}
			}
			fmt.Fprintln(p.stdout, p.sayf("%d of %d sessions were encrypted again", "共 %[2]d 个会话，重新加密了 %[1]d 个", answer.Resealed, answer.All))
			return nil
		},
	}
}

func (p *program) sessionsVerifyCommand(of *sessionsOf) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: p.say("Read every session of every key, and say whether the store is whole", "读取全部密钥的全部会话，检查存储是否完好"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer struct {
				Verified int
				Fault    string
			}
			if err := p.admin(cmd.Context(), of.server, http.MethodPost, verifyPath, struct{}{}, &answer); err != nil {
				return err
			}
			if answer.Fault != "" {
				return exitError{code: exitProblems, err: errors.New(answer.Fault)}
			}
			fmt.Fprintln(p.stdout, p.sayf("%d sessions were read, all are whole", "已读取 %d 个会话，全部完好", answer.Verified))
			return nil
		},
	}
}

// sessionActions are what the operator may have done about sessions.
func (h *house) sessionActions() []openaicompat.Action {
	if h.ground.memory == nil {
		return nil
	}
	return []openaicompat.Action{{Method: http.MethodPost, Path: resealPath, Do: func(ctx context.Context, _ []byte) (any, error) {
		resealed, all, err := h.ground.memory.Reseal(ctx)
		return orFault(map[string]any{"resealed": resealed, "all": all}, err), nil
	}}, {Method: http.MethodPost, Path: verifyPath, Do: func(ctx context.Context, _ []byte) (any, error) {
		n, err := h.ground.memory.Verify(ctx)
		return orFault(map[string]any{"verified": n}, err), nil
	}}}
}

// orFault adds to what the operator is told what is wrong with a session.
func orFault(answer map[string]any, err error) map[string]any {
	if err != nil {
		answer["fault"] = err.Error()
	}
	return answer
}
