package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// release is the version of this source; the commit comes from the build.
const release = "0.1.0"

// version returns the release, with the commit for a build between releases.
func version() string {
	commit, dirty := commit()
	switch {
	case commit == "":
		return release
	case dirty:
		return release + "+" + commit + ".modified"
	}
	return release + "+" + commit
}

func commit() (hash string, dirty bool) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", false
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			hash = s.Value[:min(9, len(s.Value))]
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	return hash, dirty
}

func (p *program) versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: p.say("Print the version", "显示版本"),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			hash, dirty := commit()
			if output == "json" {
				return json.NewEncoder(p.stdout).Encode(map[string]any{
					"version": release, "commit": hash, "modified": dirty,
					"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
				})
			}
			fmt.Fprintf(p.stdout, "bendi %s  %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
	outputFlag(cmd, p, &output)
	return cmd
}

// serverFlag adds --server, which names a running server.
func serverFlag(flags *pflag.FlagSet, p *program, server *string) {
	flags.StringVar(server, "server", "", p.sayf("server to ask (default: $BENDI_SERVER, else %s)", "要连接的服务（默认：$BENDI_SERVER，否则 %s）", defaultServer))
}

// outputFlag adds --output, which is table or json.
func outputFlag(cmd *cobra.Command, p *program, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "table", p.say("table or json", "table 或 json"))
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *output != "table" && *output != "json" {
			return usage(fmt.Errorf("--output is table or json, not %q", *output))
		}
		return nil
	}
}
