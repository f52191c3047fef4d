package openaicompat

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
)

// crossOrigin lets pages of other origins ask. Whatever headers they want to
// send are allowed by name, for the Fetch standard does not let "*" stand for
// Authorization; cookies are never wanted.
func crossOrigin(origins []string) gin.HandlerFunc {
	policy := cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{
			"X-Request-Id", "Request-Id", "Retry-After",
			"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests",
			"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens",
			"X-Bendi-Route", "X-Bendi-Backend", "X-Bendi-Arm", "X-Bendi-Filter",
		},
		MaxAge: 600,
	})
	return func(c *gin.Context) {
		policy.HandlerFunc(c.Writer, c.Request)
		if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
			c.Abort()
			c.Writer.WriteHeaderNow()
		}
	}
}
