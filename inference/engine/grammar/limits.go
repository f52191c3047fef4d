package grammar

// Limits on what a client may send. Each is far above what a schema or a
// grammar written for a language model needs; their purpose is that no input
// takes more than a moment or a few megabytes.
const (
	maxSchemaBytes  = 512 << 10 // of JSON text
	maxSchemaDepth  = 100       // of JSON nesting
	maxSchemas      = 20_000    // schemas and subschemas read
	maxAlternatives = 500       // that anyOf, oneOf and allOf multiply out to, in one place
	maxWork         = 4_000_000 // steps of merging and comparing schemas
	maxRepeat       = 500_000   // minLength, maxLength, minItems, maxItems, {m,n} of a pattern
	maxNameBytes    = 1_000     // of the name of a property or a rule
	maxDigits       = 40        // of a bound of a number, written without exponent
	maxPatternBytes = 1_000     // of a regular expression
	maxPatternDepth = 30        // of groups in a regular expression
	maxGrammarBytes = 512 << 10 // of GBNF text, ours or a client's
	maxGroupDepth   = 60        // of nested groups in GBNF
	maxInstructions = 200_000   // that a grammar compiles to
	maxStepWork     = 1 << 20   // comparisons of stacks for one character
	maxWays         = 1 << 20   // in which a rule can go on without reading a character
)

// llama.cpp's own limits on repetition: it refuses a lower bound above
// llamaRepeat, takes an upper bound above it as no bound at all, and refuses a
// repetition whose bound times the rules its item makes reaches it.
const llamaRepeat = 2_000

// chunk is the longest repetition that a generated grammar writes as one; a
// longer one is written as blocks.
const chunk = 1_000

// What a generated number may look like, where the schema says nothing: these
// fit an int64 and a float64, and keep a model from writing digits for ever.
const (
	integerDigits  = 18
	fractionDigits = 17
)
