package wire

import (
	"encoding/json"

	"bendi/chat"
)

type modelBody struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	Context int    `json:"context_length,omitempty"` // ours: tokens
	State   string `json:"state,omitempty"`          // ours: see chat.ModelInfo
}

type modelList struct {
	Object string      `json:"object"`
	Data   []modelBody `json:"data"`
}

func bodyOf(m chat.ModelInfo) modelBody {
	return modelBody{ID: m.ID, Object: "model", Created: m.Created, OwnedBy: m.OwnedBy, Context: m.Context, State: m.State}
}

// EncodeModels returns the body that lists models.
func EncodeModels(models []chat.ModelInfo) ([]byte, error) {
	list := modelList{Object: "list", Data: make([]modelBody, len(models))}
	for i, m := range models {
		list.Data[i] = bodyOf(m)
	}
	return marshal(list)
}

// EncodeModel returns the body that describes one model.
func EncodeModel(m chat.ModelInfo) ([]byte, error) { return marshal(bodyOf(m)) }

// DecodeModels reads a list of models.
func DecodeModels(body []byte) ([]chat.ModelInfo, error) {
	var list modelList
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, &chat.Error{Kind: chat.BadBackend, Msg: "The backend sent a list of models that is not JSON of this protocol.", Err: err}
	}
	models := make([]chat.ModelInfo, len(list.Data))
	for i, m := range list.Data {
		models[i] = chat.ModelInfo{ID: m.ID, Created: m.Created, OwnedBy: m.OwnedBy, Context: m.Context, State: m.State}
	}
	return models, nil
}
