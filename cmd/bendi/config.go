package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bendi/config"
)

func (p *program) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: p.say("Check and show the configuration", "检查和查看配置"),
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "validate [FILE]",
		Short: p.say("Report everything that is wrong with a configuration", "报告配置中的所有错误"),
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				p.configFile = args[0]
			}
			_, origins, _, err := p.load(nil)
			if err != nil {
				return err
			}
			source := origins.File
			if source == "" {
				source = p.say("the built-in configuration", "内置配置")
			}
			fmt.Fprintln(p.stdout, p.sayf("%s is fine", "%s 没有问题", source))
			return nil
		},
	})
	var origin bool
	show := &cobra.Command{
		Use:   "show",
		Short: p.say("Show every setting; secrets are hidden", "显示所有设置，密钥会隐藏"),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, origins, _, err := p.load(nil)
			if err != nil {
				return err
			}
			return p.showConfig(cfg, origins, origin)
		},
	}
	show.Flags().BoolVar(&origin, "origin", false, p.say("say where each setting comes from", "说明每项设置的来源"))
	cmd.AddCommand(show, &cobra.Command{
		Use:   "schema",
		Short: p.say("Print the JSON Schema of the configuration file, for editors", "输出配置文件的 JSON Schema,供编辑器使用"),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := p.stdout.Write(config.Schema())
			return err
		},
	})
	return cmd
}

func (p *program) showConfig(cfg *config.Config, origins *config.Origins, origin bool) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, s := range origins.Settings(cfg) {
		if origin {
			fmt.Fprintf(w, "%s\t%s\t# %s\n", s.Key, s.Value, s.Origin)
		} else {
			fmt.Fprintf(w, "%s\t%s\n", s.Key, s.Value)
		}
	}
	return w.Flush()
}
