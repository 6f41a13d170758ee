package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/latticed/latticed/store"
	"github.com/latticed/latticed/triggers"
)

// meantBy adds to an answer the name that was meant by one that there isn't.
func (s *Server) meantBy(ctx context.Context, err error, e *Error) *Error {
	var missing *store.MissingError
	var lattice *triggers.UnknownLatticeError
	what, name := "", ""
	switch {
	case e == nil:
		return nil
	case errors.As(err, &lattice):
		what, name = "lattice", lattice.Name
	case e.Code == codeNotFound && errors.As(err, &missing) && missing.Near == "":
		what, name = missing.What, missing.Name
	}
	near := ""
	if name != "" {
		near = s.o.Store.Near(ctx, what, name)
	}
	if near == "" {
		return e
	}
	out := *e
	hint := fmt.Sprintf("; did you mean %q?", near)
	out.Detail += hint
	if len(e.Errors) > 0 {
		out.Errors = append([]FieldError(nil), e.Errors...)
		out.Errors[0].Message += hint
	}
	return &out
}
