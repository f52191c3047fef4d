package anthropic

import (
	"time"

	"bendi/chat"
	"bendi/openaicompat/wire"
)

type modelBody struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Name    string `json:"display_name"`
	Created string `json:"created_at"` // RFC 3339
}

func bodyOf(m chat.ModelInfo) modelBody {
	return modelBody{"model", m.ID, m.ID, time.Unix(m.Created, 0).UTC().Format(time.RFC3339)}
}

// EncodeModels returns the body that lists models, all on one page.
func EncodeModels(models []chat.ModelInfo) []byte {
	list := struct {
		Data  []modelBody `json:"data"`
		More  bool        `json:"has_more"`
		First *string     `json:"first_id"`
		Last  *string     `json:"last_id"`
	}{Data: make([]modelBody, len(models))}
	for i, m := range models {
		list.Data[i] = bodyOf(m)
	}
	if n := len(models); n > 0 {
		list.First, list.Last = &models[0].ID, &models[n-1].ID
	}
	return wire.Marshal(list)
}

// EncodeModel returns the body that describes one model.
func EncodeModel(m chat.ModelInfo) []byte { return wire.Marshal(bodyOf(m)) }

// EncodeCount returns the body that tells how many tokens a request has.
func EncodeCount(tokens int) []byte { return wire.Marshal(map[string]int{"input_tokens": tokens}) }
