package engine

import (
	"os"
	"strings"
	"sync"

	"github.com/ebitengine/purego"
)

// sharedContext is in a warning about a context larger than the model was
// trained with, which ours is: all sequences share it.
const sharedContext = "n_ctx_seq"

// ownPooling is in a warning about a way of pooling that the file does not
// name, which is that of embeddings from a model made to chat.
const ownPooling = "model default pooling_type"

// Levels of ggml_log_level.
const (
	ggmlLogWarn  = 3
	ggmlLogError = 4
	ggmlLogCont  = 5
)

// llamaLog returns the one callback that llama.cpp logs through: warnings and
// errors go to standard error, the worker's log, the rest nowhere. A callback
// of purego is never freed, so there is one for the process.
var llamaLog = sync.OnceValue(func() uintptr {
	var last int32 // the level that a continuation continues
	var mu sync.Mutex
	return purego.NewCallback(func(level int32, text *byte, _ uintptr) uintptr {
		mu.Lock()
		defer mu.Unlock()
		if level != ggmlLogCont {
			last = level
		}
		if last != ggmlLogWarn && last != ggmlLogError || text == nil {
			return 0
		}
		if line := goString(text); !strings.Contains(line, sharedContext) && !strings.Contains(line, ownPooling) {
			os.Stderr.WriteString(line)
		}
		return 0
	})
})
