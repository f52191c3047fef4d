package metrics

import (
	"encoding/json"
	"net/http"
)

// Slots serves the view of an engine as JSON.
func Slots(src Source) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		json.NewEncoder(w).Encode(src.View()) // an error means that nobody reads it
	})
}
