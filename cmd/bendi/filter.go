package main

import (
	"github.com/spf13/cobra"
)

func (p *program) filterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "filter",
		Short: p.say("Try, check and measure the content filter and its lexicons", "试用、检查和评测内容过滤及其词库"),
		Long: p.say(
			`Try, check and measure the content filter and its lexicons:

  bendi filter test "text to look at"
  bendi filter lint words/*.yaml
  bendi filter eval bank.jsonl --sample 300`,
			`试用、检查和评测内容过滤及其词库：

  bendi filter test "要检查的文字"
  bendi filter lint words/*.yaml
  bendi filter eval bank.jsonl --sample 300`),
	}
	cmd.AddCommand(p.filterTestCommand(), p.filterShadowCommand(), p.filterBenchCommand(), p.filterLintCommand(), p.filterCoverageCommand(), p.filterImportCommand(), p.filterDiffCommand(), p.filterEvalCommand())
	return cmd
}
