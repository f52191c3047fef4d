package openaicompat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"

	"bendi/chat"
)

// errSlow is why nothing more of a body is read. The client is still there.
var errSlow = errors.New("the body comes too slowly")

// body reads the whole body of a request.
func (s *server) body(c *gin.Context) ([]byte, error) {
	if enc := c.GetHeader("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, chat.Errorf(chat.Invalid, "The request body has a Content-Encoding; only plain bodies are read here.")
	}
	size := c.Request.ContentLength
	if size > s.MaxBody {
		hangUp(c)
		return nil, chat.Errorf(chat.TooLarge, "The request body is %d bytes long; at most %d are allowed.", size, s.MaxBody)
	}
	var buf bytes.Buffer
	buf.Grow(int(max(size, 0)) + bytes.MinRead)
	paced, free := s.paced(c, c.Request.Body)
	_, err := buf.ReadFrom(http.MaxBytesReader(c.Writer, io.NopCloser(paced), s.MaxBody))
	switch {
	case err == nil:
		free()
		return buf.Bytes(), nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		hangUp(c)
		return nil, &chat.Error{Kind: chat.Invalid, Code: "body_too_slow", Err: errSlow,
			Msg: fmt.Sprintf("Of the request body, %d bytes have come in %v; it has to come in that time, and by 16 KiB a second beyond.", buf.Len(), s.BodyTimeout)}
	case isTooLong(err):
		hangUp(c)
		return nil, chat.Errorf(chat.TooLarge, "The request body is longer than the %d bytes that are allowed.", s.MaxBody)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errGone
	}
	return nil, &chat.Error{Kind: chat.Invalid, Msg: "The request body could not be read.", Err: err}
}

func isTooLong(err error) bool {
	_, ok := errors.AsType[*http.MaxBytesError](err)
	return ok
}

// hangUp ends the connection after the response, rather than read the rest of
// a body that nobody wants.
func hangUp(c *gin.Context) { c.Header("Connection", "close") }
