package load

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Flags adds the options to a command line. What it does not say keeps the
// value that o has.
func (o *Options) Flags(f *flag.FlagSet) {
	f.IntVar(&o.Cache, "cache", o.Cache, "tokens that the KV cache holds, of all conversations; 0: slots times context")
	choiceFlag(f, &o.CacheType, "cache-type", "how the KV cache stores its numbers; q8_0 and q4_0 need flash attention")
	choiceFlag(f, &o.FlashAttention, "flash-attention", "whether to compute attention in one pass")
	choiceFlag(f, &o.GPU, "gpu", "whether GPUs may, must or must not be used")
	f.TextVar(&o.GPULayers, "gpu-layers", o.GPULayers, "layers that lie on GPUs: all or a number")
	f.IntVar(&o.MainGPU, "main-gpu", o.MainGPU, "the number of the GPU that has what is not split")
	choiceFlag(f, &o.Split, "split", "how to divide the model between several GPUs")
	f.IntVar(&o.Checkpoints, "checkpoint-mib", o.Checkpoints, "MiB for copies of the beginnings of prompts, of a model whose cache cannot share them; 0: none")
	choiceFlag(f, &o.SharePrefixes, "share-prefixes", "who may use what others' prompts have left in the cache")
	f.Func("tensor-split", "the share of each GPU, such as 3,1; without it, by their free memory", func(text string) (err error) {
		o.TensorSplit = nil
		for part := range strings.SplitSeq(text, ",") {
			share, err := strconv.Atoi(part)
			if err != nil {
				return fmt.Errorf("want shares such as 3,1, have %q", text)
			}
			o.TensorSplit = append(o.TensorSplit, share)
		}
		return nil
	})
}

// choiceFlag adds a flag that takes one of few values.
func choiceFlag[T choice](f *flag.FlagSet, value *T, name, usage string) {
	values := (*value).Values()
	usage = fmt.Sprintf("%s: %s (default %s)", usage, strings.Join(values, "|"), *value)
	f.Func(name, usage, func(text string) error {
		if !slices.Contains(values, text) {
			return fmt.Errorf("want one of %s, have %q", strings.Join(values, ", "), text)
		}
		*value = T(text)
		return nil
	})
}

// Args returns the flags that make [Defaults] into o.
func (o Options) Args() []string {
	var args []string
	add := func(name, value, normal string) {
		if value != normal && value != "" {
			args = append(args, "--"+name, value)
		}
	}
	d := Defaults()
	add("cache", strconv.Itoa(o.Cache), strconv.Itoa(d.Cache))
	add("cache-type", string(o.CacheType), string(d.CacheType))
	add("flash-attention", string(o.FlashAttention), string(d.FlashAttention))
	add("gpu", string(o.GPU), string(d.GPU))
	add("gpu-layers", o.GPULayers.String(), d.GPULayers.String())
	add("main-gpu", strconv.Itoa(o.MainGPU), strconv.Itoa(d.MainGPU))
	add("split", string(o.Split), string(d.Split))
	add("checkpoint-mib", strconv.Itoa(o.Checkpoints), strconv.Itoa(d.Checkpoints))
	add("share-prefixes", string(o.SharePrefixes), string(d.SharePrefixes))
	var shares []string
	for _, share := range o.TensorSplit {
		shares = append(shares, strconv.Itoa(share))
	}
	add("tensor-split", strings.Join(shares, ","), "")
	return args
}
