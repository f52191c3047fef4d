package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bendi/experiment"
	results "bendi/experiment/report"
)

func (p *program) abCommand() *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:   "ab",
		Short: p.say("Start, watch and stop experiments of a running server", "启动、查看和停止运行中服务的实验"),
		Long: p.say(
			"Start, watch and stop the experiments that are under experiments: in the configuration of a running server. A server with API keys wants one with admin: true, in BENDI_API_KEY.",
			"启动、查看和停止运行中服务的实验；实验写在其配置的 experiments: 中。设有 API 密钥的服务需要一个带 admin: true 的密钥，放在环境变量 BENDI_API_KEY 中。"),
	}
	serverFlag(cmd.PersistentFlags(), p, &server)
	cmd.AddCommand(p.abListCommand(&server), p.abStatusCommand(&server), p.abStartCommand(&server), p.abStopCommand(&server), p.abReportCommand(&server))
	return cmd
}

// experiments asks the server for its experiments: for all, or for one.
func (p *program) experiments(cmd *cobra.Command, server, name string) ([]experiment.Status, error) {
	var answer struct{ Experiments []experiment.Status }
	if err := p.admin(cmd.Context(), server, http.MethodGet, experimentsPath, nil, &answer); err != nil || name == "" {
		return answer.Experiments, err
	}
	i := slices.IndexFunc(answer.Experiments, func(s experiment.Status) bool { return s.Name == name })
	if i >= 0 {
		return answer.Experiments[i : i+1], nil
	}
	var names []string
	for _, s := range answer.Experiments {
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf(p.say("there is no experiment %q, and no other: write one under experiments: in the configuration", "没有实验 %q，也没有其他实验：请在配置的 experiments: 中编写"), name)
	}
	return nil, fmt.Errorf(p.say("there is no experiment %q; there are: %s", "没有实验 %q；现有：%s"), name, strings.Join(names, ", "))
}

func (p *program) abListCommand(server *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: p.say("List the experiments", "列出实验"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := p.experiments(cmd, *server, "")
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(p.stdout).Encode(all)
			}
			if len(all) == 0 {
				return p.printNoExperiments()
			}
			rows := [][]string{cells(p.say("NAME", "名称"), p.say("ROUTE", "路由"), p.say("STATE", "状态"), p.say("ARMS", "分组"))}
			for _, s := range all {
				var arms []string
				for _, a := range s.Arms {
					arms = append(arms, fmt.Sprintf("%s %d", a.Name, a.Requests))
				}
				rows = append(rows, cells(s.Name, s.Route, p.stateText(s), strings.Join(arms, ", ")))
			}
			printTable(p.stdout, "", rows...)
			return nil
		},
	}
	outputFlag(cmd, p, &output)
	return cmd
}

func (p *program) printNoExperiments() error {
	_, err := fmt.Fprintln(p.stdout, p.say("no experiments: they are written under experiments: in the configuration", "没有实验：实验写在配置的 experiments: 中"))
	return err
}

func (p *program) abStatusCommand(server *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: p.say("Say how an experiment is, or all of them", "显示一个或全部实验的状态"),
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := p.experiments(cmd, *server, strings.Join(args, ""))
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(p.stdout).Encode(all)
			}
			if len(all) == 0 {
				return p.printNoExperiments()
			}
			for i, s := range all {
				if i > 0 {
					fmt.Fprintln(p.stdout)
				}
				p.printStatus(s)
			}
			return nil
		},
	}
	outputFlag(cmd, p, &output)
	return cmd
}

func (p *program) abStartCommand(server *string) *cobra.Command {
	return &cobra.Command{
		Use:   "start NAME",
		Short: p.say("Start an experiment; what was counted before counts no more", "启动实验；此前的统计不再计入"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s experiment.Status
			if err := p.admin(cmd.Context(), *server, http.MethodPost, startPath, order{Name: args[0]}, &s); err != nil {
				return err
			}
			p.printStatus(s)
			return nil
		},
	}
}

func (p *program) abStopCommand(server *string) *cobra.Command {
	var winner string
	cmd := &cobra.Command{
		Use:   "stop NAME",
		Short: p.say("Stop an experiment; then the winner answers everybody, or else the control", "停止实验；此后由胜出的一组应答，未指定则由对照组应答"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s experiment.Status
			if err := p.admin(cmd.Context(), *server, http.MethodPost, stopPath, order{args[0], winner}, &s); err != nil {
				return err
			}
			p.printStatus(s)
			return nil
		},
	}
	cmd.Flags().StringVar(&winner, "winner", "", p.say("arm that answers everybody from now on (default: the control)", "此后由哪一组应答（默认：对照组）"))
	return cmd
}

