package api

import "context"

// The verdicts of a Check.
const (
	VerdictOK    = "ok"
	VerdictWarn  = "warn"
	VerdictWrong = "wrong"
)

// Doctor implements StrictServerInterface.
func (s *Server) Doctor(ctx context.Context, _ DoctorRequestObject) (DoctorResponseObject, error) {
	out := Doctor200JSONResponse{Ok: true, Checks: []Check{}}
	if s.o.Doctor != nil {
		out.Checks = s.o.Doctor(ctx)
	}
	for _, c := range out.Checks {
		out.Ok = out.Ok && c.Verdict != VerdictWrong
	}
	return out, nil
}
