package api

import (
	"context"
	"errors"
)

// Explain implements StrictServerInterface.
func (s *Server) Explain(context.Context, ExplainRequestObject) (ExplainResponseObject, error) {
	return nil, errors.New("not written yet")
}