func (p *program) abReportCommand(server *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "report NAME",
		Short: p.say("Say what an experiment has shown so far; it may be read at any time", "显示实验目前的结果；可随时查看"),
		Args:  cobra.ExactArgs(1),
		PreRunE: func(*cobra.Command, []string) error {
			if !slices.Contains([]string{"table", "json", "md", "svg"}, output) {
				return usage(fmt.Errorf("--output is table, json, md or svg, not %q", output))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r := new(results.Report)
			if err := p.admin(cmd.Context(), *server, http.MethodPost, reportPath, order{Name: args[0]}, r); err != nil {
				return err
			}
			language := results.English
			if p.chinese() {
				language = results.Chinese
			}
			switch output {
			case "json":
				e := json.NewEncoder(p.stdout)
				e.SetIndent("", "  ")
				return e.Encode(r)
			case "svg":
				fmt.Fprintln(p.stdout, r.SVG(language))
			case "md":
				fmt.Fprint(p.stdout, r.Markdown(language))
			default:
				p.printMarkdown(r.Markdown(language))
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", p.say("table, json, md or svg", "table、json、md 或 svg"))
	return cmd
}

// printMarkdown prints a text of paragraphs and tables for a terminal, with
// columns in line.
func (p *program) printMarkdown(text string) {
	var rows [][]string
	flush := func() {
		printTable(p.stdout, "", rows...)
		rows = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if !strings.HasPrefix(line, "|") {
			flush()
			fmt.Fprintln(p.stdout, strings.TrimLeft(line, "# "))
			continue
		}
		var row []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), " | ") {
			row = append(row, strings.ReplaceAll(strings.TrimSpace(cell), `\|`, "|"))
		}
		if strings.Trim(line, "|-: ") != "" {
			rows = append(rows, row)
		}
	}
	flush()
}

// stateText says in a word or two how an experiment is.
func (p *program) stateText(s experiment.Status) string {
	switch {
	case s.State == experiment.Waiting:
		return p.say("not started", "未启动")
	case s.State == experiment.Running:
		return p.say("running", "运行中")
	case s.Winner != "":
		return p.sayf("stopped, winner %s", "已停止，胜出 %s", s.Winner)
	}
	return p.say("stopped", "已停止")
}

// printStatus says how an experiment is.
func (p *program) printStatus(s experiment.Status) {
	text := p.sayf("%s on %s: %s", "%s（%s）：%s", s.Name, s.Route, p.stateText(s))
	if s.Since != nil {
		text += p.sayf(", since %s", "，自 %s", s.Since.Local().Format("2006-01-02 15:04:05"))
	}
	fmt.Fprintln(p.stdout, text)
	rows := [][]string{cells(p.say("ARM", "组"), p.say("SHARE", "占比"), p.say("REQUESTS", "请求"), p.say("UNITS", "单位"), "")}
	sum := 0
	for _, a := range s.Arms {
		if !a.Shadow {
			sum += a.Weight
		}
	}
	for _, a := range s.Arms {
		share, note := fmt.Sprintf("%.0f %%", 100*float64(a.Weight)/float64(max(sum, 1))), ""
		switch {
		case a.Shadow:
			share, note = p.say("copies", "副本"), p.say("shadow", "影子组")
		case a.Control:
			note = p.say("control", "对照组")
		}
		if a.Stopped != "" {
			note = strings.TrimPrefix(note+p.sayf(", stopped by the guard %s", "，被护栏 %s 停用", a.Stopped), p.say(", ", "，"))
		}
		rows = append(rows, cells(a.Name, share, a.Requests, a.Units, note))
	}
	printTable(p.stdout, "  ", rows...)
	for _, why := range slices.Sorted(maps.Keys(s.Excluded)) {
		fmt.Fprintln(p.stdout, p.sayf("  not counted: %d, %s", "  未计入：%d，%s", s.Excluded[why], p.excludedText(why)))
	}
	if s.Damaged > 0 {
		fmt.Fprintln(p.stdout, p.sayf("  %d lines of its file cannot be read and do not count", "  其文件中有 %d 行无法读取，未计入", s.Damaged))
	}
}

// excludedText says why a request counts in no arm.
func (p *program) excludedText(why string) string {
	switch why {
	case experiment.BackgroundOf:
		return p.say("asked by a chat front end for itself (titles, tags, suggestions)", "聊天前端自身的请求（标题、标签、建议等）")
	case experiment.NoMessages:
		return p.say("a text to be gone on with, and some arm sets a system message", "续写文本的请求，而某组设有系统提示")
	case experiment.NoUnit:
		return p.say("nobody knows who asks: no session, user or key", "无法确定归属：没有会话、用户或密钥")
	case experiment.NotAllowed:
		return p.say("some arm may not be told it (egress)", "按外发策略，某组不得接收")
	case experiment.ArmStopped:
		return p.say("its arm was stopped by a guard", "所属的组已被护栏停用")
	case experiment.OtherModel:
		return p.say("it asks for another model than the experiment is about", "请求的不是实验所涉的模型")
	case experiment.NotRunning:
		return p.say("the experiment does not run", "实验未在运行")
	case experiment.ShadowBusy:
		return p.say("copies left out, since too many were being answered", "副本被略过：正在处理的副本过多")
	case experiment.ShadowNotTold:
		return p.say("copies that the shadow arm may not be told (egress)", "按外发策略，影子组不得接收的副本")
	}
	return why
}

// printExperiments says which experiments there are.
func (p *program) printExperiments(line func(label, format string, args ...any), all []experiment.Status) {
	label := p.say("ab", "实验")
	for _, s := range all {
		var arms []string
		for _, a := range s.Arms {
			text := a.Name
			if a.Shadow {
				text += p.say(" (shadow)", "（影子组）")
			}
			if a.Stopped != "" {
				text += p.say(" (STOPPED)", "（已停用）")
			}
			arms = append(arms, text)
		}
		line(label, "%s", p.sayf("%s on %s: %s; %s", "%s（%s）：%s；%s", s.Name, s.Route, p.stateText(s), strings.Join(arms, ", ")))
		label = ""
	}
}
