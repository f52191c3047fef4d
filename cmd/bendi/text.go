package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bendi/chat"
	"bendi/config"
	"bendi/ledger/chain"
	"bendi/ledger/text"
)

// mostTexts is how many of them may wait to be written: each may be as long as the
// body of a request.
const mostTexts = 256

// keepTexts opens what has the words of requests, once, if any are to be kept, or
// were: those of before are still to be removed in time.
func (h *house) keepTexts(key []byte) error {
	cfg := h.cfg.Ledger
	dir, err := textDir(h.cfg)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err != nil && len(cfg.Text.Routes) == 0 {
		return nil
	}
	log, err := chain.Open(chain.Options{
		Dir: dir, Key: key, MaxFile: int64(cfg.MaxFile), Retain: time.Duration(cfg.Text.RetainDays) * 24 * time.Hour,
		Interval: time.Duration(cfg.SyncInterval), Queue: mostTexts, Log: h.log.With("of", "ledger.text"),
	})
	if err != nil {
		return fmt.Errorf("the texts of the ledger: %w", err)
	}
	if len(cfg.Text.Routes) > 0 {
		h.log.Warn("ledger: the words of requests and answers are kept", "routes", cfg.Text.Routes, "folder", dir, "days", cfg.Text.RetainDays)
	} else {
		h.log.Info("ledger: no words are kept any more; those of before go when they are too old", "folder", dir, "days", cfg.Text.RetainDays)
	}
	h.ground.texts = log
	h.measured.Ledger.ReadTexts(log.Stats)
	return nil
}

// textDir returns the folder of the words.
func textDir(cfg *config.Config) (string, error) {
	dir, err := cfg.DataPath()
	return filepath.Join(dir, "ledger-text"), err
}

// keepText has the words of a route's requests kept, where they are to be.
func (h *house) keepText(r config.Route, t tower) tower {
	log := h.ground.texts
	if log == nil || !slices.Contains(h.cfg.Ledger.Text.Routes, r.Path) {
		return t
	}
	return recorded{t, text.Keep(t, r.Path, func(t *text.Text) {
		data, err := json.Marshal(t)
		if err != nil {
			panic(err) // texts always can be
		}
		log.Add(text.Kind, data)
	})}
}

// A passed tower tells what the filter above has let pass.
type passed struct{ tower }

func (p passed) Chat(ctx context.Context, req *chat.Request) iter.Seq2[chat.Event, error] {
	text.Passed(ctx, req)
	return p.tower.Chat(ctx, req)
}

// textNote says that words are kept, or nothing where they are not.
func (p *program) textNote(cfg *config.Config) string {
	t := cfg.Ledger.Text
	if len(t.Routes) == 0 {
		return ""
	}
	dir, _ := textDir(cfg)
	lasts := p.sayf("for %d days", "保留 %d 天", t.RetainDays)
	if t.RetainDays == 0 {
		lasts = p.say("for ever", "永久保留")
	}
	return p.sayf("the words of requests and answers of %s are kept in %s, %s, readable to who can read its files", "%s 的请求和回答内容保存在 %s 中（%s），能读取其文件者即可看到", strings.Join(t.Routes, ", "), dir, lasts)
}

func (p *program) auditTextCommand() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:   "text ID",
		Short: p.say("Print the words of a request and its answer, by the id of either, where they were kept", "按请求或回答的 id 输出其内容（须曾保存）"),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, _, _, err := p.load(nil)
			if err != nil {
				return err
			}
			if dir == "" {
				if dir, err = textDir(cfg); err != nil {
					return err
				}
			}
			if _, err := os.Stat(dir); err != nil {
				return fmt.Errorf(p.say("there are no words in %s: none are kept unless ledger.text.routes says of which routes", "%s 中没有内容：只有 ledger.text.routes 列出的路由才会保存"), dir)
			}
			var bad []error
			found := []*text.Text{}
			for t, err := range text.Find(dir, args[0]) {
				if err != nil {
					bad = append(bad, err)
				} else {
					found = append(found, t)
				}
			}
			switch {
			case output == "json":
				if err := json.NewEncoder(p.stdout).Encode(found); err != nil {
					return err
				}
			case len(found) == 0:
				fmt.Fprintln(p.stderr, p.say("no words are kept of that id: it may be of another route, or older than ledger.text.retain_days", "没有保存该 id 的内容：可能属于其他路由，或已超过 ledger.text.retain_days"))
			}
			if output != "json" {
				for _, t := range found {
					if len(found) > 1 { // an id that clients choose may be there again
						fmt.Fprintf(p.stdout, "-- %s %s %s\n", dash(t.Key), t.Route, t.Answer)
					}
					p.printText(t)
				}
			}
			if err := p.unread(bad); err != nil {
				return err
			}
			if len(found) == 0 {
				return exitError{code: exitProblems}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "text-dir", "", p.say("folder of the words (default: ledger-text in the folder data)", "内容所在目录（默认：data 目录下的 ledger-text）"))
	outputFlag(cmd, p, &output)
	return cmd
}

func (p *program) printText(t *text.Text) {
	say := func(who string, m text.Message) {
		for _, part := range []struct{ label, text string }{{who + p.say(" (thinking)", "（思考）"), m.Reasoning}, {who, m.Text}, {who + p.say(" (refuses)", "（拒绝）"), m.Refusal}} {
			if part.text != "" {
				fmt.Fprintf(p.stdout, "%s: %s\n", part.label, strings.Map(printable, part.text))
			}
		}
		for _, other := range m.Other {
			fmt.Fprintf(p.stdout, "%s: (%s)\n", who, other)
		}
		for _, c := range m.Calls {
			fmt.Fprintf(p.stdout, "%s: %s(%s)\n", who, strings.Map(printable, c.Name), strings.Map(printable, c.Arguments))
		}
	}
	if t.Prompt != "" {
		say("prompt", text.Message{Text: t.Prompt})
	}
	for _, m := range t.Request {
		say(m.Role, m)
	}
	for i, m := range t.Choices {
		who := p.say("answer", "回答")
		if len(t.Choices) > 1 {
			who = fmt.Sprintf("%s %d", who, i+1)
		}
		say(who, m)
	}
	if !t.Whole {
		fmt.Fprintln(p.stdout, p.say("(there was no whole answer)", "（没有完整的回答）"))
	}
}
