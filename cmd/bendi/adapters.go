package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

func (p *program) adaptersCommand() *cobra.Command {
	var server, output string
	cmd := &cobra.Command{
		Use:   "adapters",
		Short: p.say("Load and unload LoRA adapters of a running server", "为运行中的服务加载和卸载 LoRA 适配器"),
		Long: p.say(
			"Load and unload LoRA adapters while the server runs; nothing else is interrupted. A server with API keys wants one with admin: true, in BENDI_API_KEY. What is loaded so lasts until the server ends.",
			"在服务运行期间加载和卸载 LoRA 适配器，不影响其他请求。设有 API 密钥的服务需要一个带 admin: true 的密钥，放在环境变量 BENDI_API_KEY 中。这样加载的适配器在服务停止后失效。"),
	}
	serverFlag(cmd.PersistentFlags(), p, &server)
	list := &cobra.Command{
		Use:   "list",
		Short: p.say("List the adapters of all models", "列出所有模型的适配器"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer struct{ Adapters []adapterBody }
			if err := p.admin(cmd.Context(), server, http.MethodGet, adaptersPath, nil, &answer); err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(p.stdout).Encode(answer.Adapters)
			}
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tFILE")
			for _, a := range answer.Adapters {
				fmt.Fprintf(w, "%s\t%s\n", a.ID, a.Path)
			}
			return w.Flush()
		},
	}
	outputFlag(list, p, &output)
	load := &cobra.Command{
		Use:   "load MODEL:NAME FILE",
		Short: p.say("Load an adapter from a file on the server's machine, in a folder of adapter_dirs", "从服务所在机器的文件加载适配器，文件须位于 adapter_dirs 的目录中"),
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := filepath.Abs(args[1])
			if err != nil {
				return err
			}
			if err := p.admin(cmd.Context(), server, http.MethodPost, loadAdapterPath, adapterBody{args[0], file}, nil); err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, p.sayf("%s is loaded", "%s 已加载", args[0]))
			return nil
		},
	}
	unload := &cobra.Command{
		Use:   "unload MODEL:NAME",
		Short: p.say("Unload an adapter, when the answers with it have ended", "卸载适配器；等待使用它的回答结束"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.admin(cmd.Context(), server, http.MethodPost, unloadAdapterPath, adapterBody{ID: args[0]}, nil); err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, p.sayf("%s is unloaded", "%s 已卸载", args[0]))
			return nil
		},
	}
	cmd.AddCommand(list, load, unload)
	return cmd
}

// admin asks a running server to do something, and reads its answer into out
// unless that is nil.
func (p *program) admin(ctx context.Context, server, method, path string, in, out any) error {
	ctx, stop := p.untilSignal(ctx)
	defer stop()
	server = strings.TrimSuffix(cmp.Or(server, os.Getenv("BENDI_SERVER"), defaultServer), "/")
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, server+path, body)
	if err != nil || req.URL.Host == "" {
		return usage(fmt.Errorf(p.say("--server wants a URL such as %s", "--server 需要一个 URL,例如 %s"), defaultServer))
	}
	req.Header.Set("Content-Type", "application/json")
	if key := os.Getenv("BENDI_API_KEY"); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if ctx.Err() != nil {
		return exitError{code: exitInterrupted}
	}
	if err != nil {
		return fmt.Errorf(p.say("nothing answers at %s: start it with `bendi serve`, or name another server with --server", "%s 没有响应：请用 `bendi serve` 启动服务，或用 --server 指定其他服务"), server)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 256<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		said := wire.DecodeError(res.StatusCode, text)
		return fmt.Errorf("%s: %w", res.Status, &chat.Error{Kind: said.Kind, Msg: said.Msg})
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
