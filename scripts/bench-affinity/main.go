// Command bench-affinity measures what it gains to send a conversation to the
// engine that has answered it before: two workers of one model behind one name,
// conversations of several turns over a few shared system prompts, once with the
// balance "affine" and once with "least_busy".
//
//	make bench-affinity
//	make bench-affinity BENCH="-model models/demo/bendi-demo-q8_0.gguf -clients 16"
//
// Each balance gets servers of its own, that know nothing yet, in each round.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench-affinity:", err)
		os.Exit(1)
	}
}

// window is how many tokens a conversation may have.
const window = 4096

// options are the command line.
type options struct {
	home    string
	model   string
	clients int           // at once
	talks   int           // conversations
	turns   int           // of each
	systems int           // system prompts that the conversations share
	words   int           // of a system prompt
	said    int           // words of a user in a turn
	think   time.Duration // most of it before a turn
	cache   int           // tokens of each engine's
	rounds  int
}

func run(ctx context.Context, args []string) error {
	var o options
	flags := flag.NewFlagSet("bench-affinity", flag.ContinueOnError)
	flags.StringVar(&o.home, "home", ".", "folder of the installation")
	flags.StringVar(&o.model, "model", "bin/bench-models/random-2x256-ff1376-v32768-q8_0.gguf", "GGUF file")
	flags.IntVar(&o.clients, "clients", 12, "conversations at once")
	flags.IntVar(&o.talks, "conversations", 12, "in all")
	flags.IntVar(&o.turns, "turns", 5, "of each conversation")
	flags.IntVar(&o.systems, "systems", 4, "system prompts that the conversations share")
	flags.IntVar(&o.words, "words", 100, "words of a system prompt")
	flags.IntVar(&o.said, "turn-words", 120, "words of a user in a turn")
	flags.DurationVar(&o.think, "think", 3*time.Second, "most time between an answer and the next turn; without any, the least busy engine is the one that has just answered")
	flags.IntVar(&o.cache, "cache", 65536, "tokens that the cache of each engine holds; 4096 at least")
	flags.IntVar(&o.rounds, "rounds", 1, "rounds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.clients < 1 || o.talks < 1 || o.turns < 1 || o.systems < 1 || o.words < 1 || o.said < 1 || o.rounds < 1 || o.cache < window {
		return fmt.Errorf("all numbers have to be above 0, and the cache at least %d: %+v", window, o)
	}
	fmt.Printf("%d conversations of %d turns over %d system prompts of %d words, %d words a turn, %d at once\n\n", o.talks, o.turns, o.systems, o.words, o.said, o.clients)
	fmt.Println("| balance | prompt tokens | computed | from the cache | first token, median | 99th percentile |")
	fmt.Println("|---|---|---|---|---|---|")
	sums := map[string]*sum{}
	for range o.rounds {
		for _, balance := range []string{"least_busy", "affine"} {
			s, err := measure(ctx, o, balance)
			if err != nil {
				return fmt.Errorf("%s: %w", balance, err)
			}
			if sums[balance] == nil {
				sums[balance] = new(sum)
			}
			sums[balance].add(s)
			fmt.Printf("| `%s` %s\n", balance, s)
		}
	}
	busy, affine := sums["least_busy"], sums["affine"]
	fmt.Printf("\naffine to least_busy: computed x %.2f, first token x %.2f at the median and x %.2f at the 99th percentile\n",
		float64(affine.computed())/float64(busy.computed()), ratio(affine, busy, 50), ratio(affine, busy, 99))
	return nil
}

// A sum is what the answers of a round cost.
type sum struct {
	prompt, cached int
	first          []time.Duration
}

func (s *sum) add(o *sum) {
	s.prompt += o.prompt
	s.cached += o.cached
	s.first = append(s.first, o.first...)
}

func (s *sum) computed() int { return s.prompt - s.cached }

// percentile returns the smallest time that p of 100 answers do not exceed.
func (s *sum) percentile(p int) time.Duration {
	times := slices.Sorted(slices.Values(s.first))
	return times[min(len(times)*p/100, len(times)-1)]
}

func (s *sum) String() string {
	return fmt.Sprintf("| %d | %d | %.0f %% | %v | %v |", s.prompt, s.computed(), 100*float64(s.cached)/float64(s.prompt),
		s.percentile(50).Round(time.Millisecond), s.percentile(99).Round(time.Millisecond))
}

func ratio(a, b *sum, p int) float64 { return float64(a.percentile(p)) / float64(b.percentile(p)) }
