package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/ledger/audit"
	"bendi/ledger/chain"
)

func (p *program) auditCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: p.say("Verify, search and export the ledger of requests", "校验、查询和导出请求的审计日志"),
		Long: p.say(
			"Verify, search and export the ledger: a record of each request, in files where every change is found. The files are read as they are; a server may run meanwhile.",
			"校验、查询和导出审计日志：每个请求一条记录，任何篡改都能查出。命令直接读取文件，服务可以同时运行。"),
	}
	cmd.PersistentFlags().StringVar(&dir, "dir", "", p.say("folder of the ledger (default: ledger in the folder data)", "审计日志所在目录（默认：data 目录下的 ledger）"))
	cmd.AddCommand(p.auditVerifyCommand(&dir), p.auditHeadCommand(&dir), p.auditQueryCommand(&dir), p.auditExportCommand(&dir), p.auditTextCommand())
	return cmd
}

// ledgerOf returns the folder of the ledger, and the configuration.
func (p *program) ledgerOf(dir string) (string, *config.Config, error) {
	cfg, _, _, err := p.load(nil)
	if err != nil {
		return "", nil, err
	}
	if dir == "" {
		if dir, err = ledgerDir(cfg); err != nil {
			return "", nil, err
		}
	}
	return dir, cfg, nil
}

// noLedger says that there is none in a folder.
func (p *program) noLedger(dir string) error {
	return fmt.Errorf(p.say("there is no ledger in %s; name its folder with --dir, or the configuration with --config", "%s 中没有审计日志；请用 --dir 指定其目录，或用 --config 指定配置"), dir)
}

// verify verifies the ledger by the key of the configuration and others.
func (p *program) verify(dir string, keyFiles []string, head string) (*chain.Report, error) {
	dir, cfg, err := p.ledgerOf(dir)
	if err != nil {
		return nil, err
	}
	var o chain.VerifyOptions
	if file := string(cfg.Ledger.KeyFile); file != "" && !slices.Contains(keyFiles, file) {
		keyFiles = append(keyFiles, file)
	}
	for _, file := range keyFiles {
		key, err := ledgerKey(file)
		if err != nil {
			return nil, usage(err)
		}
		o.Keys = append(o.Keys, key)
	}
	if head != "" {
		noted, err := chain.ParseHead(head)
		if err != nil {
			return nil, usage(fmt.Errorf("--head: %w", err))
		}
		o.Head = &noted
	}
	r, err := chain.Verify(dir, o)
	if errors.Is(err, fs.ErrNotExist) {
		err = p.noLedger(dir)
	}
	return r, err
}

func (p *program) auditVerifyCommand(dir *string) *cobra.Command {
	var head, output string
	var keyFiles []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: p.say("Find out whether anything in the ledger was changed, removed or added", "检查审计日志是否被改动、删除或插入"),
		Long: p.say(
			"Find out whether anything in the ledger was changed, removed, added or put elsewhere. The exit code is 0 when it is whole and 3 when it is not. A head that `bendi audit head` printed, and that was noted elsewhere, proves it to there, whoever could write the files.",
			"检查审计日志是否被改动、删除、插入或调换次序。完整时退出码为 0，否则为 3。用 --head 给出先前由 `bendi audit head` 输出并另行保存的值，可证明截至该处的记录，无论谁能写这些文件。"),
		Args: cobra.NoArgs,
	}
	outputFlag(cmd, p, &output)
	cmd.Flags().StringVar(&head, "head", "", p.say("head that was noted, SEQ:HASH", "先前保存的链头，序号:哈希"))
	cmd.Flags().StringArrayVar(&keyFiles, "key-file", nil, p.say("file with a key of the hashes, besides that of the configuration; may be given several times", "哈希密钥文件，补充配置中的那个；可多次给出"))
	cmd.RunE = func(*cobra.Command, []string) error {
		r, err := p.verify(*dir, keyFiles, head)
		if err != nil {
			return err
		}
		if output == "json" {
			if err := json.NewEncoder(p.stdout).Encode(r); err != nil {
				return err
			}
		} else {
			p.printVerified(r)
		}
		if len(r.Problems) > 0 {
			return exitError{code: exitProblems}
		}
		return nil
	}
	return cmd
}

