package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"bendi/ledger/audit"
)

func (p *program) usageCommand() *cobra.Command {
	var dir, by, from, to, format string
	cmd := &cobra.Command{
		Use:   "usage",
		Short: p.say("Say how much was used, by key, model, route or day", "按密钥、模型、路由或日期统计用量"),
		Long: p.say(
			"Say how much was used, from the records of the ledger: requests, tokens, and what they cost by ledger.prices. Days are those of UTC.",
			"根据审计日志的记录统计用量：请求数、token 数，以及按 ledger.prices 计算的费用。日期按 UTC。"),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if format != "table" && format != "json" && format != "csv" {
				return usage(fmt.Errorf("--format is table, json or csv, not %q", format))
			}
			dir, cfg, err := p.ledgerOf(dir)
			if err != nil {
				return err
			}
			q := usageQuery(cfg, by, from, to)
			if err := q.Check(); err != nil {
				return usage(fmt.Errorf("--%w", err))
			}
			if _, err := os.Stat(dir); err != nil {
				return p.noLedger(dir)
			}
			rows, err := (&audit.Index{Dir: dir}).Usage(q)
			switch {
			case err != nil:
				return err
			case format == "json":
				return json.NewEncoder(p.stdout).Encode(rows)
			case format == "csv":
				return audit.WriteUsageCSV(p.stdout, rows)
			}
			p.printUsage(q.By, rows)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", p.say("folder of the ledger (default: ledger in the folder data)", "审计日志所在目录（默认：data 目录下的 ledger）"))
	f.StringVar(&by, "by", "key,model", p.say("day, key, model or route, or several with commas", "day、key、model 或 route，可用逗号写多个"))
	f.StringVar(&from, "from", "", p.say("first day, such as 2026-11-01", "起始日期，如 2026-11-01"))
	f.StringVar(&to, "to", "", p.say("last day", "结束日期（含）"))
	f.StringVar(&format, "format", "table", p.say("table, json or csv", "table、json 或 csv"))
	return cmd
}

func (p *program) printUsage(by []string, rows []audit.Row) {
	if len(rows) == 0 {
		fmt.Fprintln(p.stdout, p.say("nothing was used", "没有用量"))
		return
	}
	names := map[string]string{"day": p.say("DAY", "日期"), "key": p.say("KEY", "密钥"), "model": p.say("MODEL", "模型"), "route": p.say("ROUTE", "路由")}
	var head []string
	for _, name := range by {
		head = append(head, names[name])
	}
	table := [][]string{append(head, p.say("REQUESTS", "请求"), p.say("FAILED", "失败"), p.say("PROMPT", "提示词"), p.say("COMPLETION", "回答"), p.say("COST", "费用"))}
	for _, r := range rows {
		values := map[string]string{"day": r.Day, "key": r.Key, "model": r.Model, "route": r.Route}
		var row []string
		for _, name := range by {
			row = append(row, dash(values[name]))
		}
		table = append(table, append(row, cells(r.Requests, r.Failed, r.Prompt, r.Completion, dash(r.CostText()))...))
	}
	printTable(p.stdout, "", table...)
}
