package config

import _ "embed"

//go:embed bendi.schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of the configuration file, for
// editors and for checks without bendi.
func Schema() []byte { return append([]byte(nil), schema...) }
