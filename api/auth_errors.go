package api

import "net/http"

const (
	codeUnauthenticated = "unauthenticated"
	codeForbidden       = "forbidden"
	codeTokenEnded      = "token_ended"
	codeClockSkew       = "clock_skew"
	codeReplayed        = "signature_replayed"
	codeTooManyFailures = "too_many_failures"
	codeWrongHost       = "wrong_host"
	codeCrossOrigin     = "cross_origin"
)

// errStranger is the answer to who shows nothing.
var errStranger = &Error{Status: http.StatusUnauthorized, Code: codeUnauthenticated, Detail: "this door asks for a token: send it as Authorization: Bearer TOKEN; an admin makes one with: latticed token create"}

// The ends of a token, told to who has its text. They also break off what its owner
// follows.
var (
	errRevoked = &Error{Status: http.StatusUnauthorized, Code: codeTokenEnded, Detail: "the token was revoked, or its trigger removed; ask an admin for another"}
	errExpired = &Error{Status: http.StatusUnauthorized, Code: codeTokenEnded, Detail: "the token has expired; ask an admin for another"}
)

// doubt says why what was shown is not believed; it counts as a failed attempt.
func doubt(detail string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: codeUnauthenticated, Detail: detail}
}
