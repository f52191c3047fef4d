// Command bendi serves the models on this machine over one OpenAI-compatible
// API, and talks with them. Try
//
//	bendi serve
//	bendi chat
//	bendi help
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/models"
)

// Exit codes.
const (
	exitFine        = 0
	exitFailed      = 1
	exitUsage       = 2 // usage or configuration
	exitProblems    = 3 // a check found problems
	exitInterrupted = 130
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program. It returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, signals: signals}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return exitFine
	}
	if exit, ok := errors.AsType[exitError](err); ok {
		if exit.err != nil {
			fmt.Fprintln(stderr, "bendi:", exit.err)
		}
		return exit.code
	}
	fmt.Fprintln(stderr, "bendi:", err)
	return exitFailed
}

// An exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error // nil: everything has been said
}

func (e exitError) Error() string { return fmt.Sprintf("exit code %d: %v", e.code, e.err) }
func (e exitError) Unwrap() error { return e.err }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return exitError{exitUsage, err}
}

// program is what the commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	signals        <-chan os.Signal

	configFile string
	language   string
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:                        "bendi",
		SuggestionsMinimumDistance: 2,
		Short:                      p.say("A local-first model server and gateway", "本地优先的模型服务与网关"),
		Long: p.say(
			"Bendi (本地) serves the models on your own machine over one OpenAI-compatible API.",
			"Bendi(本地)把您自己机器上的模型，用一套兼容 OpenAI 的接口提供出来。"),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&p.configFile, "config", "c", "", p.say("configuration file (default: ./bendi.yaml, ..., else the built-in one)", "配置文件(默认：./bendi.yaml 等，否则用内置配置)"))
	flags.StringVar(&p.language, "lang", "", p.say("language of messages: en or zh (default: from BENDI_LANG, LC_ALL or LANG)", "消息语言：en 或 zh(默认取自 BENDI_LANG、LC_ALL 或 LANG)"))
	root.AddCommand(p.serveCommand(), p.chatCommand(), p.modelsCommand(), p.adaptersCommand(), p.abCommand(), p.sessionsCommand(), p.auditCommand(), p.usageCommand(), p.relayCommand(), p.linkCommand(), p.keyCommand(), p.tokenCommand(), p.configCommand(), p.doctorCommand(), p.reloadCommand(), p.healthCommand(), p.tlsCommand(), p.explainCommand(), p.filterCommand(), p.versionCommand())
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if p.language != "" && p.language != "en" && p.language != "zh" {
			return usage(fmt.Errorf("--lang is en or zh, not %q", p.language))
		}
		return nil
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	p.translateHelp(root)
	strict(root)
	return root
}

// strict makes wrong arguments of cmd and its subcommands usage errors, an
// unknown subcommand among them.
func strict(cmd *cobra.Command) {
	if !cmd.Runnable() && cmd.HasSubCommands() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			text := fmt.Sprintf("%q is no command of `%s`", args[0], cmd.CommandPath())
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				text += "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return usage(fmt.Errorf("%s; see `%s --help`", text, cmd.CommandPath()))
		}
	} else if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// load reads the configuration, with what flags say about it.
func (p *program) load(flags map[string]string) (*config.Config, *config.Origins, models.Home, error) {
	src, home, err := p.source(flags)
	if err != nil {
		return nil, nil, home, err
	}
	cfg, origins, err := src.read()
	return cfg, origins, home, p.wrong(err)
}

// source returns where the configuration comes from.
func (p *program) source(flags map[string]string) (*source, models.Home, error) {
	home, err := models.FindHome()
	return &source{options: config.Options{File: p.configFile, Flags: flags, Home: home.Dir}}, home, err
}

// wrong says of what the faults are that a source has found.
func (p *program) wrong(err error) error {
	if exit, ok := errors.AsType[exitError](err); ok {
		return usage(fmt.Errorf("%s\n%w", p.say("the configuration is wrong:", "配置有误："), exit.err))
	}
	return err
}