func (p *program) printVerified(r *chain.Report) {
	out := func(text string) { fmt.Fprintln(p.stdout, text) }
	for _, problem := range r.Problems {
		out(problem.String())
	}
	if r.More > 0 {
		out(p.sayf("and %d more", "以及另外 %d 处", r.More))
	}
	if r.Rest > 0 {
		out(p.sayf("the last line is not whole (%d bytes): it is being written, or the program was killed, and the next start puts it aside", "最后一行不完整（%d 字节）：正在写入，或进程被杀；下次启动时会将其移开", r.Rest))
	}
	if r.Torn > 0 {
		out(p.sayf("%d torn lines were put aside after the program had been killed", "进程被杀后曾移开 %d 个残行", r.Torn))
	}
	if r.Lost > 0 {
		out(p.sayf("%d records were lost while they could not be written, as the ledger says", "无法写入期间丢失 %d 条记录（日志中已注明）", r.Lost))
	}
	if r.Refused > 0 {
		out(p.sayf("%d requests were refused while records could not be written, as the ledger says", "无法写入期间拒绝了 %d 个请求（日志中已注明）", r.Refused))
	}
	if r.Retired > 0 {
		out(p.sayf("%d lines were removed because of their age, as the ledger says", "因超过保留期删除了 %d 行（日志中已注明）", r.Retired))
	}
	span := p.sayf("%d lines (files: %d), from %s to %s", "%d 行，%d 个文件，%s 至 %s", r.Lines, r.Files, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	switch {
	case len(r.Problems) > 0:
		out(p.sayf("NOT WHOLE: %d problems in %s", "不完整：%d 处问题；%s", len(r.Problems)+r.More, span))
	case r.Keyed:
		out(p.sayf("whole: %s; nobody without the key can have made them", "完整：%s；没有密钥无法伪造", span))
	default:
		out(p.sayf("whole: %s", "完整：%s", span))
	}
	if r.Last > 0 {
		out(p.sayf("head %s", "链头 %s", chain.Head{Seq: r.Last, Hash: r.Hash}))
	}
}

func (p *program) auditHeadCommand(dir *string) *cobra.Command {
	var keyFiles []string
	cmd := &cobra.Command{
		Use:   "head",
		Short: p.say("Print the head of the ledger, to be noted elsewhere", "输出审计日志的链头，供另行保存"),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, err := p.verify(*dir, keyFiles, "")
			if err != nil {
				return err
			}
			if len(r.Problems) > 0 {
				fmt.Fprintln(p.stderr, p.say("the ledger is not whole; `bendi audit verify` says where:", "审计日志不完整，详见 `bendi audit verify`："), r.Problems[0])
				return exitError{code: exitProblems}
			}
			fmt.Fprintln(p.stdout, chain.Head{Seq: r.Last, Hash: r.Hash})
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&keyFiles, "key-file", nil, p.say("file with a key of the hashes, besides that of the configuration", "哈希密钥文件，补充配置中的那个"))
	return cmd
}

// A wanted is which records a command is about, as its flags have it.
type wanted struct {
	audit.Query
	since, to, session string
}

func (w *wanted) flags(p *program, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.Key, "key", "", p.say("who asked, or whose session an operator dealt with, by the name of the key", "密钥名称：请求者，或管理员所操作会话的主人"))
	f.StringVar(&w.Object, "object", "", p.say("key, adapter or experiment that an operator dealt with, by its name", "管理员所操作的密钥、适配器或实验的名称"))
	f.StringVar(&w.Route, "route", "", p.say("path of the route", "路由路径"))
	f.StringVar(&w.Model, "model", "", p.say("model", "模型"))
	f.StringVar(&w.Backend, "backend", "", p.say("who answered", "应答的后端"))
	f.StringVar(&w.Zone, "zone", "", p.say("where that is: inside or outside", "后端位置：inside 或 outside"))
	f.StringVar(&w.Operation, "operation", "", p.say("what was asked for, such as chat or admin/reload", "请求的操作，如 chat 或 admin/reload"))
	f.StringVar(&w.Outcome, "outcome", "", p.say("success, failed or gone", "结果：success、failed 或 gone"))
	f.StringVar(&w.Code, "code", "", p.say("code of the error, such as content_filter", "错误代码，如 content_filter"))
	f.IntVar(&w.Status, "status", 0, p.say("status of HTTP", "HTTP 状态码"))
	f.StringVar(&w.ID, "id", "", p.say("id of the request or the answer", "请求或回答的 id"))
	f.StringVar(&w.session, "session", "", p.say("session of --key, by its name", "--key 的会话名"))
	f.StringVar(&w.since, "from", "", p.say("a day (UTC), a time, or how long ago, such as 24h or 7d", "起始：日期（UTC）、时间，或多久以前，如 24h、7d"))
	f.StringVar(&w.since, "since", "", p.say("another name of --from", "同 --from"))
	f.StringVar(&w.to, "to", "", p.say("likewise, before which", "截止（不含），写法同上"))
}

// query returns the query that the flags say.
func (w *wanted) query() (audit.Query, error) {
	q := w.Query
	var err error
	now := time.Now()
	if q.From, err = audit.ParseTime(w.since, now); err != nil {
		return q, usage(fmt.Errorf("--from: %w", err))
	}
	if q.To, err = audit.ParseTime(w.to, now); err != nil {
		return q, usage(fmt.Errorf("--to: %w", err))
	}
	if w.Outcome != "" && !slices.Contains([]string{"success", "failed", "gone"}, w.Outcome) {
		return q, usage(fmt.Errorf("--outcome is success, failed or gone, not %q", w.Outcome))
	}
	q.Session = audit.SessionHash(w.Key, w.session)
	return q, nil
}

