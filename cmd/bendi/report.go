package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"bendi/chat"
)

// A report says what came of a reload.
type report struct {
	Changes []change `json:"changes"`
	Restart []string `json:"needs_restart"` // settings that a running server keeps as they were
	Took    float64  `json:"seconds"`
}

func (p *program) reloadCommand() *cobra.Command {
	var server, output string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: p.say("Have a running server read its configuration again", "让运行中的服务重新读取配置"),
		Long: p.say(
			"Have a running server read its configuration again, and say what has changed. It does so by itself when a file of it changes, and on SIGHUP. A configuration that is wrong, or that cannot be had beside what runs, changes nothing; the exit code is 2 or 1 then. A server with API keys wants one with admin: true, in BENDI_API_KEY.",
			"让运行中的服务重新读取配置，并说明变化。配置文件改变或收到 SIGHUP 时，服务也会自行重新读取。配置有误，或无法与正在运行的内容并存时，什么都不变，退出码为 2 或 1。设有 API 密钥的服务需要一个带 admin: true 的密钥，放在环境变量 BENDI_API_KEY 中。"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := new(report)
			err := p.admin(cmd.Context(), server, http.MethodPost, reloadPath, struct{}{}, r)
			if said, ok := errors.AsType[*chat.Error](err); ok && said.Kind == chat.Invalid {
				return usage(err)
			}
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(p.stdout).Encode(r)
			}
			p.printReport(r)
			return nil
		},
	}
	serverFlag(cmd.Flags(), p, &server)
	outputFlag(cmd, p, &output)
	return cmd
}

// printReport says what came of a reload.
func (p *program) printReport(r *report) {
	if len(r.Changes) == 0 {
		fmt.Fprintln(p.stdout, p.say("nothing has changed", "没有变化"))
	}
	for _, c := range r.Changes {
		fmt.Fprintln(p.stdout, p.changeText(c))
	}
	if len(r.Restart) > 0 {
		fmt.Fprintln(p.stdout, p.sayf("needs a restart, and stays as it was: %s", "需要重启才能生效，暂时保持原样：%s", strings.Join(r.Restart, ", ")))
	}
}

// changeText says in a line what has changed.
func (p *program) changeText(c change) string {
	if !p.chinese() {
		return c.String()
	}
	what := map[string]string{"route": "路由", "model": "模型", "backend": "后端", "filter": "过滤策略", "experiment": "实验", "lexicons": "词库", "key": "密钥", "issuer": "令牌签发方", "setting": "设置"}[c.What]
	how := map[string]string{"added": "已添加", "removed": "已移除", "changed": "已更改"}[c.How]
	if c.Name == "" {
		return what + how
	}
	return what + " " + c.Name + " " + how
}
