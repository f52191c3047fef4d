package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"bendi/chat"
	"bendi/config"
	"bendi/filter"
	"bendi/filter/lexicon"
)

// A filterBench is what the filter costs with lexicons of the operator's own,
// on a text of theirs. One core is used.
type filterBench struct {
	Words     int     `json:"words"`
	Build     float64 `json:"build_seconds"`
	Heap      uint64  `json:"heap_bytes"`
	TextBytes int     `json:"text_bytes"`
	MBs       float64 `json:"megabytes_per_second"` // of texts as a whole
	Event     float64 `json:"event_ns"`             // what the filter adds to a piece of a streamed answer
	First     float64 `json:"first_event_us"`       // what it adds to a request, median
	Hits      int     `json:"texts_with_hits"`      // of 4 KiB each
}

func (p *program) filterBenchCommand() *cobra.Command {
	r := &reading{program: p}
	var texts, output, profile string
	cmd := &cobra.Command{
		Use:   "bench [LEXICON...]",
		Short: p.say("Measure the filter with your own lexicons on your own text", "用自己的词库和文本测量过滤性能"),
		Long: p.say(
			"Measure the filter: how long the lexicons take to build and how much memory, how fast texts are looked through, and what a streamed answer has to bear. Without lexicons, the configured ones are measured; without --texts, a text is made up. It takes about 10 s.",
			"测量过滤性能：词库编译时间与内存、整段文本的扫描速度，以及流式回答的额外开销。不写词库时使用配置中的词库；不写 --texts 时使用生成的文本。约需 10 秒。"),
	}
	r.flags(cmd)
	outputFlag(cmd, p, &output)
	cmd.Flags().StringVar(&texts, "texts", "", p.say("file of text", "文本文件"))
	cmd.Flags().StringVar(&profile, "profile", "default", p.say("how hard to look: default, strict or sound", "识别力度：default、strict 或 sound"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(config.Profile("").Values(), profile) {
			return usage(errors.New(p.say("--profile is default, strict or sound", "--profile 为 default、strict 或 sound")))
		}
		lexicons, err := r.all(args)
		if err != nil {
			return err
		}
		text := madeUp(1 << 20)
		if texts != "" {
			raw, err := os.ReadFile(texts)
			if err != nil {
				return usage(err)
			}
			if len(raw) == 0 {
				return usage(fmt.Errorf(p.say("%s is empty", "%s 为空"), texts))
			}
			text = string(raw)
		}
		b, err := measureFilter(cmd.Context(), lexicons, profile, text)
		if err != nil {
			return usage(err)
		}
		if output == "json" {
			return writeJSON(p.stdout, b)
		}
		printTable(p.stdout, "",
			cells(p.say("words", "词数"), b.Words),
			cells(p.say("build", "编译"), fmt.Sprintf("%.2f s", b.Build)),
			cells(p.say("memory", "内存"), bytesText(int64(b.Heap))),
			cells(p.say("whole texts", "整段文本"), fmt.Sprintf("%.1f MB/s", b.MBs)),
			cells(p.say("added to a piece of a stream", "流式每段的额外开销"), fmt.Sprintf("%.0f ns", b.Event)),
			cells(p.say("added before the first piece (median)", "首段之前的额外开销(中位数)"), fmt.Sprintf("%.1f µs", b.First)))
		return nil
	}
	return cmd
}

// measureFilter measures for about ten seconds.
func measureFilter(ctx context.Context, lexicons []*lexicon.Lexicon, profile, text string) (b filterBench, err error) {
	for _, l := range lexicons {
		b.Words += len(l.Words)
	}
	b.TextBytes = len(text)
	before := heap()
	begin := time.Now()
	policy := watching(profile)
	rules, err := filter.Compile(lexicons, policy)
	if err != nil {
		return b, err
	}
	b.Build = time.Since(begin).Seconds()
	b.Heap = max(heap(), before) - before

	judge := judgeOf(rules, policy)
	pieces := cutText(text, 4<<10)
	read := 0
	begin = time.Now()
	for time.Since(begin) < 3*time.Second {
		b.Hits = 0
		for _, piece := range pieces {
			if len(judge.Moderate([]string{piece})[0].Rules) > 0 {
				b.Hits++
			}
		}
		read += len(text)
	}
	b.MBs = float64(read) / 1e6 / time.Since(begin).Seconds()

	m := &streaming{pieces: cutText(text[:min(len(text), 64<<10)], 6)} // a token of Chinese is two characters
	guard := filter.Guard(m, filter.Options{Shelf: judge.Shelf, Policy: judge.Policy, Cache: -1})
	plain, _ := timeStream(ctx, m, time.Second)
	guarded, _ := timeStream(ctx, guard, 2*time.Second)
	b.Event = max(0, guarded-plain)

	m.pieces = m.pieces[:min(4, len(m.pieces))]
	_, plainFirst := timeStream(ctx, m, time.Second)
	_, first := timeStream(ctx, guard, time.Second)
	b.First = max(0, first-plainFirst) / 1e3
	runtime.KeepAlive(rules)
	return b, ctx.Err()
}

// timeStream asks m again and again, and returns how many nanoseconds a piece
// takes, and the first event, the median.
func timeStream(ctx context.Context, m chat.Model, limit time.Duration) (piece, first float64) {
	req := &chat.Request{N: 1, Messages: []chat.Message{chat.TextMessage(chat.User, "请介绍一下你们的退货政策，谢谢。")}}
	var firsts []float64
	pieces := 0
	begin := time.Now()
	for time.Since(begin) < limit {
		asked := time.Now()
		n := 0
		for range m.Chat(ctx, req) {
			if n++; n == 1 {
				firsts = append(firsts, float64(time.Since(asked)))
			}
			pieces++
		}
	}
	slices.Sort(firsts)
	return float64(time.Since(begin)) / float64(max(pieces, 1)), firsts[len(firsts)/2]
}

// streaming is a model that says the same pieces each time.
type streaming struct{ pieces []string }

func (m *streaming) Chat(context.Context, *chat.Request) iter.Seq2[chat.Event, error] {
	return func(yield func(chat.Event, error) bool) {
		for _, p := range m.pieces {
			if !yield(chat.Event{Text: p}, nil) {
				return
			}
		}
		if yield(chat.Event{Finish: chat.Stop}, nil) {
			yield(chat.Event{Usage: &chat.Usage{}}, nil)
		}
	}
}

// cutText cuts a text into pieces of about n bytes, between characters.
func cutText(text string, n int) []string {
	var pieces []string
	for len(text) > 0 {
		end := min(n, len(text))
		for end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		pieces = append(pieces, text[:end])
		text = text[end:]
	}
	return pieces
}

// madeUp is Chinese text of a length, the same each time.
func madeUp(n int) string {
	const common = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
	runes := []rune(common)
	var b strings.Builder
	state := uint32(1)
	for b.Len() < n {
		state = state*1664525 + 1013904223
		b.WriteRune(runes[int(state>>16)%len(runes)])
		if state>>28 == 0 {
			b.WriteString("，")
		}
	}
	return b.String()
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