func (p *program) auditQueryCommand(dir *string) *cobra.Command {
	var w wanted
	var output string
	var limit int
	cmd := &cobra.Command{
		Use:   "query",
		Short: p.say("Find records", "查询记录"),
		Args:  cobra.NoArgs,
	}
	w.flags(p, cmd)
	outputFlag(cmd, p, &output)
	cmd.Flags().IntVar(&limit, "limit", 100, p.say("most records, the last of those found; 0: all", "最多显示多少条（取最后的）；0：全部"))
	cmd.RunE = func(*cobra.Command, []string) error {
		found, bad, err := p.find(*dir, w)
		if err != nil {
			return err
		}
		left := 0
		if limit > 0 && len(found) > limit {
			left = len(found) - limit
			found = found[left:]
		}
		if output == "json" {
			records := []*audit.Record{}
			for _, m := range found {
				records = append(records, m.Record)
			}
			if err := json.NewEncoder(p.stdout).Encode(records); err != nil {
				return err
			}
		} else {
			p.printRecords(found)
		}
		if left > 0 {
			fmt.Fprintln(p.stderr, p.sayf("%d earlier ones are not shown; --limit 0 shows all", "更早的 %d 条未显示；--limit 0 显示全部", left))
		}
		return p.unread(bad)
	}
	return cmd
}

// find returns the records that are wanted, and what could not be read.
func (p *program) find(dir string, w wanted) (found []audit.Match, bad []error, err error) {
	q, err := w.query()
	if err != nil {
		return nil, nil, err
	}
	if dir, _, err = p.ledgerOf(dir); err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, nil, p.noLedger(dir)
	}
	for m, err := range audit.Find(dir, q) {
		if err != nil {
			bad = append(bad, err)
			continue
		}
		m.Line.Text = bytes.Clone(m.Line.Text) // it is valid until the next only
		found = append(found, m)
	}
	return found, bad, nil
}

// unread says which lines could not be read.
func (p *program) unread(bad []error) error {
	if len(bad) == 0 {
		return nil
	}
	fmt.Fprintln(p.stderr, p.sayf("%d lines cannot be read, the first: %v; `bendi audit verify` says more", "有 %d 行无法读取，第一处：%v；详见 `bendi audit verify`", len(bad), bad[0]))
	return exitError{code: exitProblems}
}

func (p *program) printRecords(found []audit.Match) {
	if len(found) == 0 {
		fmt.Fprintln(p.stdout, p.say("no records", "没有记录"))
		return
	}
	rows := [][]string{cells(p.say("TIME", "时间"), p.say("KEY", "密钥"), p.say("OPERATION", "操作"), p.say("ROUTE", "路由"), p.say("MODEL", "模型"), p.say("BACKEND", "后端"), p.say("STATUS", "状态"), p.say("OUTCOME", "结果"), p.say("TOKENS", "TOKEN"), p.say("TIME MS", "毫秒"), "ID")}
	for _, m := range found {
		backend, outcome := m.Backend, m.Outcome
		if m.Zone == "outside" {
			backend += p.say(" (outside)", "（外部）")
		}
		if m.Code != "" {
			outcome += " " + m.Code
		}
		rows = append(rows, cells(m.Start.Local().Format(time.DateTime), dash(m.Key), dash(m.Operation), dash(m.Route), dash(m.Model), dash(backend), m.Status, outcome,
			fmt.Sprintf("%d+%d", m.Prompt, m.Completion), fmt.Sprintf("%.0f", m.Total), m.ID))
	}
	printTable(p.stdout, "", rows...)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (p *program) auditExportCommand(dir *string) *cobra.Command {
	var w wanted
	var format, file string
	cmd := &cobra.Command{
		Use:   "export",
		Short: p.say("Write records as JSON lines, as they are in the ledger, or as CSV", "导出记录：JSON 行（与日志中原样一致）或 CSV"),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			if format != "jsonl" && format != "csv" {
				return usage(fmt.Errorf("--format is jsonl or csv, not %q", format))
			}
			found, bad, err := p.find(*dir, w)
			if err != nil {
				return err
			}
			out := p.stdout
			if file != "" {
				f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				out = f
			}
			if format == "csv" {
				err = audit.WriteCSV(out, func(yield func(audit.Match, error) bool) {
					for _, m := range found {
						if !yield(m, nil) {
							return
						}
					}
				})
			} else {
				var b strings.Builder
				for _, m := range found {
					b.Write(m.Line.Text)
					b.WriteByte('\n')
				}
				_, err = fmt.Fprint(out, b.String())
			}
			if err != nil {
				return err
			}
			if file != "" {
				fmt.Fprintln(p.stdout, p.sayf("%d records in %s", "%d 条记录写入 %s", len(found), file))
			}
			return p.unread(bad)
		},
	}
	w.flags(p, cmd)
	cmd.Flags().StringVar(&format, "format", "jsonl", p.say("jsonl or csv", "jsonl 或 csv"))
	cmd.Flags().StringVar(&file, "file", "", p.say("file to write, which must not exist (default: standard output)", "写入的文件，须不存在（默认：标准输出）"))
	return cmd
}
