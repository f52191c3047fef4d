package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// translateHelp puts what cobra itself writes into help texts into Chinese,
// where the messages are.
func (p *program) translateHelp(root *cobra.Command) {
	if !p.chinese() {
		return
	}
	root.PersistentFlags().BoolP("help", "h", false, "显示帮助")
	root.SetUsageTemplate(strings.NewReplacer(
		"Usage:", "用法：",
		"Aliases:", "别名：",
		"Examples:", "示例：",
		"Available Commands:", "命令：",
		"Additional Commands:", "其他命令：",
		"Global Flags:", "通用参数：",
		"Flags:", "参数：",
		"Additional help topics:", "其他主题：",
		`Use "{{.CommandPath}} [command] --help" for more information about a command.`,
		`用 "{{.CommandPath}} [command] --help" 查看某个命令的用法。`,
	).Replace(root.UsageTemplate()))
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Short = "说明某个命令的用法"
		case "completion":
			cmd.Short = "生成 shell 的自动补全脚本"
			for _, shell := range cmd.Commands() {
				shell.Short = "生成 " + shell.Name() + " 的自动补全脚本"
			}
		}
	}
}
