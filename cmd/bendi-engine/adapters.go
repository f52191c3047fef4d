package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"bendi/chat"
	"bendi/inference/engine"
	"bendi/inference/llamacpp"
	"bendi/models"
	"bendi/openaicompat"
)

// adapterActions load and unload adapters of the model, as vLLM's endpoints of
// the same names do.
func adapterActions(cfg engine.Config, e *engine.Engine) []openaicompat.Action {
	done := func(format string, args ...any) any {
		return map[string]string{"message": fmt.Sprintf(format, args...)}
	}
	return []openaicompat.Action{
		{Method: http.MethodPost, Path: llamacpp.LoadAdapterPath, Do: func(ctx context.Context, body []byte) (any, error) {
			c, err := openaicompat.DecodeAction[llamacpp.AdapterChange](body)
			switch {
			case err != nil:
				return nil, err
			case c.Name == "" || c.Path == "":
				return nil, chat.BadParam("lora_name", "'lora_name' and 'lora_path' are needed: the adapter's name and its file.")
			}
			if strings.ContainsFunc(c.Name, func(r rune) bool { return r <= ' ' || r == ':' || r > '~' }) {
				return nil, chat.BadParam("lora_name", "'lora_name' may have letters, digits and dashes.")
			}
			if err := models.CheckAdapter(c.Path, cfg.Model); err != nil {
				return nil, chat.BadParam("lora_path", "%v", err)
			}
			return done("LoRA adapter %s is loaded as model %s:%s.", c.Name, cfg.Name, c.Name), e.LoadAdapter(ctx, c.Name, c.Path)
		}},
		{Method: http.MethodPost, Path: llamacpp.UnloadAdapterPath, Do: func(ctx context.Context, body []byte) (any, error) {
			c, err := openaicompat.DecodeAction[llamacpp.AdapterChange](body)
			if err != nil {
				return nil, err
			}
			return done("LoRA adapter %s is unloaded.", c.Name), e.UnloadAdapter(ctx, c.Name)
		}},
	}
}
